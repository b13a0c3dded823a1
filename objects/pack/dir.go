package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"syscall"

	"github.com/datafs/datafs/index"
)

// Names in a repository's directory.
const (
	packsDir   = "packs"
	Temp       = "tmp"        // files being written
	Quarantine = "quarantine" // damaged packs
)

// Dirs returns the directories that a new repository has.
func Dirs() []string { return []string{packsDir, Temp} }

// Path returns the name of the file of a pack.
func (p *Dir) Path(id index.ID) string {
	name := id.String()
	return filepath.Join(p.root, packsDir, name[:2], name)
}

// MakeRoot makes the directory of packs, where it is missing.
func (p *Dir) MakeRoot() error {
	if err := os.Mkdir(p.Root(), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// Root returns the directory of packs.
func (p *Dir) Root() string { return filepath.Join(p.root, packsDir) }

// IDs lists the packs that are on disk.
func (p *Dir) IDs() iter.Seq2[index.ID, error] { return p.Files(nil) }

// Files is IDs, and calls stray, where it is not nil, with the name below the
// repository of everything else that is there.
func (p *Dir) Files(stray func(name string)) iter.Seq2[index.ID, error] {
	if stray == nil {
		stray = func(string) {}
	}
	return func(yield func(index.ID, error) bool) {
		root := p.Root()
		subs, err := os.ReadDir(root)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: the directory %s is missing", index.ErrCorrupt, root)
		}
		if err != nil {
			yield(index.ID{}, err)
			return
		}
		for _, sub := range subs {
			if !sub.IsDir() || !isPackDir(sub.Name()) {
				stray(filepath.Join(packsDir, sub.Name()))
				continue
			}
			files, err := os.ReadDir(filepath.Join(root, sub.Name()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				yield(index.ID{}, err)
				return
			}
			for _, f := range files {
				id, err := index.ParseID(f.Name())
				if err != nil || f.Name() != id.String() || f.Name()[:2] != sub.Name() || !f.Type().IsRegular() {
					stray(filepath.Join(packsDir, sub.Name(), f.Name()))
					continue
				}
				if !yield(id, nil) {
					return
				}
			}
		}
	}
}

// isPackDir reports whether a directory of packs may have the name.
func isPackDir(name string) bool {
	hex := func(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
	return len(name) == 2 && hex(name[0]) && hex(name[1])
}

// Exists reports whether the file of a pack is there.
func (p *Dir) Exists(id index.ID) bool {
	fi, err := os.Stat(p.Path(id))
	return err == nil && fi.Mode().IsRegular()
}

// Table reads the table of a pack and checks that it is the pack named.
func (p *Dir) Table(id index.ID) (size int64, entries []index.Entry, err error) {
	f, err := index.OpenRead(p.Path(id))
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return 0, nil, err
	}
	got, entries, err := ReadTable(f, fi.Size())
	if err == nil && got != id {
		err = fmt.Errorf("it is pack %s", got)
	}
	switch {
	case Unreadable(err):
		err = fmt.Errorf("pack %s: %w", id, err)
	case err != nil:
		err = fmt.Errorf("%w: pack %s: %w", index.ErrCorrupt, id, err)
	}
	return fi.Size(), entries, err
}

// Unreadable reports whether an error says that a file could not be read now,
// for want of permission or because of the disk: that is no damage. A file that is
// not there, or too short, is damaged.
func Unreadable(err error) bool {
	var number syscall.Errno
	return errors.As(err, &number) && !errors.Is(err, fs.ErrNotExist)
}
