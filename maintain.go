package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/datafs/datafs/objects"
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
	copies, err := a.countCopies()
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
		st.Versions++
		st.Logical += rec.version.Size
	}
	return st, nil
}

// something is an archive of some table or, where version is set, one of its
// versions.
type something struct {
	archive string
	version *refs.VersionRecord
}

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
	db := refs.New(bolt, nil)
	if strings.HasSuffix(name, asideSuffix) {
		return asides(ctx, db, yield)
	}
	for arch, err := range db.Archives(ctx, "") {
		if err != nil {
			return fail(err)
		}
		if !yield(something{archive: arch.Name}, nil) {
			return false
		}
		versions, err := db.Versions(ctx, arch.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // deleted meanwhile
		}
		if err != nil {
			return fail(err)
		}
		for i := range versions {
			if versions[i].Number > 0 && i < len(versions)-1 {
				continue // replaced: nobody can read these contents any more
			}
			if !yield(something{arch.Name, &versions[i]}, nil) {
				return false
			}
		}
	}
	return true
}

// asides lists the versions of a table that has no archives.
func asides(ctx context.Context, db *refs.DB, yield func(something, error) bool) bool {
	for v, err := range db.AllVersions(ctx) {
		if !yield(something{v.Archive, &v}, err) || err != nil {
			return false
		}
	}
	return true
}

// CheckOptions say how deep Check looks.
type CheckOptions struct {
	Full bool // read and verify every chunk
}

// CheckReport is what Check found.
type CheckReport struct {
	Packs, Chunks      int64
	Bytes              int64 // of packs
	Archives, Versions int64
	Leftover           int64    // packs that an interrupted write left; GC takes care of them
	Problems           []string // what is damaged, for people; none: all is well
}

// Check looks for damage in the whole repository. It changes nothing. Damage is
// reported; an error means that it could not look.
func (a *API) Check(ctx context.Context, opts *CheckOptions) (CheckReport, error) {
	if opts == nil {
		opts = &CheckOptions{}
	}
	var rep CheckReport
	found := func(what string) { rep.Problems = append(rep.Problems, what) }
	if err := a.index.Check(ctx); err != nil {
		if !errors.Is(err, ErrCorrupt) {
			return rep, err
		}
		found(err.Error())
	}
	if err := a.bolt.Check(ctx); err != nil {
		if !errors.Is(err, ErrCorrupt) {
			return rep, err
		}
		found(err.Error())
	}
	if err := a.journalGone(); err != nil {
		if !errors.Is(err, ErrCorrupt) {
			return rep, err
		}
		found(err.Error())
	}
	content, err := a.store.CheckPacks(ctx, opts.Full, func(p objects.Problem) { found(p.What) })
	rep.Packs, rep.Chunks, rep.Bytes = content.Packs, content.Chunks, content.Bytes
	rep.Leftover = content.Leftover
	if err != nil && !errors.Is(err, ErrCorrupt) {
		return rep, err
	}
	return rep, a.checkVersions(ctx, &rep, found)
}

// checkVersions checks that what the versions need is there.
func (a *API) checkVersions(ctx context.Context, rep *CheckReport, found func(string)) error {
	var done objects.Marks
	for rec, err := range a.everything(ctx) {
		if errors.Is(err, ErrCorrupt) {
			found(err.Error())
			return nil
		}
		if err != nil {
			return err
		}
		if rec.version == nil {
			rep.Archives++
			continue
		}
		rep.Versions++
		check := a.store.CheckTree
		if rec.version.Place != "" { // what is not here is at the authority
			check = a.store.CheckPart
		}
		err := check(ctx, rec.version.Tree, &done)
		if errors.Is(err, ErrCorrupt) {
			found(fmt.Sprintf("%s version %s: %v", rec.archive, rec.version.Label(), err))
		} else if err != nil {
			return err
		}
	}
	return nil
}

// RebuildIndex makes the index anew from the packs and the journal, and before
// that the journal from the index, if only the journal is damaged. The old index
// is put aside, and back when the journal cannot be read. It returns what could
// not be read.
func (a *API) RebuildIndex(ctx context.Context) (problems []string, err error) {
	if err := a.bolt.Check(ctx); errors.Is(err, ErrCorrupt) && a.index.Check(ctx) == nil && a.bolt.Repair(ctx) == nil {
		a.opts.Warn("the journal was made anew from the index: " + err.Error())
	}
	at := a.index.Path()
	aside := at + ".old"
	noIndex := os.Rename(at, aside)
	if noIndex != nil && !errors.Is(noIndex, fs.ErrNotExist) {
		return nil, fmt.Errorf("put the index aside: %w", noIndex)
	}
	if err := a.bolt.Rebuild(ctx); err != nil {
		if noIndex == nil {
			err = errors.Join(err, os.Rename(aside, at))
		}
		return nil, err
	}
	err = a.store.Rebuild(ctx, func(p objects.Problem) { problems = append(problems, p.What) })
	if err != nil {
		return problems, err
	}
	if err := os.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return problems, err
	}
	return problems, nil
}

// GCReport says what GC did.
type GCReport struct {
	objects.GCReport
	Copies, CopyBytes int64 // whole files for checkouts that were removed, and their bytes
}

// journalGone refuses a repository that has content, and no journal that could
// name it: then every pack would look like garbage.
func (a *API) journalGone() error {
	journal := filepath.Join(a.where.Repo, "journal")
	left, err := os.ReadDir(journal)
	if len(left) > 0 || (err != nil && !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	packs, err := filepath.Glob(filepath.Join(a.where.Repo, "packs", "*", "*"))
	if err == nil && len(packs) > 0 {
		err = fmt.Errorf("%w: there is content, but the journal %s is gone", ErrCorrupt, journal)
	}
	return err
}

// GC removes content that no version needs, gathers small packs, and removes the
// whole files that checkouts shared from and share no more. With dry
// it only says what it would do. Updates wait for it; reads do not.
func (a *API) GC(ctx context.Context, dry bool) (rep GCReport, err error) {
	if rep.GCReport, err = a.collect(ctx, dry, func(*refs.VersionRecord) bool { return false }); err != nil {
		return rep, err
	}
	copies, err := a.removeCopies(ctx, dry)
	rep.Copies, rep.CopyBytes = copies.Count, copies.Bytes
	return rep, err
}

// collect removes the content that no version needs, but for those that are
// given up.
func (a *API) collect(ctx context.Context, dry bool, givenUp func(*refs.VersionRecord) bool) (objects.GCReport, error) {
	if err := a.journalGone(); err != nil {
		return objects.GCReport{}, err
	}
	return a.store.GC(ctx, dry, func(m *objects.Marks) error {
		for rec, err := range a.everything(ctx) {
			if err != nil {
				return err
			}
			if rec.version == nil || givenUp(rec.version) {
				continue
			}
			mark := m.Mark
			if rec.version.Place != "" { // what is not here is at the authority
				mark = m.MarkPart
			}
			if err := mark(ctx, a.store, rec.version.Tree); err != nil {
				return fmt.Errorf("%s version %s: %w", rec.archive, rec.version.Label(), err)
			}
		}
		return nil
	})
}
