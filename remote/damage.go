package remote

import (
	"errors"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// AtAuthority returns an error about damage with a hint that what is damaged, or missing,
// is at an authority, and others as they are.
func AtAuthority(err error) error {
	if errors.Is(err, objects.ErrCorrupt) {
		return &leaf.HintError{
			Err:  err,
			Hint: "the damage is at the authority, not here: its operator may have a copy; whoever still has the content can store and push it again",
		}
	}
	return err
}
