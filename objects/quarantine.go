package objects

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
)

// keepAside gives the file of a pack another name, in the directory quarantine.
func (s *Store) keepAside(id ID) error {
	dir := filepath.Join(s.dir, quarantineDir)
	made := os.Mkdir(dir, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return fmt.Errorf("quarantine: %w", made)
	}
	at := filepath.Join(dir, id.String())
	err := os.Link(packPath(s.dir, id), at)
	for n := 1; errors.Is(err, fs.ErrExist); n++ { // it was damaged before, and is again
		at = filepath.Join(dir, fmt.Sprintf("%s.%d", id, n))
		err = os.Link(packPath(s.dir, id), at)
	}
	if err != nil {
		err = copyFile(packPath(s.dir, id), at) // there are filesystems without links
	}
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return errors.Join(leaf.SyncDir(dir), leaf.SyncDir(s.dir))
}

func copyFile(from, to string) (err error) {
	src, err := index.OpenRead(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	return errors.Join(err, dst.Sync(), dst.Close())
}
