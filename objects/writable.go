package objects

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"

	"github.com/datafs/datafs/objects/names"
)

// onWindows is a variable for tests.
var onWindows = runtime.GOOS == "windows"

// Writable reports whether the entry may be written to disk: its name, and that
// of the target of a link, is none of those that names.Unwritable finds.
func (e *Entry) Writable() bool {
	return names.Unwritable(e.Path, onWindows) == "" && names.Unwritable(e.Link, onWindows) == ""
}

// makeDir makes a directory with those above it, none of them by way of a link
// to what belongs to others.
func (x *extraction) makeDir(dir string) error {
	for i := range len(dir) + 1 {
		if x.opts.Replace && (i == len(dir) || dir[i] == '/') {
			if err := x.checkLink(dir[:i]); err != nil {
				return err
			}
		}
	}
	return x.root.MkdirAll(dir, 0o777)
}

// checkLink refuses a link to what belongs to others.
func (x *extraction) checkLink(name string) error {
	fi, err := x.root.Lstat(name)
	if err != nil || fi.Mode()&fs.ModeSymlink == 0 {
		return nil // MkdirAll finds what is wrong
	}
	base, err := filepath.EvalSymlinks(x.dir)
	if err != nil {
		return err
	}
	real, err := filepath.EvalSymlinks(filepath.Join(base, filepath.FromSlash(name)))
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(base, real)
	if part := names.ReservedIn(filepath.ToSlash(rel)); err == nil && part != "" {
		err = fmt.Errorf("%s leads to %s, where nothing is written: %w", name, part, fs.ErrInvalid)
	}
	return err
}
