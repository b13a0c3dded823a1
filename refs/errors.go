package refs

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
)

// ErrConflict is wrapped by errors that say that a record is not what the
// caller last saw: somebody else changed, created or deleted it meanwhile.
var ErrConflict = errors.New("changed meanwhile")

// ErrUnavailable is wrapped by errors of a manager's or an authority's network or
// server that another try may cure.
var ErrUnavailable = errors.New("unavailable")

// ErrCorrupt is index.ErrCorrupt: what was read is not what was written.
var ErrCorrupt = index.ErrCorrupt

// errRefused is the kind of a conflict that is a message to the user.
var errRefused = fmt.Errorf("refused: %w", ErrConflict)

// Refused reports whether a manager refused a change on its own terms: it did not fail.
func Refused(err error) bool {
	return errors.Is(err, ErrConflict) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid)
}

func notFound(format string, args ...any) error {
	return leaf.Errorf(fs.ErrNotExist, format, args...)
}

func exists(format string, args ...any) error {
	return leaf.Errorf(fs.ErrExist, format, args...)
}

func invalid(format string, args ...any) error {
	return leaf.Errorf(fs.ErrInvalid, format, args...)
}

func conflict(format string, args ...any) error {
	return leaf.Errorf(errRefused, format, args...)
}
