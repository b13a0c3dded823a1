package pack

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

// KeepAside gives the file of a pack another name, in the directory quarantine.
func (p *Dir) KeepAside(id index.ID) error {
	dir := filepath.Join(p.root, Quarantine)
	made := os.Mkdir(dir, 0o700)
	if made != nil && !errors.Is(made, fs.ErrExist) {
		return fmt.Errorf("quarantine: %w", made)
	}
	at := filepath.Join(dir, id.String())
	err := os.Link(p.Path(id), at)
	for n := 1; errors.Is(err, fs.ErrExist); n++ { // it was damaged before, and is again
		at = filepath.Join(dir, fmt.Sprintf("%s.%d", id, n))
		err = os.Link(p.Path(id), at)
	}
	if err != nil {
		err = copyFile(p.Path(id), at) // there are filesystems without links
	}
	if err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	return errors.Join(leaf.SyncDir(dir), leaf.SyncDir(p.root))
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
