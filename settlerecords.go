package datafs

import (
	"context"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/refs"
)

// records are the archives and versions that dependencies are looked for in:
// where there are many, all were read at once.
type records struct {
	db       *refs.DB
	archives map[string]refs.Archive // nil: each is read when it is looked for
	versions map[string][]refs.VersionRecord
}

func (a *API) records(ctx context.Context, list []refs.Requirement) (*records, error) {
	r := &records{db: a.refs}
	if len(list) < bulkFrom {
		return r, nil
	}
	wanted := namesOf(list)
	r.archives, r.versions = map[string]refs.Archive{}, map[string][]refs.VersionRecord{}
	for rec, err := range a.refs.Archives(ctx, "") {
		if err != nil {
			return nil, err
		}
		if wanted[rec.Name] {
			r.archives[rec.Name] = refs.Archive{Name: rec.Name, Authority: rec.Authority, Versioned: rec.Versioned}
		}
	}
	for v, err := range a.refs.AllVersions(ctx) {
		if err != nil {
			return nil, err
		}
		if wanted[v.Archive] {
			r.versions[v.Archive] = append(r.versions[v.Archive], withoutHistory(&v))
		}
	}
	for _, versions := range r.versions {
		slices.SortFunc(versions, func(v, w refs.VersionRecord) int { return v.Version.Compare(w.Version) })
	}
	return r, nil
}

func (r *records) archive(ctx context.Context, name string) (refs.Archive, error) {
	if r.archives == nil {
		return r.db.Archive(ctx, name)
	}
	rec, ok := r.archives[name]
	if !ok {
		return rec, fs.ErrNotExist
	}
	return rec, nil
}

// list gives the versions of an archive that is versioned, ascending.
func (r *records) list(ctx context.Context, name string) ([]refs.VersionRecord, error) {
	if r.archives == nil {
		return r.db.Versions(ctx, name)
	}
	return r.versions[name], nil
}

func (r *records) version(ctx context.Context, name string, v refs.Version) (refs.VersionRecord, error) {
	if r.archives == nil {
		return r.db.Version(ctx, name, v)
	}
	i := slices.IndexFunc(r.versions[name], func(rec refs.VersionRecord) bool { return rec.Version == v })
	if i < 0 {
		return refs.VersionRecord{}, fs.ErrNotExist
	}
	return r.versions[name][i], nil
}
