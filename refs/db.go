package refs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"strings"
	"time"
)

// Options say how a DB works.
type Options struct {
	Now func() time.Time // nil is time.Now
}

// DB is the rules of archives and versions on top of a Manager. It keeps
// nothing itself, so any number of DBs, in any number of processes, may work on
// one manager at once. Its methods are safe for concurrent use.
//
// Names are normalised ones, as ParseName gives them; another form of a name is
// not found. After an error nothing has changed, except where an error says
// otherwise, and where the manager failed in the middle of Delete or ImportAll.
type DB struct {
	m   Manager
	now func() time.Time
}

// New makes a DB on m.
func New(m Manager, opts *Options) *DB {
	d := &DB{m: m, now: time.Now}
	if opts != nil && opts.Now != nil {
		d.now = opts.Now
	}
	return d
}

// maxAttempts bounds the retries of one change. Whoever loses a race loses it to
// somebody who went on, so a hundred processes are far from it; a manager that
// shows old records for ever is not.
const maxAttempts = 1000

// change calls fn until it does not lose a race against somebody else. Where
// the manager can, fn runs alone, and once.
func (d *DB) change(ctx context.Context, fn func(Manager) error) error {
	if a, ok := d.m.(Atomic); ok {
		return a.Atomic(ctx, fn)
	}
	var err error
	for range maxAttempts {
		err = fn(d.m)
		if !lostRace(err) || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// lostRace tells a conflict between two writers of one record, which another
// try resolves, from one that is a message to the user.
func lostRace(err error) bool {
	return errors.Is(err, ErrConflict) && !errors.Is(err, errRefused)
}

// Read calls fn with a DB that shows all records as they are at one moment, where
// the manager can. It is for fn only, not concurrently, and reads only.
func (d *DB) Read(ctx context.Context, fn func(*DB) error) error {
	s, ok := d.m.(Snapshotter)
	if !ok {
		return fn(d)
	}
	return s.Snapshot(ctx, func(m Manager) error { return fn(&DB{m: m, now: d.now}) })
}

// Write calls fn with a DB that is for fn only, not concurrently. Where the manager
// can, its changes become visible together when fn returns nil, and none of them when
// it returns an error.
func (d *DB) Write(ctx context.Context, fn func(*DB) error) error {
	return d.change(ctx, func(m Manager) error { return fn(&DB{m: m, now: d.now}) })
}

// CreateOptions say what Create does beyond the usual.
type CreateOptions struct {
	ExistOK bool // give the archive that is there instead of an error
}

// Create makes an archive without versions. What the team requires is enforced:
// metadata, user config and the form of the name. Tags are lowered, and those
// given twice dropped. The error wraps fs.ErrExist when the name is taken, and
// nothing of the existing archive changes.
func (d *DB) Create(ctx context.Context, a Archive, opts *CreateOptions) (Archive, error) {
	a, err := d.prepare(a)
	if err != nil {
		return Archive{}, err
	}
	var made Archive
	err = d.change(ctx, func(m Manager) error {
		made, _, err = create(ctx, m, a, opts != nil && opts.ExistOK)
		return err
	})
	if err != nil {
		return Archive{}, err
	}
	return made, nil
}

// prepare checks what can be checked of a new archive by itself.
func (d *DB) prepare(a Archive) (Archive, error) {
	authority, name, err := ParseName(a.Name)
	if err != nil {
		return a, err
	}
	if a.Name = name; authority != "" {
		a.Authority = authority
	}
	if a.Authority != "" {
		if err := CheckAuthorityName(a.Authority); err != nil {
			return a, err
		}
	}
	if err := errors.Join(checkMap("metadata", a.Metadata), checkMap("user config", a.UserConfig), checkNewTags(nil, a.Tags)); err != nil {
		return a, err
	}
	if a.Tags = cleanTags(a.Tags); a.Created.IsZero() {
		a.Created = d.now()
	}
	a.Created = a.Created.UTC()
	a.Metadata, a.UserConfig = filled(a.Metadata), filled(a.UserConfig)
	return a, nil
}

func create(ctx context.Context, m Manager, a Archive, existOK bool) (Archive, bool, error) {
	old, err := loadArchive(ctx, m, a.Name)
	if err == nil && existOK {
		return old.Archive, false, nil
	}
	if err == nil {
		return Archive{}, false, exists(`Archive "%s" already exists`, a.Name)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Archive{}, false, err
	}
	if err := CheckNewName(a.Name); err != nil {
		return Archive{}, false, err
	}
	spec, _, err := loadSpec(ctx, m)
	if err == nil {
		err = spec.checkArchive(a)
	}
	if err != nil {
		return Archive{}, false, err
	}
	value, err := EncodeArchive(a)
	if err != nil {
		return Archive{}, false, err
	}
	_, err = m.Put(ctx, ArchiveKey(a.Name), value, Absent)
	return a, err == nil, err
}

// loaded is an archive as a manager has it.
type loaded struct {
	Archive
	rev      Rev
	deleting bool // Delete has begun and not ended
}

func loadArchive(ctx context.Context, m Manager, name string) (loaded, error) {
	r, err := m.Get(ctx, ArchiveKey(name))
	if errors.Is(err, fs.ErrNotExist) {
		return loaded{}, notFound(`Archive "%s" not found`, Printable(name))
	}
	if err != nil {
		return loaded{}, fmt.Errorf("reading archive %q: %w", name, err)
	}
	a, deleting, err := DecodeArchive(r)
	return loaded{a, r.Rev, deleting}, err
}

// loadLive is loadArchive for a change, which an archive that is on its way out
// does not take.
func loadLive(ctx context.Context, m Manager, name string) (loaded, error) {
	a, err := loadArchive(ctx, m, name)
	if err == nil && a.deleting {
		err = conflict(`Archive "%s" is being deleted`, name)
	}
	return a, err
}

// Archive gives an archive. The error wraps fs.ErrNotExist when there is none.
func (d *DB) Archive(ctx context.Context, name string) (Archive, error) {
	a, err := loadArchive(ctx, d.m, name)
	return a.Archive, err
}

// Archives lists the archives whose names start with prefix, by name.
func (d *DB) Archives(ctx context.Context, prefix string) iter.Seq2[Archive, error] {
	return func(yield func(Archive, error) bool) {
		for r, err := range d.m.List(ctx, ArchivePrefix+prefix) {
			var a Archive
			if err == nil {
				a, _, err = DecodeArchive(r)
			}
			if !yield(a, err) || err != nil {
				return
			}
		}
	}
}

// Names lists the names of the archives that start with prefix, in byte order.
func (d *DB) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if list, ok := d.named(ctx, prefix, nil); ok {
			list(yield)
			return
		}
		for r, err := range d.m.List(ctx, ArchivePrefix+prefix) {
			if !yield(strings.TrimPrefix(r.Key, ArchivePrefix), err) || err != nil {
				return
			}
		}
	}
}

// Similar finds, for each name, the existing archives, and the other names, that
// SimilarName takes for alike. Names without any are left out.
func (d *DB) Similar(ctx context.Context, names ...string) (map[string][]string, error) {
	alike := map[string][]string{} // folded name -> the names asked for
	for _, name := range names {
		folded := FoldName(name)
		alike[folded] = append(alike[folded], name)
	}
	found := map[string][]string{}
	add := func(other string) {
		for _, name := range alike[FoldName(other)] {
			if name != other {
				found[name] = appendNew(found[name], other)
			}
		}
	}
	for other, err := range d.similar(ctx, maps.Keys(alike)) {
		if err != nil {
			return nil, err
		}
		add(other)
	}
	for _, other := range names {
		add(other)
	}
	return found, nil
}

// similar lists the archives whose names have one of some forms, and maybe others.
func (d *DB) similar(ctx context.Context, forms iter.Seq[string]) iter.Seq2[string, error] {
	n, ok := d.m.(Namer)
	if !ok {
		return d.Names(ctx, "")
	}
	return func(yield func(string, error) bool) {
		for form := range forms {
			list, ok, err := n.SimilarNames(ctx, form)
			if err == nil && !ok {
				d.Names(ctx, "")(yield)
				return
			}
			if err != nil {
				yield("", err)
				return
			}
			for _, name := range list {
				if !yield(name, nil) {
					return
				}
			}
		}
	}
}
