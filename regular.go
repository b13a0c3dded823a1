package datafs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// openRegular opens a file that is read to its end before anything is done: a
// configuration, requirements, a lock. What is no regular file is refused
// unopened, since a pipe would be waited for and a device may never end. The
// null device is an empty file, as elsewhere; what the process was given open,
// such as /dev/stdin or <(COMMAND), the caller has meant.
func openRegular(path string) (*os.File, error) {
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().IsRegular() || isNullDevice(fi) {
		return os.Open(path)
	}
	if fd, ok := Descriptor(path); ok && !fi.IsDir() {
		return OpenDescriptor(fd, path)
	}
	return nil, leaf.Errorf(fs.ErrInvalid, "%s is a %s, not a file", path, objects.KindOf(fi.Mode()))
}

// isNullDevice says whether a file is the null device.
func isNullDevice(fi fs.FileInfo) bool {
	if fi.Mode()&fs.ModeDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err == nil && os.SameFile(fi, null)
}

// makeDirs is os.MkdirAll, and makes the names of what it made last, where the
// directory above lets it.
func makeDirs(dir string, mode fs.FileMode) error {
	var made []string
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Lstat(d); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, d)
	}
	if err := os.MkdirAll(dir, mode); err != nil {
		return err
	}
	for _, d := range made {
		_ = leaf.SyncDir(filepath.Dir(d))
	}
	return nil
}

// OpenDescriptor opens again, at the same place, what the process was given open.
func OpenDescriptor(fd int, name string) (*os.File, error) {
	f, err := duplicate(fd, name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return f, nil
}
