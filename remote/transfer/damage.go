package transfer

import (
	"errors"

	"github.com/datafs/datafs/objects"
)

// DamageHere is an error about content of a tree that is damaged, or missing, in
// the repository.
type DamageHere struct{ Err error }

func (e *DamageHere) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *DamageHere) Unwrap() error { return e.Err }

// hurt says of an error about damage that it is in the repository.
func hurt(err error) error {
	if errors.Is(err, objects.ErrCorrupt) {
		return &DamageHere{err}
	}
	return err
}
