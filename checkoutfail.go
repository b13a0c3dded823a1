package datafs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"
)

// checkoutLock is what checkouts into one directory keep each other out by.
const checkoutLock = manifestName + ".lock"

// topMissing returns the topmost of a directory and those above it that is not
// there, "" where all are.
func topMissing(dir string) (top string) {
	for {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			return top
		}
		top = dir
		dir = filepath.Dir(dir)
	}
}

// unmake removes the directories that were made for the checkout, as long as
// they are empty.
func (co *checkout) unmake() {
	if co.made == "" {
		return
	}
	for dir := co.dir; os.Remove(dir) == nil && dir != co.made; {
		dir = filepath.Dir(dir)
	}
}

// removeEmpty removes the directories that were made for files which were not
// written. The checkout has failed for another reason: it does what it can.
func (co *checkout) removeEmpty() {
	if co.opts.DryRun {
		return
	}
	for _, dir := range slices.Backward(co.newDirs) {
		_ = co.root.Remove(dir)
	}
}

// cleanUp takes manifest, lock and directory away after a failed checkout, where
// they are there for nothing.
func (co *checkout) cleanUp() {
	if co.opts.DryRun {
		return
	}
	if co.lock != nil {
		if co.old == nil || len(co.old.archives) > 0 || co.rep.Written > 0 || co.rep.Unchanged > 0 || co.anyDir() {
			return
		}
		_ = co.root.Remove(manifestName)
		_ = co.root.Remove(checkoutLock)
	}
	co.unmake()
}

// anyDir says whether any directory that the checkout made is there.
func (co *checkout) anyDir() bool {
	return slices.ContainsFunc(co.newDirs, func(dir string) bool {
		_, err := co.root.Lstat(dir)
		return err == nil
	})
}

// isLockOf says whether a lock is that of the file at a path.
func isLockOf(lock *flock.Flock, path string) bool {
	fi, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(fi, there)
}
