package transfer

import (
	"errors"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// ErrDamageHere is the kind of an error about content of a tree that is damaged, or
// missing, in the repository.
var ErrDamageHere = errors.New("damage in the repository")

// hurt says of an error about damage that it is in the repository.
func hurt(err error) error {
	if errors.Is(err, objects.ErrCorrupt) {
		return leaf.Mark(err, ErrDamageHere)
	}
	return err
}
