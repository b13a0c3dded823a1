package checkout

import (
	"errors"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"

	"github.com/datafs/datafs/index"
)

// cloneFile makes a new file that shares its blocks with src (ioctl_ficlone(2)).
func cloneFile(src, dst string, mode fs.FileMode) error {
	in, err := index.OpenRead(src)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	if err := unix.IoctlFileClone(int(out.Fd()), int(in.Fd())); err != nil {
		return errors.Join(&os.PathError{Op: "clone", Path: dst, Err: err}, out.Close(), os.Remove(dst))
	}
	return out.Close()
}
