package remote

import (
	"errors"

	"github.com/datafs/datafs/objects"
)

// DamageThere is an error about what is damaged, or missing, at an authority.
type DamageThere struct{ Err error }

func (e *DamageThere) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *DamageThere) Unwrap() error { return e.Err }

// Hint returns what can be done about it.
func (*DamageThere) Hint() string {
	return "the damage is at the authority, not here: its operator may have a copy; whoever still has the content can store and push it again"
}

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

// there says of an error about damage that it is at the authority.
func there(err error) error {
	if errors.Is(err, objects.ErrCorrupt) {
		return &DamageThere{err}
	}
	return err
}
