package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// bulkFrom is how many requirements make it worth while to read through all
// records once rather than to look for each archive, unless there are bulkRatio
// times as many archives: looking for one takes as long as passing that many.
const (
	bulkFrom  = 500
	bulkRatio = 20
)

// universe is what there is to choose from: the records here, as the resolver
// sees them. Of many archives only the numbers are kept.
type universe struct {
	a     *API
	deps  bool // dependencies are wanted
	bulk  bool // all records were read through at once
	keep  bool // the records are kept
	known map[string]*knownArchive
}

// knownArchive is what the universe has read of an archive.
type knownArchive struct {
	rec  refs.Archive // without metadata
	list []refs.Candidate
	deps map[refs.Version]refs.Update // of the versions that depend on something
	recs []refs.VersionRecord         // without their history, where they are kept
}

// universe prepares to resolve requirements, and checks that the authorities
// that they name are those of their archives.
func (a *API) universe(ctx context.Context, list []refs.Requirement, deps bool) (*universe, error) {
	u, err := a.universeOf(ctx, list, deps)
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if r.Authority == "" {
			continue
		}
		if err := u.checkAuthority(ctx, r); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// universeOf reads what the requirements name at once, if that is much.
func (a *API) universeOf(ctx context.Context, list []refs.Requirement, deps bool) (*universe, error) {
	u := &universe{a: a, deps: deps, bulk: len(list) >= bulkFrom, keep: len(list) < bulkFrom, known: map[string]*knownArchive{}}
	if !u.bulk {
		return u, nil
	}
	return u, u.readAll(ctx, namesOf(list))
}

// emptyUniverse reads archives one by one, and keeps their records where
// dependencies are wanted.
func (a *API) emptyUniverse(deps bool) *universe {
	return &universe{a: a, deps: deps, keep: deps, known: map[string]*knownArchive{}}
}

func namesOf(list []refs.Requirement) map[string]bool {
	names := make(map[string]bool, len(list))
	for _, r := range list {
		names[r.Name] = true
	}
	return names
}

func (u *universe) checkAuthority(ctx context.Context, r refs.Requirement) error {
	if err := u.a.knownAuthority(r.Authority); err != nil {
		return err
	}
	k, err := u.archive(ctx, r.Name)
	if err == nil && k.rec.Authority != r.Authority {
		err = leaf.Errorf(fs.ErrNotExist, `Archive "%s" not found on %s. Did you mean "%s://%s"?`, r.Name, r.Authority, k.rec.Authority, r.Name)
	}
	return err
}

// readAll reads the numbers of archives in one go: of some or, where there may
// be dependencies on any, of all. Where there are too many beside some, it reads
// none; without names all are wanted.
func (u *universe) readAll(ctx context.Context, only map[string]bool) error {
	passed := 0
	for rec, err := range u.a.refs.Archives(ctx, "") {
		if err != nil {
			return err
		}
		if passed++; only != nil && passed > bulkRatio*len(only) {
			u.bulk, u.keep = false, true
			clear(u.known)
			return nil // they are read when they are looked for
		}
		if u.deps || only[rec.Name] {
			u.known[rec.Name] = newKnown(rec)
		}
	}
	for v, err := range u.a.refs.AllVersions(ctx) {
		if err != nil {
			return err
		}
		if k := u.known[v.Archive]; k != nil {
			u.add(k, &v)
		}
	}
	for _, k := range u.known {
		slices.SortFunc(k.list, func(x, y refs.Candidate) int { return x.Version.Compare(y.Version) })
	}
	return nil
}

func newKnown(rec refs.Archive) *knownArchive {
	return &knownArchive{rec: refs.Archive{Name: rec.Name, Authority: rec.Authority, Versioned: rec.Versioned}}
}

// add takes a version in. Of an unversioned archive the last state counts.
func (u *universe) add(k *knownArchive, v *refs.VersionRecord) {
	if k.rec.Versioned || len(k.list) == 0 {
		k.list = append(k.list, refs.Candidate{Version: v.Version, Yanked: v.Yanked() != nil})
	}
	if u.keep {
		k.recs = append(k.recs, withoutHistory(v))
	}
	if !u.deps {
		return
	}
	last := v.Last()
	if len(last.Dependencies) == 0 {
		delete(k.deps, v.Version)
		return
	}
	if k.deps == nil {
		k.deps = map[refs.Version]refs.Update{}
	}
	k.deps[v.Version] = refs.Update{Dependencies: last.Dependencies, Resolved: last.Resolved}
}

func withoutHistory(v *refs.VersionRecord) refs.VersionRecord {
	rec := *v
	rec.Updates = nil
	return rec
}

// archive reads an archive, once.
func (u *universe) archive(ctx context.Context, name string) (*knownArchive, error) {
	if k := u.known[name]; k != nil {
		return k, nil
	}
	rec, err := u.a.refs.Archive(ctx, name)
	if err != nil {
		return nil, err
	}
	k := newKnown(rec)
	list, err := u.a.refs.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	for i := range list {
		u.add(k, &list[i])
	}
	u.known[name] = k
	return k, nil
}

// Candidates implements refs.Universe.
func (u *universe) Candidates(ctx context.Context, name string) ([]refs.Candidate, bool, error) {
	k, err := u.archive(ctx, name)
	if err != nil {
		return nil, false, err
	}
	return k.list, k.rec.Versioned, nil
}

// Dependencies implements refs.Universe.
func (u *universe) Dependencies(ctx context.Context, name string, v refs.Version) ([]refs.Requirement, error) {
	k, err := u.archive(ctx, name)
	if err != nil {
		return nil, err
	}
	list, err := dependencyList(k.deps[v].Dependencies)
	if err != nil {
		return nil, fmt.Errorf("dependencies of %s %s: %w", name, v, err)
	}
	return list, nil
}

// dependencyList turns recorded dependencies into requirements, by name: an
// exact number is a pin, all else takes any version.
func dependencyList(deps refs.Dependencies) ([]refs.Requirement, error) {
	var list []refs.Requirement
	for _, name := range slices.Sorted(maps.Keys(deps)) {
		r := refs.Requirement{Name: name}
		if text := deps[name]; text != nil && *text != latest {
			v, err := refs.ParseVersion(*text)
			if err != nil {
				return nil, err
			}
			r.Version = &v
		}
		list = append(list, r)
	}
	return list, nil
}

// records finds the records of what was chosen.
func (u *universe) records(ctx context.Context, choices []refs.Choice, pins map[string]lockPin) ([]Chosen, error) {
	list := make([]Chosen, len(choices))
	at := make(map[string]int, len(choices))
	for i, c := range choices {
		k, err := u.archive(ctx, c.Name)
		if err != nil {
			return nil, err
		}
		if list[i] = (Chosen{Archive: u.a.handle(k.rec), Why: whyTexts(c.Why)}); u.deps {
			list[i].reasons = c.Why
		}
		at[c.Name] = i
		for j := range k.recs {
			list[i].take(&k.recs[j], choices[i], pins)
		}
	}
	if !u.keep {
		for v, err := range u.a.refs.AllVersions(ctx) {
			if err != nil {
				return nil, err
			}
			if i, ok := at[v.Archive]; ok {
				list[i].take(&v, choices[i], pins)
			}
		}
	}
	for i := range list {
		if list[i].Record.Archive == "" {
			return nil, errNotHere(choices[i]) // or deleted meanwhile
		}
	}
	return list, nil
}

func errNotHere(c refs.Choice) error {
	if c.Unversioned {
		return leaf.Errorf(fs.ErrNotExist, `Archive "%s" has no versions`, c.Name)
	}
	return leaf.Errorf(fs.ErrNotExist, `Archive "%s" version %s not found`, c.Name, c.Version)
}

// take sets the record if it is the chosen one. Of an unversioned archive that
// is the state in the lock, where it is still known, else the last one.
func (c *Chosen) take(v *refs.VersionRecord, choice refs.Choice, pins map[string]lockPin) {
	if !choice.Unversioned {
		if v.Version == choice.Version {
			c.Record = withoutHistory(v)
		}
		return
	}
	pin, ok := pins[choice.Name]
	same := func(rec *refs.VersionRecord) bool { return ok && !pin.versioned && rec.Tree == pin.tree }
	if c.Record.Archive == "" || same(v) || !same(&c.Record) && v.Number > c.Record.Number {
		c.Record = withoutHistory(v)
	}
}

// has says whether the archive has a version.
func (k *knownArchive) has(v refs.Version) bool {
	return slices.ContainsFunc(k.list, func(c refs.Candidate) bool { return c.Version == v })
}

// best is the highest version that a requirement allows and that is not
// yanked; ok is false where there is none.
func (k *knownArchive) best(r refs.Requirement) (v refs.Version, ok bool) {
	for _, c := range slices.Backward(k.list) {
		if (!c.Yanked || r.Version != nil) && r.Allows(c.Version) {
			return c.Version, true
		}
	}
	return v, false
}

// lookup is archive, but gives nil where there is none.
func (u *universe) lookup(ctx context.Context, name string) (*knownArchive, error) {
	k, err := u.archive(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return k, err
}
