package refs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

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
	Dependencies Dependencies      // nil: those of the version before
	Resolved     map[string]string // as Update has it; counts with Dependencies only
	UserConfig   map[string]string
}

// AddVersion records new contents as the next version of an archive: its bump of
// the latest one, whatever others do meanwhile, so none is lost and no number is
// given twice. prev is the version that was the latest before, nil if there was
// none. Where that has the same contents, nothing is made, created is false and
// the record is prev's. The bump is ignored for an unversioned archive.
//
// Empty contents make no version unless they are allowed: the error wraps
// fs.ErrInvalid, as do those of Bump and those for required user config that is
// missing.
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
		return invalid(`no version made of archive "%s": the contents are empty`, Printable(nv.Archive))
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
			Message: nv.Message, Dependencies: nv.Dependencies, Resolved: nv.Resolved, UserConfig: filled(nv.UserConfig), Time: d.now().UTC(),
			Bump: nv.Bump, Prerelease: nv.Prerelease,
		}},
	}
	if nv.Dependencies == nil && prev != nil {
		rec.Updates[0].Dependencies, rec.Updates[0].Resolved = prev.Last().Dependencies, prev.Last().Resolved
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
	value, err := EncodeVersion(rec)
	if err != nil {
		return err
	}
	rev, err := m.Put(ctx, rec.Key(), value, Absent)
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
	if undo := m.Delete(ctx, rec.Key(), rev); undo != nil && !errors.Is(undo, fs.ErrNotExist) {
		return errors.Join(err, undo)
	}
	return err
}
