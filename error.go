package datafs

import (
	"errors"
	"io/fs"

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

// What a program may offer its user a way out of, each of a kind above.
var (
	ErrNoRepository = leaf.Errorf(fs.ErrNotExist, "no repository")
	ErrJournalGone  = leaf.Errorf(ErrCorrupt, "the journal is gone")
	ErrEmptyUpdate  = leaf.Errorf(ErrEmpty, "an update without contents") // UpdateOptions.AllowEmpty allows it
	ErrIsDir        = leaf.Errorf(fs.ErrInvalid, "a version is a directory, and a file was wanted")
	ErrNotEmpty     = leaf.Errorf(fs.ErrExist, "there are files where a directory is to be written") // Force overwrites them
	ErrMadeAgain    = leaf.Errorf(fs.ErrExist, "an archive of the name was made since")
	ErrEmptied      = leaf.Errorf(fs.ErrNotExist, "an authority that was in use is empty") // a push fills it again
	ErrBadLock      = leaf.Errorf(fs.ErrInvalid, "a lock that cannot be read")
	ErrLockDiffers  = leaf.Errorf(ErrCorrupt, "a lock that names other contents") // it was edited or damaged
	ErrNotPushed    = errors.New("a change is here, and not pushed")              // a push tries again
)

// HintError is an error with a line that says what to do about it.
type HintError = leaf.HintError
