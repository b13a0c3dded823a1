package index

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/gofrs/flock"
)

// errLink is a file of a repository that is a link: somebody else may have put
// it there, to have another file read or written.
var errLink error = linkError{}

type linkError struct{}

func (linkError) Error() string        { return "it is a link, and a repository's files never are" }
func (linkError) Is(target error) bool { return target == fs.ErrPermission }

// OpenFile is os.OpenFile for the files of a repository: a link in the place of
// the file is an error of the kind fs.ErrPermission, where the system can tell.
func OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := os.OpenFile(name, flag|noFollow, perm)
	return f, NotFollowed(err)
}

// NotFollowed makes the error of a file that was not opened because it is a link
// say so. Other errors stay what they are.
func NotFollowed(err error) error {
	var at *fs.PathError
	if noFollow != 0 && errors.Is(err, syscall.ELOOP) && errors.As(err, &at) {
		return &fs.PathError{Op: at.Op, Path: at.Path, Err: errLink}
	}
	return err
}

// OpenRead opens a file of a repository for reading, as OpenFile does.
func OpenRead(name string) (*os.File, error) { return OpenFile(name, os.O_RDONLY, 0) }

// LockFlags make a lock that does not follow a link in the place of its file.
func LockFlags() flock.Option { return flock.SetFlag(os.O_RDONLY | os.O_CREATE | noFollow) }
