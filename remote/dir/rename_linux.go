package dir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// renameNew renames a file below root to a name that no file has.
func renameNew(root *os.Root, from, to string) error {
	source, err := root.Open(filepath.Dir(from))
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := root.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer target.Close()
	err = unix.Renameat2(int(source.Fd()), filepath.Base(from), int(target.Fd()), filepath.Base(to), unix.RENAME_NOREPLACE)
	if err == unix.EINVAL {
		return fmt.Errorf("renameat2: %w", errors.ErrUnsupported) // the filesystem does not know the flag
	}
	return err
}
