package refs

import (
	"context"
	"errors"
	"io/fs"
	"iter"
)

// SetPlaces notes where at the authority the trees of versions lie. Versions
// that are gone, or have other contents by now, are left as they are.
func (d *DB) SetPlaces(ctx context.Context, versions []VersionRecord) error {
	const batch = 1000 // records written together
	for len(versions) > 0 {
		n := min(len(versions), batch)
		err := d.change(ctx, func(m Manager) error {
			for _, v := range versions[:n] {
				if err := setPlace(ctx, m, v); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		versions = versions[n:]
	}
	return nil
}

func setPlace(ctx context.Context, m Manager, v VersionRecord) error {
	r, err := m.Get(ctx, v.Key())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	now, err := DecodeVersion(r)
	if err != nil {
		return err
	}
	if now.Tree != v.Tree || now.Place == v.Place || v.Place == "" {
		return nil
	}
	now.Place = v.Place
	value, err := EncodeVersion(now)
	if err != nil {
		return err
	}
	_, err = m.Put(ctx, r.Key, value, r.Rev)
	return err
}

// SetAuthority says where the contents of an archive belong from now on.
func (d *DB) SetAuthority(ctx context.Context, name, authority string) error {
	return d.editArchive(ctx, name, func(_ Manager, a *Archive) error {
		a.Authority = authority
		return nil
	})
}

// AllVersions lists all versions, whether they have an archive or not.
func (d *DB) AllVersions(ctx context.Context) iter.Seq2[VersionRecord, error] {
	return func(yield func(VersionRecord, error) bool) {
		for r, err := range d.m.List(ctx, VersionPrefix) {
			var v VersionRecord
			if err == nil {
				v, err = DecodeVersion(r)
			}
			if !yield(v, err) || err != nil {
				return
			}
		}
	}
}
