package refs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/index"
)

// NewVersion is what AddVersion is to record.
type NewVersion struct {
	Archive   string
	Tree      index.ID          // of the content, which must be stored already
	Hash      index.ID          // BLAKE3 of the content
	Size      int64             // bytes
	Files     int64             // how many files
	Dir       bool              // a directory tree, not a single file
	Checksums map[string]string // further checksums in hex, by algorithm

	AllowEmpty bool // contents of no bytes are meant

	Bump       string   // "", "patch", "minor", "major"
	Prerelease string   // "", "alpha", "beta"
	Min        *Version // the highest number that was ever published, if one is known: the new one comes after it

	Message      *string
	Dependencies Dependencies // nil: those of the version before
	UserConfig   map[string]string
}

// AddVersion records new contents as the next version of an archive: its bump of
// the latest one, whatever others do meanwhile, so none is lost and no number is
// given twice. prev is the version that was the latest before, nil if there was
// none. Where that has the same contents, nothing is made, created is false and
// the record is prev's. The bump is ignored for an unversioned archive.
//
// Empty contents make no version unless they are allowed: the error wraps fs.ErrInvalid, as do those of
// Bump and those for required user config that is missing.
func (d *DB) AddVersion(ctx context.Context, nv NewVersion) (rec VersionRecord, prev *VersionRecord, created bool, err error) {
	if err := nv.check(); err != nil {
		return VersionRecord{}, nil, false, err
	}
	err = d.change(ctx, func(m Manager) error {
		rec, prev, created, err = d.addVersion(ctx, m, nv)
		return err
	})
	if err != nil {
		return VersionRecord{}, nil, false, err
	}
	return rec, prev, created, nil
}

// check finds what is wrong with nv by itself.
func (nv NewVersion) check() error {
	if !nv.AllowEmpty && !nv.Dir && nv.Size == 0 {
		return invalid(`no version made of archive "%s": the contents are empty`, printable(nv.Archive))
	}
	if nv.Message != nil {
		if err := checkText("message", *nv.Message); err != nil {
			return err
		}
	}
	if err := checkMap("checksum", nv.Checksums); err != nil {
		return err
	}
	if err := nv.Dependencies.check(); err != nil {
		return err
	}
	return checkMap("user config", nv.UserConfig)
}

func (deps Dependencies) check() error {
	for name, version := range deps {
		if err := checkText("dependency", name); err != nil {
			return err
		}
		if version != nil {
			if err := checkText("dependency", *version); err != nil {
				return err
			}
		}
	}
	return nil
}

// addVersion is one try of AddVersion.
func (d *DB) addVersion(ctx context.Context, m Manager, nv NewVersion) (VersionRecord, *VersionRecord, bool, error) {
	fail := func(err error) (VersionRecord, *VersionRecord, bool, error) { return VersionRecord{}, nil, false, err }
	a, err := loadLive(ctx, m, nv.Archive)
	if err != nil {
		return fail(err)
	}
	spec, _, err := loadSpec(ctx, m)
	if err == nil {
		err = firstMissing(spec.UserConfig, nv.UserConfig)
	}
	if err != nil {
		return fail(err)
	}
	prev, _, err := latest(ctx, m, a.Archive)
	if err != nil {
		return fail(err)
	}
	if prev != nil && prev.Hash == nv.Hash && prev.Dir == nv.Dir {
		return *prev, prev, false, nil
	}
	rec, err := d.next(a.Archive, prev, nv)
	if err != nil {
		return fail(err)
	}
	if err := putVersion(ctx, m, a, rec); err != nil {
		return fail(err)
	}
	return rec, prev, true, nil
}

// next makes the record that comes after prev.
func (d *DB) next(a Archive, prev *VersionRecord, nv NewVersion) (VersionRecord, error) {
	rec := VersionRecord{
		Archive: a.Name, Tree: nv.Tree, Hash: nv.Hash, Size: nv.Size, Files: nv.Files, Dir: nv.Dir, Checksums: filled(nv.Checksums),
		Updates: []Update{{
			Message: nv.Message, Dependencies: nv.Dependencies, UserConfig: filled(nv.UserConfig), Time: d.now().UTC(),
			Bump: nv.Bump, Prerelease: nv.Prerelease,
		}},
	}
	if nv.Dependencies == nil && prev != nil {
		rec.Updates[0].Dependencies = prev.Last().Dependencies
	}
	rec.Updates[0].Dependencies = filled(rec.Updates[0].Dependencies)
	if !a.Versioned {
		rec.Number = 1
		if prev != nil {
			rec.Number = prev.Number + 1
		}
		return rec, nil
	}
	var base Version
	if prev != nil {
		base = prev.Version
	}
	if nv.Min != nil && nv.Min.Compare(base) > 0 {
		base = *nv.Min
	}
	var err error
	rec.Version, err = base.Bump(nv.Bump, nv.Prerelease)
	return rec, err
}

// putVersion writes a new version, and takes it back when its archive was
// deleted, or deleted and made anew, meanwhile: see Delete.
func putVersion(ctx context.Context, m Manager, a loaded, rec VersionRecord) error {
	value, err := encodeVersion(rec)
	if err != nil {
		return err
	}
	rev, err := m.Put(ctx, rec.key(), value, Absent)
	if err != nil {
		return fmt.Errorf("registering version %s of archive %q: %w", rec.Label(), rec.Archive, err)
	}
	now, err := loadLive(ctx, m, rec.Archive)
	if err == nil && !now.Created.Equal(a.Created) {
		err = notFound(`Archive "%s" not found`, rec.Archive)
	}
	if err == nil || ctx.Err() != nil {
		return nil // it is there; whether the archive still is, the next reader sees
	}
	if undo := m.Delete(ctx, rec.key(), rev); undo != nil && !errors.Is(undo, fs.ErrNotExist) {
		return errors.Join(err, undo)
	}
	return err
}

// CheckBump finds out whether AddVersion would refuse a bump, before content is
// stored. For an unversioned archive nothing is refused.
func (d *DB) CheckBump(ctx context.Context, archive, bump, prerelease string) error {
	a, err := loadArchive(ctx, d.m, archive)
	if err != nil || !a.Versioned {
		return err
	}
	prev, _, err := latest(ctx, d.m, a.Archive)
	if err != nil {
		return err
	}
	var base Version
	if prev != nil {
		base = prev.Version
	}
	_, err = base.Bump(bump, prerelease)
	return err
}

// latest gives the highest version of an archive, nil when it has none.
func latest(ctx context.Context, m Manager, a Archive) (*VersionRecord, Rev, error) {
	var best Record
	var bestPlace place
	for r, err := range m.List(ctx, versionsPrefix(a.Name)) {
		if err != nil {
			return nil, Absent, fmt.Errorf("reading the versions of archive %q: %w", a.Name, err)
		}
		p, err := parsePlace(r.Key)
		if err != nil {
			return nil, Absent, err
		}
		if best.Key == "" || p.compare(bestPlace) > 0 {
			best, bestPlace = r, p
		}
	}
	if best.Key == "" {
		return nil, Absent, nil
	}
	v, err := decodeVersion(best)
	return &v, best.Rev, err
}

// place is where a version stands among those of its archive.
type place struct {
	version Version
	number  uint64
}

func parsePlace(key string) (p place, err error) {
	_, text, _ := strings.Cut(key, `\`)
	if digits, ok := strings.CutPrefix(text, "#"); ok {
		_, err = fmt.Sscanf(digits, "%d", &p.number)
	} else {
		p.version, err = ParseVersion(text)
	}
	if err != nil {
		return p, fmt.Errorf("record %q: %w: %w", key, ErrCorrupt, err)
	}
	return p, nil
}

func (p place) compare(q place) int {
	if p.number != q.number {
		if p.number < q.number {
			return -1
		}
		return 1
	}
	return p.version.Compare(q.version)
}

// Versions gives all versions of an archive, ascending, which is the order in
// which they were written. The error wraps fs.ErrNotExist when there is no such
// archive; an archive may have no versions.
func (d *DB) Versions(ctx context.Context, archive string) ([]VersionRecord, error) {
	if _, err := loadArchive(ctx, d.m, archive); err != nil {
		return nil, err
	}
	list := []VersionRecord{}
	for r, err := range d.m.List(ctx, versionsPrefix(archive)) {
		if err != nil {
			return nil, fmt.Errorf("reading the versions of archive %q: %w", archive, err)
		}
		v, err := decodeVersion(r)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(v, w VersionRecord) int {
		return place{v.Version, uint64(v.Number)}.compare(place{w.Version, uint64(w.Number)})
	})
	return list, nil
}

// Version gives one version of a versioned archive. The error wraps
// fs.ErrNotExist when the archive or the version is not there.
func (d *DB) Version(ctx context.Context, archive string, v Version) (VersionRecord, error) {
	r, err := d.m.Get(ctx, versionKey(archive, v))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := loadArchive(ctx, d.m, archive); err != nil {
			return VersionRecord{}, err
		}
		return VersionRecord{}, notFound(`Version "%s" not found in archive history`, v)
	}
	if err != nil {
		return VersionRecord{}, fmt.Errorf("reading version %s of archive %q: %w", v, archive, err)
	}
	return decodeVersion(r)
}

// Latest gives the highest version of an archive, pre-releases included, or the
// last one written where it is unversioned. The error wraps fs.ErrNotExist when
// the archive is not there or has no versions.
func (d *DB) Latest(ctx context.Context, archive string) (VersionRecord, error) {
	a, err := loadArchive(ctx, d.m, archive)
	if err != nil {
		return VersionRecord{}, err
	}
	v, _, err := latest(ctx, d.m, a.Archive)
	if err == nil && v == nil {
		err = notFound(`Archive "%s" has no versions`, archive)
	}
	if err != nil {
		return VersionRecord{}, err
	}
	return *v, nil
}

// History gives one entry per update, oldest first: each version's write and
// each change of its dependencies.
func (d *DB) History(ctx context.Context, archive string) ([]HistoryEntry, error) {
	versions, err := d.Versions(ctx, archive)
	if err != nil {
		return nil, err
	}
	entries := []HistoryEntry{}
	for _, v := range versions {
		updates := v.Updates
		v.Updates = nil
		for _, u := range updates {
			entries = append(entries, HistoryEntry{v, u})
		}
	}
	return entries, nil
}
