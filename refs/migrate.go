package refs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/index"
)

// AddMigrated writes an archive and versions of it as they were recorded
// elsewhere: numbers, times, users and messages stay. Their content must be
// stored already. What the team requires of new archives is not asked, as these
// are not new. An archive that is here keeps its properties; a version that is
// here (SameVersion) gets the updates that it lacks. So the call may be repeated.
//
// The error wraps fs.ErrInvalid for a name, a number or a text that cannot be,
// ErrConflict when the archive is here and of the other kind, or the version with
// other contents. Then nothing has changed.
func (d *DB) AddMigrated(ctx context.Context, a Archive, versions []VersionRecord) error {
	a, err := d.prepare(a)
	if err != nil {
		return err
	}
	versions = slices.Clone(versions)
	seen := map[string]bool{}
	for i := range versions {
		v := &versions[i]
		v.Archive = a.Name
		if err := v.checkMigrated(a.Versioned); err != nil {
			return fmt.Errorf("version %s of archive %q: %w", v.Label(), a.Name, err)
		}
		if seen[v.Key()] {
			return invalid(`version %s of archive "%s" is there twice`, v.Label(), a.Name)
		}
		seen[v.Key()] = true
	}
	return d.change(ctx, func(m Manager) error { return addMigrated(ctx, m, a, versions) })
}

// checkMigrated finds what is wrong with a record by itself.
func (v VersionRecord) checkMigrated(versioned bool) error {
	switch {
	case versioned && (v.Number != 0 || v.Version.IsZero()), !versioned && (v.Number <= 0 || !v.Version.IsZero()):
		return invalid("the number cannot be")
	case v.Tree.IsZero() || v.Hash == index.ID{} || v.Size < 0 || v.Files < 0:
		return invalid("there is no content")
	case len(v.Updates) == 0:
		return invalid("there is no record of its writing")
	}
	for _, u := range v.Updates {
		nv := NewVersion{AllowEmpty: true, Checksums: v.Checksums, Message: u.Message, Dependencies: u.Dependencies, UserConfig: u.UserConfig}
		if err := errors.Join(nv.check(), checkBumpWords(u.Bump, u.Prerelease)); err != nil {
			return err
		}
	}
	return nil
}

// addMigrated is one try of AddMigrated. All is looked at before anything is
// written.
func addMigrated(ctx context.Context, m Manager, a Archive, versions []VersionRecord) error {
	now, err := loadLive(ctx, m, a.Name)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return err
	}
	if !isNew && now.Versioned != a.Versioned {
		return conflict(`Archive "%s" is here already, and is not of the same kind: one is versioned, the other is not`, a.Name)
	}
	changes := make([]migrated, len(versions))
	for i, v := range versions {
		if changes[i], err = lookMigrated(ctx, m, v); err != nil {
			return err
		}
	}
	if isNew {
		if err := CheckNewName(a.Name); err != nil {
			return err
		}
		value, err := EncodeArchive(a)
		if err != nil {
			return err
		}
		if _, err := m.Put(ctx, ArchiveKey(a.Name), value, Absent); err != nil {
			return fmt.Errorf("writing archive %q: %w", a.Name, err)
		}
		now.Archive = a
	}
	for _, c := range changes {
		if err := c.store(ctx, m, now); err != nil {
			return err
		}
	}
	return nil
}

// migrated is a version's record to write, in place of the one at prev.
type migrated struct {
	rec  VersionRecord
	prev Rev
	same bool // there is nothing to write
}

// lookMigrated says what becomes of a version.
func lookMigrated(ctx context.Context, m Manager, v VersionRecord) (migrated, error) {
	r, err := m.Get(ctx, v.Key())
	if errors.Is(err, fs.ErrNotExist) {
		_, err := EncodeVersion(v)
		return migrated{rec: v}, err
	}
	if err != nil {
		return migrated{}, fmt.Errorf("reading version %s of archive %q: %w", v.Label(), v.Archive, err)
	}
	here, err := DecodeVersion(r)
	if err != nil {
		return migrated{}, err
	}
	if !SameVersion(here, v) {
		return migrated{}, conflict(`Archive "%s" has another version %s`, v.Archive, v.Label())
	}
	merged := MergeVersions(v, here)
	_, err = EncodeVersion(merged)
	return migrated{merged, r.Rev, len(merged.Updates) == len(here.Updates)}, err
}

func (c migrated) store(ctx context.Context, m Manager, a loaded) error {
	switch {
	case c.same:
		return nil
	case c.prev == Absent:
		return putVersion(ctx, m, a, c.rec)
	}
	value, err := EncodeVersion(c.rec)
	if err != nil {
		return err
	}
	if _, err := m.Put(ctx, c.rec.Key(), value, c.prev); err != nil {
		return fmt.Errorf("writing version %s of archive %q: %w", c.rec.Label(), c.rec.Archive, err)
	}
	return nil
}
