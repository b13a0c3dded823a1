package datafs

import (
	"errors"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
)

// The kinds of errors, for errors.Is, besides the standard ones: fs.ErrNotExist
// (no such archive, version, profile or file), fs.ErrExist, fs.ErrInvalid (a
// name, version or option that cannot be), fs.ErrPermission, and the errors of
// a context.
var (
	ErrConflict = refs.ErrConflict   // somebody else was faster
	ErrCorrupt  = index.ErrCorrupt   // stored bytes are not what was written
	ErrBusy     = index.ErrBusy      // another process holds the repository too long
	ErrChanged  = objects.ErrChanged // a file changed while it was read
	ErrEmpty    = errors.New("no contents")
	ErrReadOnly = remote.ErrReadOnly // what cannot be written; it is an fs.ErrPermission, too
)

// HintError is an error with a line that says what to do about it.
type HintError = leaf.HintError
