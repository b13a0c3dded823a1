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

// AtAuthority returns an error about damage as a DamageThere, and others as they are.
func AtAuthority(err error) error {
	if errors.Is(err, objects.ErrCorrupt) {
		return &DamageThere{err}
	}
	return err
}
