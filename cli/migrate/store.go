package migrate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// What is read before it is registered, so that many small archives cost few
// packs, and that little is read again after an interruption.
var (
	migrateBytes int64 = 64 << 20
	migrateCount       = 1000 // versions or archives
)

// migrating is an archive that is being taken over.
type migrating struct {
	source   seedArchive
	archive  *datafs.Archive // as it is here; nil: it is new
	rec      refs.Archive
	isNew    bool
	files    Files
	here     []refs.VersionRecord
	records  []refs.VersionRecord // to be registered
	results  []*objects.Result    // their contents by slot; nil: here before
	item     Item                 // what is told of it at the end
	complete bool                 // all its versions were looked at
	changed  bool                 // something of it was registered
	failed   bool                 // it is reported as broken
}

// begin compares an archive with what is here. It gives nil for one that cannot
// be taken over.
func (m *migration) begin(ctx context.Context, s seedArchive) (*migrating, error) {
	g := &migrating{source: s, rec: s.Archive, item: Item{Archive: s.Name}}
	if g.files = m.opts.Files[s.Authority]; g.files == nil {
		g.files = m.opts.Files[""]
	}
	if g.files == nil && len(s.versions) > 0 {
		m.broken(s.Name, "", fmt.Sprintf("it is on the authority %q, which the profile does not have", s.Authority))
		return nil, nil
	}
	here, err := m.api.Archive(ctx, s.Name, nil)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		g.isNew = true
		g.rec.Authority, err = m.authorityOf(s)
	case err == nil && here.Versioned() != s.Versioned:
		m.broken(s.Name, "", "an archive of this name is here, and one is versioned, the other is not")
		return nil, nil
	case err == nil:
		g.archive = here
		if g.rec, err = here.Record(ctx); err == nil {
			g.here, err = recorded(ctx, here)
		}
	}
	if err == nil && s.replaced > 0 {
		m.tell(Item{Archive: s.Name, Status: Changed, Why: fmt.Sprintf("the contents before update %d are gone, and their records left out: the original replaced them", s.replaced+1)})
	}
	return g, err
}

// recorded returns the records of an archive's versions with their updates.
func recorded(ctx context.Context, a *datafs.Archive) (list []refs.VersionRecord, err error) {
	history, err := a.History(ctx)
	for _, e := range history {
		last := len(list) - 1
		if last < 0 || list[last].Version != e.Version || list[last].Number != e.Number {
			list = append(list, e.VersionRecord)
			last++
		}
		list[last].Updates = append(list[last].Updates, e.Update)
	}
	return list, err
}

func (m *migration) authorityOf(s seedArchive) (string, error) {
	if m.authority != "" {
		return m.authority, nil
	}
	if slices.Contains(m.api.Authorities(), s.Authority) {
		return s.Authority, nil
	}
	return m.api.DefaultAuthority() // whose error says what to do
}

// version takes over one version. Errors are those that end the migration.
func (m *migration) version(ctx context.Context, g *migrating, v *seedVersion) error {
	if g.failed {
		return ctx.Err()
	}
	here, clash, err := m.find(ctx, g, v)
	switch {
	case err != nil:
		return err
	case clash:
		m.broken(g.source.Name, v.label(), "other contents are here under this number")
		return nil
	case here != nil:
		return m.known(ctx, g, v, here)
	}
	if err := m.read(ctx, g, v); err != nil || !m.full() {
		return err
	}
	m.add(g)
	return m.flush(ctx)
}

// find gives the version as it is here. Where an unversioned archive was updated
// at the source only, there is none; where it was updated here, they clash.
func (m *migration) find(ctx context.Context, g *migrating, v *seedVersion) (here *refs.VersionRecord, clash bool, err error) {
	is := func(r refs.VersionRecord) bool { return r.Version == v.version && r.Number == v.number }
	if i := slices.IndexFunc(g.here, is); i >= 0 {
		return &g.here[i], false, nil
	}
	if v.number == 0 || len(g.here) == 0 {
		return nil, false, nil
	}
	last := &g.here[len(g.here)-1]
	if last.Number > v.number {
		return nil, true, nil
	}
	same, err := same(ctx, g.archive, last, v.contents[last.Number-1])
	return nil, !same, err
}

// known handles a version whose number is here.
func (m *migration) known(ctx context.Context, g *migrating, v *seedVersion, here *refs.VersionRecord) error {
	for i, c := range slices.Backward(v.contents) {
		same, err := same(ctx, g.archive, here, c)
		if err != nil {
			return err
		}
		if !same {
			continue
		}
		g.item.Unchanged++
		m.rep.Unchanged++
		m.duplicates(g, v, i)
		rec := *here
		rec.Updates = c.updates
		if refs.SameVersion(rec, *here) && len(refs.MergeVersions(rec, *here).Updates) > len(here.Updates) {
			g.add(rec, nil)
		}
		return nil
	}
	m.broken(g.source.Name, v.label(), "other contents are here under this number")
	return nil
}

// same says whether a version that is here has the contents that were recorded.
func same(ctx context.Context, a *datafs.Archive, here *refs.VersionRecord, c seedContent) (bool, error) {
	sum, ok := here.Checksums[c.algorithm]
	if !ok && !here.Dir {
		h := newSeedHash(c.algorithm)
		if h == nil {
			return false, nil
		}
		err := a.Cat(ctx, h, &datafs.OpenOptions{Version: versionOf(here)})
		if ctx.Err() != nil || errors.Is(err, datafs.ErrUnavailable) {
			return false, err
		}
		if err == nil { // else it cannot be read, and is another's matter
			sum = fmt.Sprintf("%x", h.Sum(nil))
		}
	}
	return sum == c.checksum, nil
}

// versionOf names a version for reading; an archive without versions has one state.
func versionOf(r *refs.VersionRecord) string {
	if r.Number > 0 {
		return ""
	}
	return r.Version.String()
}

// duplicates reports the contents that were recorded for a version and are not
// those of its file. The original only kept the file of who came last.
func (m *migration) duplicates(g *migrating, v *seedVersion, kept int) {
	if v.number > 0 {
		if kept < len(v.contents)-1 {
			m.broken(g.source.Name, "", fmt.Sprintf("the last update is lost: the file is that of %s", whenWritten(v.contents[kept])))
		}
		return
	}
	for i, c := range v.contents {
		if i != kept {
			m.broken(g.source.Name, v.label(), fmt.Sprintf("it was written twice: the file is that of %s, the one of %s is lost",
				whenWritten(v.contents[kept]), whenWritten(c)))
		}
	}
}

// whenWritten names a record by its time and, where it is known, its author.
func whenWritten(c seedContent) string {
	u := c.updates[0]
	text := u.Time.Format("2006-01-02 15:04:05")
	if who := u.UserConfig["username"]; who != "" {
		text += " by " + who
	}
	return text
}

func (g *migrating) add(rec refs.VersionRecord, res *objects.Result) {
	g.records, g.results = append(g.records, rec), append(g.results, res)
}

// add lets an archive be registered with the next flush.
func (m *migration) add(g *migrating) {
	if !slices.Contains(m.pending, g) {
		m.pending = append(m.pending, g)
	}
}

func (m *migration) full() bool {
	return m.bytes >= migrateBytes || m.count >= migrateCount || len(m.pending) >= migrateCount
}

// flush registers what was read.
func (m *migration) flush(ctx context.Context) error {
	if err := m.writer.Flush(); err != nil {
		return err
	}
	for _, g := range m.pending {
		if err := m.register(ctx, g); err != nil {
			return err
		}
	}
	m.pending, m.count, m.bytes = nil, 0, 0
	return ctx.Err()
}

func (m *migration) register(ctx context.Context, g *migrating) error {
	if g.failed {
		return nil
	}
	if g.isNew || len(g.records) > 0 {
		err := m.writer.Add(ctx, &datafs.History{Archive: g.rec, Versions: g.records, Contents: g.results})
		if errors.Is(err, fs.ErrInvalid) || errors.Is(err, datafs.ErrConflict) {
			g.failed = true
			m.broken(g.source.Name, "", err.Error())
			return nil
		}
		if err != nil {
			return err
		}
	}
	m.registered(g)
	return nil
}

// registered counts what was registered, or would be, and tells of an archive
// that is done.
func (m *migration) registered(g *migrating) {
	for _, res := range g.results {
		if res != nil {
			g.item.Taken++
			m.rep.Versions++
		}
	}
	if g.item.Status = Unchanged; g.isNew || len(g.records) > 0 {
		g.changed = true
	}
	if g.changed {
		g.item.Status = Taken
	}
	if g.isNew {
		m.rep.Archives++
	}
	g.isNew, g.records, g.results = false, nil, nil
	if g.complete {
		m.tell(g.item)
	}
}
