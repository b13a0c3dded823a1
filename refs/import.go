package refs

import (
	"context"
	"errors"
	"fmt"
)

// NewArchive is one archive of ImportAll with its contents.
type NewArchive struct {
	Archive Archive
	Version NewVersion // whose Archive is set from Archive.Name

	// ImportAll fills these in: whether the archive was made, and what
	// AddVersion gave.
	Made    bool
	Record  VersionRecord
	Created bool
}

// importBatch is how many archives are imported in one transaction.
const importBatch = 5000

// ImportAll makes an archive for each element of list and adds a version to it,
// or only adds a version where the archive is there already, whose other
// properties then stay as they are. Each element is on its own terms: the errors
// come by slot, nil for what was done, and no error leaves anything of its
// element. The second error means that the manager failed; then elements may be
// done or not, each wholly or without its version, and the call may be repeated.
//
// Where the manager is Atomic, thousands are done in one transaction.
func (d *DB) ImportAll(ctx context.Context, list []NewArchive) ([]error, error) {
	errs := make([]error, len(list))
	for from := 0; from < len(list); from += importBatch {
		to := min(from+importBatch, len(list))
		if err := d.importSome(ctx, list[from:to], errs[from:to]); err != nil {
			return errs, fmt.Errorf("importing archives: %w", err)
		}
	}
	return errs, nil
}

func (d *DB) importSome(ctx context.Context, list []NewArchive, errs []error) error {
	a, ok := d.m.(Atomic)
	if !ok {
		return d.importEach(ctx, list, errs, d)
	}
	return a.Atomic(ctx, func(m Manager) error {
		return d.importEach(ctx, list, errs, &DB{m: m, now: d.now})
	})
}

// importEach imports one by one through db.
func (d *DB) importEach(ctx context.Context, list []NewArchive, errs []error, db *DB) error {
	for i := range list {
		if errs[i] = db.importOne(ctx, &list[i]); errs[i] != nil && !Refused(errs[i]) {
			return errs[i]
		}
	}
	return nil
}

func (d *DB) importOne(ctx context.Context, na *NewArchive) error {
	a, err := d.prepare(na.Archive)
	if err != nil {
		return err
	}
	nv := na.Version
	nv.Archive = a.Name
	if err := nv.check(); err != nil {
		return err
	}
	if err := d.CheckUserConfig(ctx, nv.UserConfig); err != nil {
		return err
	}
	err = d.change(ctx, func(m Manager) error {
		a, na.Made, err = create(ctx, m, a, true)
		return err
	})
	if err != nil {
		return err
	}
	na.Archive = a
	na.Record, _, na.Created, err = d.AddVersion(ctx, nv)
	if err != nil && na.Made && Refused(err) {
		na.Made = false
		return errors.Join(err, d.Delete(ctx, a.Name))
	}
	return err
}
