package checkout

import (
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// cloneFile makes a new file that shares its blocks with src (clonefile(2)).
func cloneFile(src, dst string, mode fs.FileMode) error {
	if err := unix.Clonefile(src, dst, 0); err != nil {
		return &os.PathError{Op: "clone", Path: dst, Err: err}
	}
	return os.Chmod(dst, mode&0o755) // the copy has the mode of the source
}
