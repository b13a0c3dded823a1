//go:build !linux && !darwin

package checkout

import (
	"errors"
	"io/fs"
	"os"
)

// cloneFile cannot be done here.
func cloneFile(_, dst string, _ fs.FileMode) error {
	return &os.PathError{Op: "clone", Path: dst, Err: errors.ErrUnsupported}
}
