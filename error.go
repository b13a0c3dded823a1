package datafs

import (
	"errors"
	"fmt"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
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
	ErrReadOnly = errors.New("read-only")
)

// kindError is an error whose text users know, with the kind of error that
// programs ask for.
type kindError struct {
	text string
	kind error
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.kind }

func errorf(kind error, format string, args ...any) error {
	return &kindError{fmt.Sprintf(format, args...), kind}
}

// HintError is an error with a line that says what to do about it.
type HintError struct {
	Err  error
	Hint string
}

func (e *HintError) Error() string { return e.Err.Error() }
func (e *HintError) Unwrap() error { return e.Err }
