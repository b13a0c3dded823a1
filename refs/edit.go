package refs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// editArchive changes an archive's record until no other writer is in between.
func (d *DB) editArchive(ctx context.Context, name string, edit func(Manager, *Archive) error) error {
	return d.change(ctx, func(m Manager) error {
		a, err := loadLive(ctx, m, name)
		if err != nil {
			return err
		}
		before, err := EncodeArchive(a.Archive)
		if err != nil {
			return err
		}
		if err := edit(m, &a.Archive); err != nil {
			return err
		}
		after, err := EncodeArchive(a.Archive)
		if err != nil || string(before) == string(after) {
			return err
		}
		if _, err := m.Put(ctx, ArchiveKey(name), after, a.rev); err != nil {
			return fmt.Errorf("changing archive %q: %w", name, err)
		}
		return nil
	})
}

// UpdateMetadata sets keys of an archive's metadata and keeps the others. nil
// removes a key, unless it is required. Concurrent updates of other keys are
// kept.
func (d *DB) UpdateMetadata(ctx context.Context, archive string, set map[string]*string) error {
	for k, v := range set {
		if err := checkText("metadata", k); err != nil {
			return err
		}
		if v != nil {
			if err := checkText("metadata", *v); err != nil {
				return err
			}
		}
	}
	return d.editArchive(ctx, archive, func(m Manager, a *Archive) error {
		return setMetadata(ctx, m, a, set)
	})
}

func setMetadata(ctx context.Context, m Manager, a *Archive, set map[string]*string) error {
	var spec Spec
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if value := set[key]; value != nil {
			a.Metadata[key] = *value
			continue
		}
		if spec.Metadata == nil {
			var err error
			if spec, _, err = loadSpec(ctx, m); err != nil {
				return err
			}
		}
		if _, required := spec.Metadata[key]; required {
			return invalid(`Cannot remove required metadata attribute "%s"`, key)
		}
		delete(a.Metadata, key)
	}
	return nil
}

// AddTags adds tags in lower case; one that is there already stays in its place.
func (d *DB) AddTags(ctx context.Context, archive string, tags ...string) error {
	return d.editArchive(ctx, archive, func(_ Manager, a *Archive) error {
		if err := checkNewTags(a.Tags, tags); err != nil {
			return err
		}
		a.Tags = cleanTags(append(a.Tags, tags...))
		return nil
	})
}

// DeleteTags removes tags, whatever their case. One that is not there is no error.
func (d *DB) DeleteTags(ctx context.Context, archive string, tags ...string) error {
	gone := cleanTags(tags)
	return d.editArchive(ctx, archive, func(_ Manager, a *Archive) error {
		a.Tags = slices.DeleteFunc(a.Tags, func(tag string) bool { return slices.Contains(gone, strings.ToLower(tag)) })
		return nil
	})
}

// SetDependencies replaces the dependencies of the latest version, for an empty
// list with none. No other version, number or content changes; the history gets
// an entry with the same message. The error wraps fs.ErrNotExist when the archive
// is not there or has no versions.
func (d *DB) SetDependencies(ctx context.Context, archive string, deps Dependencies, resolved, userConfig map[string]string) error {
	if err := errors.Join(deps.check(), checkMap("user config", userConfig)); err != nil {
		return err
	}
	return d.change(ctx, func(m Manager) error {
		a, err := loadLive(ctx, m, archive)
		if err != nil {
			return err
		}
		v, rev, err := latest(ctx, m, a.Archive)
		if err != nil {
			return err
		}
		if v == nil {
			return notFound("Cannot set dependencies on an empty archive")
		}
		u := v.Last()
		u.Dependencies, u.Resolved, u.UserConfig, u.Time = filled(deps), resolved, filled(userConfig), d.now().UTC()
		v.Updates = append(v.Updates, u)
		value, err := EncodeVersion(*v)
		if err != nil {
			return err
		}
		if _, err := m.Put(ctx, v.Key(), value, rev); err != nil {
			return fmt.Errorf("setting dependencies of archive %q: %w", archive, err)
		}
		return nil
	})
}

// Delete removes an archive and its versions, after which a new one of that name
// starts empty. The error wraps fs.ErrNotExist when there is none.
//
// The archive is marked first, so that nobody adds a version any more: who has
// put one before sees it swept here, who puts one later sees the mark and takes
// it back. Its record goes last, so what a crash leaves can be deleted again.
func (d *DB) Delete(ctx context.Context, archive string) error {
	return d.change(ctx, func(m Manager) error {
		a, err := loadArchive(ctx, m, archive)
		if err != nil {
			return err
		}
		if !a.deleting {
			value, err := encodeArchive(a.Archive, true)
			if err != nil {
				return err
			}
			if a.rev, err = m.Put(ctx, ArchiveKey(archive), value, a.rev); err != nil {
				return fmt.Errorf("deleting archive %q: %w", archive, err)
			}
		}
		if err := deleteVersions(ctx, m, archive); err != nil {
			return fmt.Errorf("deleting archive %q: %w", archive, err)
		}
		if err := m.Delete(ctx, ArchiveKey(archive), a.rev); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("deleting archive %q: %w", archive, err)
		}
		return nil
	})
}

func deleteVersions(ctx context.Context, m Manager, archive string) error {
	for r, err := range m.List(ctx, VersionsPrefix(archive)) {
		if err != nil {
			return err
		}
		if err := m.Delete(ctx, r.Key, r.Rev); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
