package solve

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/datafs/datafs/index"
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

// Records is what there is to choose from: the records of a repository. It reads each
// archive once. Of many archives it keeps only the numbers. It is not for concurrent use.
type Records struct {
	db    *refs.DB
	deps  bool // dependencies are wanted
	bulk  bool // all records were read through at once
	keep  bool // the records are kept
	known map[string]*Archive
}

// Archive is what Records has of an archive.
type Archive struct {
	Record   refs.Archive         // name, authority and whether it is versioned
	Versions []Candidate          // from the lowest; of an unversioned archive one, if it has a state
	Records  []refs.VersionRecord // without their history; nil if they are many

	deps map[refs.Version]refs.Update // of the versions that depend on something
}

// Pin is the version in a lock: a number or, of an unversioned archive, the tree.
type Pin struct {
	Versioned bool
	Version   refs.Version
	Tree      index.ID
}

// Chosen is one version that was chosen.
type Chosen struct {
	Archive refs.Archive       // name, authority and whether it is versioned
	Record  refs.VersionRecord // without its history
	Reasons []Reason           // what asked for it
}

// NewRecords returns what requirements choose from, with deps also for dependencies. It
// reads what they name at once, if that is much.
func NewRecords(ctx context.Context, db *refs.DB, list []Requirement, deps bool) (*Records, error) {
	u := &Records{db: db, deps: deps, bulk: len(list) >= bulkFrom, keep: len(list) < bulkFrom, known: map[string]*Archive{}}
	if !u.bulk {
		return u, nil
	}
	return u, u.readAll(ctx, namesOf(list))
}

// AllRecords returns what any n archives, and their dependencies, choose from. It reads
// all records at once if n is large.
func AllRecords(ctx context.Context, db *refs.DB, n int) (*Records, error) {
	u := &Records{db: db, deps: true, keep: true, known: map[string]*Archive{}}
	if n < bulkFrom {
		return u, nil
	}
	return u, u.readAll(ctx, nil)
}

func namesOf(list []Requirement) map[string]bool {
	names := make(map[string]bool, len(list))
	for _, r := range list {
		names[r.Name] = true
	}
	return names
}

// CheckAuthority refuses an authority that is not the archive's; the error wraps
// fs.ErrNotExist.
func (u *Records) CheckAuthority(ctx context.Context, r Requirement) error {
	k, err := u.Archive(ctx, r.Name)
	if err == nil && k.Record.Authority != r.Authority {
		err = leaf.Errorf(fs.ErrNotExist, `Archive "%s" not found on %s. Did you mean "%s://%s"?`, r.Name, r.Authority, k.Record.Authority, r.Name)
	}
	return err
}

// readAll reads the numbers of archives in one go: of some or, where there may
// be dependencies on any, of all. Where there are too many beside some, it reads
// none; without names all are wanted.
func (u *Records) readAll(ctx context.Context, only map[string]bool) error {
	passed := 0
	for rec, err := range u.db.Archives(ctx, "") {
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
	for v, err := range u.db.AllVersions(ctx) {
		if err != nil {
			return err
		}
		if k := u.known[v.Archive]; k != nil {
			u.add(k, &v)
		}
	}
	for _, k := range u.known {
		slices.SortFunc(k.Versions, func(x, y Candidate) int { return x.Version.Compare(y.Version) })
	}
	return nil
}

func newKnown(rec refs.Archive) *Archive {
	return &Archive{Record: refs.Archive{Name: rec.Name, Authority: rec.Authority, Versioned: rec.Versioned}}
}

// add takes a version in. Of an unversioned archive the last state counts.
func (u *Records) add(k *Archive, v *refs.VersionRecord) {
	if k.Record.Versioned || len(k.Versions) == 0 {
		k.Versions = append(k.Versions, Candidate{Version: v.Version, Yanked: v.Yanked() != nil})
	}
	if u.keep {
		k.Records = append(k.Records, withoutHistory(v))
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

// Archive reads an archive, once. The error wraps fs.ErrNotExist if there is none.
func (u *Records) Archive(ctx context.Context, name string) (*Archive, error) {
	if k := u.known[name]; k != nil {
		return k, nil
	}
	rec, err := u.db.Archive(ctx, name)
	if err != nil {
		return nil, err
	}
	k := newKnown(rec)
	list, err := u.db.Versions(ctx, name)
	if err != nil {
		return nil, err
	}
	for i := range list {
		u.add(k, &list[i])
	}
	u.known[name] = k
	return k, nil
}

// Candidates implements Universe.
func (u *Records) Candidates(ctx context.Context, name string) ([]Candidate, bool, error) {
	k, err := u.Archive(ctx, name)
	if err != nil {
		return nil, false, err
	}
	return k.Versions, k.Record.Versioned, nil
}

// Dependencies implements Universe.
func (u *Records) Dependencies(ctx context.Context, name string, v refs.Version) ([]Requirement, error) {
	k, err := u.Archive(ctx, name)
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
func dependencyList(deps refs.Dependencies) ([]Requirement, error) {
	var list []Requirement
	for _, name := range slices.Sorted(maps.Keys(deps)) {
		r := Requirement{Name: name}
		if text := deps[name]; text != nil && *text != latestText {
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
func (u *Records) records(ctx context.Context, choices []Choice, pins map[string]Pin) ([]Chosen, error) {
	list := make([]Chosen, len(choices))
	at := make(map[string]int, len(choices))
	for i, c := range choices {
		k, err := u.Archive(ctx, c.Name)
		if err != nil {
			return nil, err
		}
		list[i] = Chosen{Archive: k.Record, Reasons: c.Why}
		at[c.Name] = i
		for j := range k.Records {
			list[i].take(&k.Records[j], choices[i], pins)
		}
	}
	if !u.keep {
		for v, err := range u.db.AllVersions(ctx) {
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

func errNotHere(c Choice) error {
	if c.Unversioned {
		return leaf.Errorf(fs.ErrNotExist, `Archive "%s" has no versions`, c.Name)
	}
	return leaf.Errorf(fs.ErrNotExist, `Archive "%s" version %s not found`, c.Name, c.Version)
}

// take sets the record if it is the chosen one. Of an unversioned archive that
// is the state in the lock, where it is still known, else the last one.
func (c *Chosen) take(v *refs.VersionRecord, choice Choice, pins map[string]Pin) {
	if !choice.Unversioned {
		if v.Version == choice.Version {
			c.Record = withoutHistory(v)
		}
		return
	}
	pin, ok := pins[choice.Name]
	same := func(rec *refs.VersionRecord) bool { return ok && !pin.Versioned && rec.Tree == pin.Tree }
	if c.Record.Archive == "" || same(v) || !same(&c.Record) && v.Number > c.Record.Number {
		c.Record = withoutHistory(v)
	}
}

// Dependencies returns what a version depends on, if Records reads dependencies.
func (k *Archive) Dependencies(v refs.Version) refs.Update { return k.deps[v] }

// Has reports whether the archive has a version.
func (k *Archive) Has(v refs.Version) bool {
	return slices.ContainsFunc(k.Versions, func(c Candidate) bool { return c.Version == v })
}

// Best returns the highest version that a requirement allows and that is not
// yanked; ok is false where there is none.
func (k *Archive) Best(r Requirement) (v refs.Version, ok bool) {
	for _, c := range slices.Backward(k.Versions) {
		if (!c.Yanked || r.Version != nil) && r.Allows(c.Version) {
			return c.Version, true
		}
	}
	return v, false
}

// Lookup is Archive, but returns nil if there is none.
func (u *Records) Lookup(ctx context.Context, name string) (*Archive, error) {
	k, err := u.Archive(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return k, err
}
