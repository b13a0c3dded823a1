// Package migrate takes over archives of the original DataFS (0.7, in Python), and
// compares every file with the checksum that was recorded of it. It is not for how the
// original's databases and buckets are reached. Its invariant: nothing is changed at the
// source, and a version is here only with the bytes that were recorded.
package migrate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Seed is a table of the original DataFS (0.7, in Python). It is only read.
type Seed interface {
	// Documents gives one document per archive, in any order. Values are those of
	// JSON and BSON; none is relied on to be of the right type.
	Documents(ctx context.Context) iter.Seq2[map[string]any, error]
	// Spec gives what the team required: the config of each document of the table
	// beside it, by its _id.
	Spec(ctx context.Context) (map[string]any, error)
	Close() error
}

// Files are the files of an authority of the original DataFS. They are only
// read.
type Files interface {
	// Open opens the file at a path with slashes. The error wraps fs.ErrNotExist
	// when there is none, datafs.ErrUnavailable when another try may help.
	Open(ctx context.Context, path string) (io.ReadCloser, error)
	Close() error
}

// Options say what Run takes over, and from where.
type Options struct {
	Seed      Seed
	Files     map[string]Files // by the authority's name in the documents; "" is that of all others
	Authority string           // of the archives that are made; "": the default, or if there is none that of the document
	Archives  []string         // names; none: all
	DryRun    bool             // read and verify everything, and change nothing
	Each      func(Item)       // told of each archive when it is done, and before of what is strange about it
}

// Item is an archive that was taken over, or something strange about it.
type Item struct {
	Archive   string // its name here, or at the source where it cannot be one
	Version   string // that is strange, as it was recorded; "": the archive
	Status    Status
	Why       string // it is strange
	Taken     int64  // versions; in a dry run those that would be
	Unchanged int64  // versions that were here already
}

// Status says what became of an archive, or what is strange.
type Status string

// What becomes of an archive or a version of the original DataFS.
const (
	Taken     Status = "migrated"  // the archive, or some version of it
	Unchanged Status = "unchanged" // all was here already
	Changed   Status = "changed"   // taken over in another form than it was recorded
	Broken    Status = "broken"    // left out
)

// Report adds up what Run did.
type Report struct {
	Archives  int64 // that were made; in a dry run, that would be
	Versions  int64 // that were taken over; in a dry run, that would be
	Unchanged int64 // versions that were here already
	Size      int64 // bytes of the files that were read
	Changed   int64 // items of that status
	Broken    int64 // items of that status
	Required  bool  // requirements of the team were taken over
}

// Run takes over archives of the original DataFS with all their versions,
// messages, dependencies, users, times, tags and metadata. Every file is compared
// with the checksum that was recorded of it. What is broken at the source is
// reported and left out, and is no error; nothing is changed there.
//
// An archive that is here already keeps its metadata and tags and gets the
// versions that it lacks. So Run may be stopped, and run again.
func Run(ctx context.Context, api *datafs.API, opts *Options) (Report, error) {
	m := &migration{api: api, opts: opts, names: map[string]string{}, writer: api.HistoryWriter("migrate")}
	for _, name := range opts.Archives {
		_, normal, err := refs.ParseName(name)
		if err != nil {
			return m.rep, err
		}
		m.wanted = append(m.wanted, normal)
	}
	if err := m.chooseAuthority(); err != nil {
		return m.rep, err
	}
	err := m.run(ctx)
	if closed := m.writer.Close(ctx); err == nil {
		err = closed
	}
	return m.rep, err
}

type migration struct {
	api       *datafs.API
	opts      *Options
	rep       Report
	wanted    []string          // normalised names; none: all
	authority string            // of new archives; "": that of the document
	names     map[string]string // of the archives that were seen: here -> at the source

	writer  *datafs.HistoryWriter
	pending []*migrating // what is read and not yet registered
	count   int          // versions of these
	bytes   int64        // of these
}

// chooseAuthority finds the authority of new archives.
func (m *migration) chooseAuthority() error {
	if m.opts.Authority != "" {
		m.authority = m.opts.Authority
		if !slices.Contains(m.api.Authorities(), m.authority) {
			return leaf.Errorf(fs.ErrNotExist, `Authority "%s" not found`, m.authority)
		}
		return nil
	}
	var err error
	m.authority, err = m.api.DefaultAuthority()
	if errors.Is(err, fs.ErrInvalid) { // there are several
		return nil
	}
	return err
}

func (m *migration) run(ctx context.Context) error {
	for doc, err := range m.opts.Seed.Documents(ctx) {
		if err == nil {
			err = m.document(ctx, doc)
		}
		if err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
	}
	if err := m.flush(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := m.spec(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	missing := slices.DeleteFunc(m.wanted, func(name string) bool { return m.names[name] != "" })
	if len(missing) > 0 {
		return leaf.Errorf(fs.ErrNotExist, "migrate: not found at the source: %s", strings.Join(missing, ", "))
	}
	return nil
}

// document takes over one archive. Errors are those that end the migration.
func (m *migration) document(ctx context.Context, doc map[string]any) error {
	s, odd := readSeedArchive(doc)
	if len(m.wanted) > 0 && !slices.Contains(m.wanted, s.Name) {
		return ctx.Err()
	}
	for _, item := range odd {
		m.tell(item)
	}
	if s.Name == "" {
		return ctx.Err()
	}
	if other := m.names[s.Name]; other != "" {
		m.broken(s.source, "", fmt.Sprintf("it would be called %s here, as %s is", s.Name, other))
		return nil
	}
	m.names[s.Name] = s.source
	g, err := m.begin(ctx, s)
	if err != nil || g == nil {
		return err
	}
	for i := range s.versions {
		if err := m.version(ctx, g, &s.versions[i]); err != nil {
			return err
		}
	}
	g.complete = true
	if m.opts.DryRun {
		m.registered(g)
		return nil
	}
	if m.add(g); m.full() {
		return m.flush(ctx)
	}
	return nil
}

// tell passes an item on, and counts it.
func (m *migration) tell(item Item) {
	switch item.Status {
	case Changed:
		m.rep.Changed++
	case Broken:
		m.rep.Broken++
	}
	if m.opts.Each != nil {
		m.opts.Each(item)
	}
}

func (m *migration) broken(archive, version, why string) {
	m.tell(Item{Archive: archive, Version: version, Status: Broken, Why: why})
}
