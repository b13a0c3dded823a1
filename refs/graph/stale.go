package graph

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"

	"github.com/datafs/datafs/refs"
)

// Stale says that an archive was made with a version of another one
// that is no longer the newest.
type Stale struct {
	Archive    string
	Version    string // its latest that was not yanked; "" of an archive without versions
	Dependency string
	Used       string // the version that was recorded
	Newest     string // the highest one now: the highest release where that is newer, else the highest pre-release
	Change     string // the number that was raised: "patch", "minor", "major"; "prerelease": the stage, or to one
	Unpinned   bool   // the dependency names no version: Used is what it stood for when it was recorded
}

// FindStale lists what archives depend on and is newer now, by name; with a nil list, of
// all archives. Yanked versions are never newer. It reads all versions once, or only
// those of the archives that are named and of what they depend on.
func FindStale(ctx context.Context, db *refs.DB, archives []string) ([]Stale, error) {
	list := []Stale{}
	all, err := lookedAt(ctx, db, archives)
	if err != nil {
		return nil, err
	}
	if archives == nil {
		archives = slices.Collect(maps.Keys(all))
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(archives))) {
		if all[name] == nil {
			continue // without contents
		}
		for _, d := range all[name].deps {
			if s, ok := newerThan(d, all[d.name]); ok {
				s.Archive, s.Version = name, all[name].label()
				list = append(list, s)
			}
		}
	}
	return list, nil
}

// lookedAt reads what FindStale must know.
func lookedAt(ctx context.Context, db *refs.DB, archives []string) (map[string]*overview, error) {
	if archives == nil {
		return overviews(ctx, db)
	}
	all := map[string]*overview{}
	for _, name := range archives {
		if err := overviewOf(ctx, db, name, all); err != nil {
			return nil, err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, d := range all[name].deps {
			if err := overviewOf(ctx, db, d.name, all); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
		}
	}
	return all, nil
}

// overviewOf reads the versions of one archive, once.
func overviewOf(ctx context.Context, db *refs.DB, name string, all map[string]*overview) error {
	if all[name] != nil {
		return nil
	}
	list, err := db.Versions(ctx, name)
	for i := range list {
		addTo(all, &list[i])
	}
	return err
}

// newerThan finds out whether there is something newer than what was used.
func newerThan(d madeWith, o *overview) (s Stale, ok bool) {
	used, err := refs.ParseVersion(d.version)
	if err != nil || o == nil || o.number > 0 {
		return s, false
	}
	newest := o.release
	if newest.Compare(used) <= 0 {
		newest = o.newest
	}
	if newest.Compare(used) <= 0 {
		return s, false
	}
	return Stale{
		Dependency: d.name, Used: used.String(), Newest: newest.String(), Change: change(used, newest), Unpinned: d.unpinned,
	}, true
}

// change says what was raised between two versions.
func change(from, to refs.Version) string {
	switch {
	case to.Stage != refs.Release:
		return "prerelease"
	case to.Major != from.Major:
		return "major"
	case to.Minor != from.Minor:
		return "minor"
	case to.Patch != from.Patch:
		return "patch"
	}
	return "prerelease"
}
