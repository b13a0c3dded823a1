package checkout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
)

// lockName is what checkouts into one directory keep each other out by.
const lockName = manifestName + ".lock"

// open makes the directory and takes its lock.
func (co *checkout) open(ctx context.Context) (err error) {
	if !co.opts.DryRun {
		co.made = topMissing(co.dir)
		if err := os.MkdirAll(co.dir, 0o777); err != nil {
			co.unmake()
			return fmt.Errorf("make directory: %w", err)
		}
	}
	co.root, err = os.OpenRoot(co.dir)
	if errors.Is(err, fs.ErrNotExist) && co.opts.DryRun {
		co.root, co.old = nil, &manifest{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("check out: %w", err)
	}
	if !co.opts.DryRun {
		err = co.take(ctx)
	}
	if err == nil {
		co.old, err = readManifest(co.root, co.dir)
	}
	if err != nil {
		co.cleanUp()
		return errors.Join(err, co.close())
	}
	return nil
}

// take locks the directory against other checkouts.
func (co *checkout) take(ctx context.Context) error {
	path := filepath.Join(co.dir, lockName)
	for {
		if fi, err := co.root.Lstat(lockName); err == nil && !fi.Mode().IsRegular() {
			return leaf.Errorf(fs.ErrExist, "%s is not a file", path)
		}
		lock, err := takeLock(ctx, path, co.opts.Wait, true)
		if errors.Is(err, index.ErrBusy) {
			return leaf.Errorf(index.ErrBusy, "another checkout into %s is under way", co.dir)
		}
		if err != nil {
			return err
		}
		if isLockOf(lock, path) {
			co.lock = lock
			return nil
		}
		lock.Unlock() // a checkout that failed has taken it away
	}
}

func (co *checkout) close() (err error) {
	if co.lock != nil {
		err = co.lock.Unlock()
	}
	if co.root != nil {
		err = errors.Join(err, co.root.Close())
	}
	return err
}

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
		_ = co.root.Remove(lockName)
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
