package datafs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

const manifestHint = "remove that file and check out again: files with the right content are taken over, others are named"

// readManifest reads the manifest of a directory; where there is none it is
// empty. root may be nil.
func readManifest(root *os.Root, dir string) (*manifest, error) {
	if root == nil {
		return &manifest{}, nil
	}
	name := filepath.Join(dir, manifestName)
	b, err := readAtMost(root, manifestName, maxManifest)
	if errors.Is(err, fs.ErrNotExist) {
		return &manifest{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	m, err := decodeManifest(b)
	if errors.Is(err, ErrCorrupt) {
		return nil, &HintError{fmt.Errorf("read %s: %w", name, err), manifestHint}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return m, nil
}

func readAtMost(root *os.Root, name string, limit int64) ([]byte, error) {
	if fi, err := root.Stat(name); err == nil && !fi.Mode().IsRegular() {
		return nil, leaf.Errorf(ErrCorrupt, "it is a %s, not a file", objects.KindOf(fi.Mode())) // a pipe would be waited for
	}
	f, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if fi.Size() > limit || !fi.Mode().IsRegular() {
		return nil, leaf.Errorf(ErrCorrupt, "it is larger than %d bytes, or no file", limit)
	}
	b := make([]byte, fi.Size())
	_, err = io.ReadFull(f, b)
	return b, err
}

// save writes the manifest as it is now, whole or not at all.
func (co *checkout) save() error {
	const tmp = manifestName + ".new"
	if err := co.root.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := co.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	err = writeManifest(f, co.allDirs(), co.archives())
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return co.root.Rename(tmp, manifestName)
}

// allDirs are the directories that checkouts made.
func (co *checkout) allDirs() []string {
	dirs := append(slices.Clone(co.old.dirs), co.newDirs...)
	slices.SortFunc(dirs, objects.ComparePaths)
	return slices.Compact(dirs)
}

// archives are what the directory holds, or will hold.
func (co *checkout) archives() []*checkedArchive {
	list := make([]*checkedArchive, 0, len(co.others)+len(co.targets))
	for i := range co.others {
		list = append(list, &co.others[i])
	}
	for _, t := range co.targets {
		a := &t.next
		if len(t.left) > 0 {
			all := t.next
			all.files = append(slices.Clone(a.files), t.left...)
			slices.SortFunc(all.files, func(x, y checkedFile) int { return objects.ComparePaths(x.path, y.path) })
			a = &all
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(x, y *checkedArchive) int { return strings.Compare(x.name, y.name) })
	return list
}

// hashFile computes the BLAKE3 of a file.
func hashFile(root *os.Root, name string) (id objects.ID, err error) {
	f, err := root.Open(name)
	if err != nil {
		return id, err
	}
	defer f.Close()
	return hashAll(struct{ io.Reader }{f})
}
