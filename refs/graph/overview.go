package graph

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/datafs/datafs/refs"
)

// madeWith is a dependency as a version has it.
type madeWith struct {
	name     string
	version  string // "" where no number was pinned and none is known
	unpinned bool   // the number is only what it stood for when it was recorded
}

// recordedDependencies lists the dependencies of a version, by name.
func recordedDependencies(rec *refs.VersionRecord) []madeWith {
	last := rec.Last()
	list := make([]madeWith, 0, len(last.Dependencies))
	for _, name := range slices.Sorted(maps.Keys(last.Dependencies)) {
		d := madeWith{name: name}
		if v := last.Dependencies[name]; v != nil && *v != "latest" {
			d.version = canonical(*v)
		} else {
			d.version, d.unpinned = last.Resolved[name], true
		}
		list = append(list, d)
	}
	return list
}

// canonical is the printed form of a version: dependencies are not always ours.
func canonical(version string) string {
	v, err := refs.ParseVersion(version)
	if err != nil {
		return version
	}
	return v.String()
}

// overview is what one pass over all versions keeps of an archive.
type overview struct {
	version refs.Version // of the latest version that is not yanked
	number  int
	deps    []madeWith // its
	release refs.Version
	newest  refs.Version // pre-releases included
}

func (o *overview) label() string {
	if o.number > 0 {
		return ""
	}
	return o.version.String()
}

// add takes in another version of the archive.
func (o *overview) add(rec *refs.VersionRecord) {
	if cmp.Or(cmp.Compare(rec.Number, o.number), rec.Version.Compare(o.version)) > 0 {
		o.version, o.number, o.deps = rec.Version, rec.Number, recordedDependencies(rec)
	}
	if rec.Version.Compare(o.newest) > 0 {
		o.newest = rec.Version
	}
	if rec.Version.Stage == refs.Release && rec.Version.Compare(o.release) > 0 {
		o.release = rec.Version
	}
}

// overviews reads all versions once. Yanked ones do not count; an archive with
// no others is left out.
func overviews(ctx context.Context, db *refs.DB) (map[string]*overview, error) {
	all := map[string]*overview{}
	for rec, err := range db.AllVersions(ctx) {
		if err != nil {
			return nil, err
		}
		addTo(all, &rec)
	}
	return all, nil
}

func addTo(all map[string]*overview, rec *refs.VersionRecord) {
	if rec.Yanked() != nil {
		return
	}
	if all[rec.Archive] == nil {
		all[rec.Archive] = &overview{}
	}
	all[rec.Archive].add(rec)
}
