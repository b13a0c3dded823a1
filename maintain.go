package datafs

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/datafs/datafs/objects/checkout"
	"github.com/datafs/datafs/refs"
)

// Stats says what a repository holds.
type Stats struct {
	Archives int64
	Versions int64
	Logical  int64 // bytes of all versions' contents, each counted in full
	Unique   int64 // bytes of the different chunks
	Stored   int64 // bytes that the packs take on disk
	Packs    int64
	Chunks   int64

	Copies, CopyBytes int64 // whole files that checkouts share from, and their bytes
}

// Stats counts the archives of all tables, their versions and the bytes.
func (a *API) Stats(ctx context.Context) (st Stats, err error) {
	content, err := a.store.Stats(ctx)
	if err != nil {
		return st, err
	}
	st.Unique, st.Stored, st.Packs, st.Chunks = content.Raw, content.Stored, content.Packs, content.Chunks
	copies, err := checkout.CountCopies(a.Repo())
	if err != nil {
		return st, err
	}
	st.Copies, st.CopyBytes = copies.Count, copies.Bytes
	for rec, err := range a.everything(ctx) {
		if err != nil {
			return st, err
		}
		if rec.version == nil {
			st.Archives++
			continue
		}
		if !rec.replaced.IsZero() {
			continue
		}
		st.Versions++
		st.Logical += rec.version.Size
	}
	return st, nil
}

// something is an archive of some table or, where version is set, one of its
// versions.
type something struct {
	table    string
	archive  string
	home     string // the authority that the archive belongs to
	version  *refs.VersionRecord
	replaced time.Time // when other contents took the place of these, which nobody can read any more; else zero
}

// name returns how messages name a version.
func (s something) name() string { return s.archive + "==" + s.version.Label() }

// everything lists the archives of all tables, each followed by its versions.
func (a *API) everything(ctx context.Context) iter.Seq2[something, error] {
	return func(yield func(something, error) bool) {
		tables, err := a.bolt.Tables(ctx)
		if err != nil {
			yield(something{}, err)
			return
		}
		for _, t := range tables {
			if !a.table(ctx, t, yield) {
				return
			}
		}
	}
}

func (a *API) table(ctx context.Context, name string, yield func(something, error) bool) bool {
	fail := func(err error) bool {
		yield(something{}, err)
		return false
	}
	bolt, err := a.tableOf(name)
	if err != nil {
		return fail(err)
	}
	if strings.HasSuffix(name, asideSuffix) {
		return asides(ctx, name, refs.New(bolt, nil), yield)
	}
	for c, err := range bolt.Complete(ctx) {
		if err != nil {
			return fail(err)
		}
		if !yield(something{table: name, archive: c.Archive.Name, home: c.Archive.Authority}, nil) {
			return false
		}
		for i := range c.Versions {
			thing := something{table: name, archive: c.Archive.Name, home: c.Archive.Authority, version: &c.Versions[i]}
			if c.Versions[i].Number > 0 && i < len(c.Versions)-1 {
				thing.replaced = c.Versions[i+1].Updates[0].Time
			}
			if !yield(thing, nil) {
				return false
			}
		}
	}
	return true
}

// asides lists the versions of a table that has no archives.
func asides(ctx context.Context, name string, db *refs.DB, yield func(something, error) bool) bool {
	for v, err := range db.AllVersions(ctx) {
		if !yield(something{table: name, archive: v.Archive, version: &v}, err) || err != nil {
			return false
		}
	}
	return true
}
