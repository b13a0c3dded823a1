package refs

import (
	"context"
	"iter"
)

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
