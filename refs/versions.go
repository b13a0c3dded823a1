package refs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

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
	for r, err := range m.List(ctx, VersionsPrefix(a.Name)) {
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
	v, err := DecodeVersion(best)
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
	for r, err := range d.m.List(ctx, VersionsPrefix(archive)) {
		if err != nil {
			return nil, fmt.Errorf("reading the versions of archive %q: %w", archive, err)
		}
		v, err := DecodeVersion(r)
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
	return DecodeVersion(r)
}

// Latest gives the highest version of an archive that is not yanked, pre-releases
// included, or the last one written where it is unversioned. The error wraps
// fs.ErrNotExist when the archive is not there or has no versions; it is an
// *AllYankedError when all are yanked.
func (d *DB) Latest(ctx context.Context, archive string) (VersionRecord, error) {
	a, v, err := d.highest(ctx, archive)
	if err != nil || v.Yanked() == nil {
		return v, err
	}
	return highestGood(ctx, d.m, a)
}

// Highest is Latest, but yanked versions count, too: the next version comes after
// it.
func (d *DB) Highest(ctx context.Context, archive string) (VersionRecord, error) {
	_, v, err := d.highest(ctx, archive)
	return v, err
}

func (d *DB) highest(ctx context.Context, archive string) (Archive, VersionRecord, error) {
	a, err := loadArchive(ctx, d.m, archive)
	if err != nil {
		return Archive{}, VersionRecord{}, err
	}
	v, _, err := latest(ctx, d.m, a.Archive)
	if err == nil && v == nil {
		err = notFound(`Archive "%s" has no versions`, archive)
	}
	if err != nil {
		return Archive{}, VersionRecord{}, err
	}
	return a.Archive, *v, nil
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
