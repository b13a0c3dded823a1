//go:build !linux

package dir

import (
	"errors"
	"os"
)

// renameNew would rename a file below root to a name that no file has.
func renameNew(*os.Root, string, string) error { return errors.ErrUnsupported }
