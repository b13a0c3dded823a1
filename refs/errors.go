package refs

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/index"
)

// ErrConflict is wrapped by errors that say that a record is not what the
// caller last saw: somebody else changed, created or deleted it meanwhile.
var ErrConflict = errors.New("changed meanwhile")

// ErrUnavailable is wrapped by errors of a manager's or an authority's network or
// server that another try may cure.
var ErrUnavailable = errors.New("unavailable")

// ErrCorrupt is index.ErrCorrupt: what was read is not what was written.
var ErrCorrupt = index.ErrCorrupt

// A textError has a text that is interface (users and scripts know it by
// heart), so the kind of error is found by errors.Is and never printed.
type textError struct {
	text string
	kind error
}

func (e *textError) Error() string { return e.text }
func (e *textError) Unwrap() error { return e.kind }

func notFound(format string, args ...any) error {
	return &textError{fmt.Sprintf(format, args...), fs.ErrNotExist}
}

func exists(format string, args ...any) error {
	return &textError{fmt.Sprintf(format, args...), fs.ErrExist}
}

func invalid(format string, args ...any) error {
	return &textError{fmt.Sprintf(format, args...), fs.ErrInvalid}
}

func conflict(format string, args ...any) error {
	return &textError{fmt.Sprintf(format, args...), ErrConflict}
}
