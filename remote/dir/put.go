package dir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

// Put is that of remote.Authority.
func (d *authority) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	return d.wrap("put", name, d.put(ctx, name, r, (*os.Root).Rename))
}

// PutNew is that of remote.Exclusive.
func (d *authority) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return d.wrap("put", name, d.put(ctx, name, r, d.publishNew))
}

// put writes a file that nobody sees and publishes it under its name.
func (d *authority) put(ctx context.Context, name string, r io.Reader, publish func(root *os.Root, from, to string) error) error {
	if err := remote.CheckGet(ctx, name, 0); err != nil {
		return err
	}
	root, err := d.rooted(true)
	if err != nil {
		return err
	}
	temp, err := d.writeTemp(ctx, root, r)
	if temp != "" {
		defer root.Remove(temp)
	}
	if err != nil {
		return err
	}
	if err := d.makeDirs(root, path.Dir(name)); err != nil {
		return err
	}
	if err := publish(root, temp, filepath.FromSlash(name)); err != nil {
		return err
	}
	return d.sync(root, path.Dir(name))
}

// writeTemp brings a file to disk and gives its name.
func (d *authority) writeTemp(ctx context.Context, root *os.Root, r io.Reader) (name string, err error) {
	if err := d.makeDirs(root, tempDir); err != nil {
		return "", err
	}
	name = filepath.FromSlash(tempName())
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return "", err
	}
	d.clean.Do(func() { removeLeftovers(root, f) })
	err = remote.Copy(ctx, f, r)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = ctx.Err()
	}
	return name, err
}

// removeLeftovers removes unfinished files of writers that must be gone. The
// age is taken by the clock of the disk, which has just made f. It is no matter
// if that fails.
func removeLeftovers(root *os.Root, f *os.File) {
	now, err := f.Stat()
	if err != nil {
		return
	}
	entries, _ := fs.ReadDir(root.FS(), tempDir)
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && info.Mode().IsRegular() && now.ModTime().Sub(info.ModTime()) > leftover {
			_ = root.Remove(filepath.Join(tempDir, e.Name()))
		}
	}
}

// makeDirs makes a directory and those above it, and brings their names to disk:
// once also those of directories that are there already, since whoever made one
// may have been killed before.
func (d *authority) makeDirs(root *os.Root, dir string) error {
	info, err := root.Stat(filepath.FromSlash(dir))
	there := err == nil && info.IsDir()
	if there && (dir == tempDir || d.lasts(dir, false)) {
		return nil
	}
	if parent := path.Dir(dir); parent != "." {
		err = d.makeDirs(root, parent)
	} else {
		err = d.settleRoot()
	}
	if err == nil && !there {
		err = d.makeDir(root, dir)
	}
	if err == nil {
		err = d.sync(root, path.Dir(dir))
	}
	if err == nil {
		d.lasts(dir, true)
	}
	return err
}

// syncYoung writes the name of a file that is read to disk, once, if the file is young:
// its writer may have been killed before, and the reader is about to build on it.
func (d *authority) syncYoung(root *os.Root, name string, written time.Time) error {
	if time.Since(written) > young || d.lasts(name, false) {
		return nil
	}
	err := d.makeDirs(root, path.Dir(name))
	if err == nil {
		err = d.sync(root, path.Dir(name))
	}
	if err == nil || errors.Is(err, fs.ErrPermission) { // a directory may be searched, but not read
		d.lasts(name, true)
		return nil
	}
	return err
}

func (d *authority) makeDir(root *os.Root, dir string) error {
	err := root.Mkdir(filepath.FromSlash(dir), d.opts.DirMode)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := root.Stat(filepath.FromSlash(dir))
	if err == nil && !info.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: syscall.ENOTDIR}
	}
	return err
}

// lasts says whether a name was brought to disk, and notes it.
func (d *authority) lasts(name string, note bool) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if note {
		d.lasting[name] = true
	}
	return d.lasting[name]
}

// makeRoot makes the root, and brings the names of directories above it to disk
// that are new, too.
func (d *authority) makeRoot() error {
	above := filepath.Dir(d.opts.Root)
	var parents []string
	for dir := above; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		parents = append(parents, filepath.Dir(dir))
	}
	if err := os.MkdirAll(d.opts.Root, d.opts.DirMode); err != nil {
		return err
	}
	for _, dir := range parents {
		if err := d.syncPath(dir); err != nil {
			return err
		}
	}
	return nil
}

// syncPath brings the names in a directory to disk that lies outside the root.
func (d *authority) syncPath(dir string) error {
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrPermission) {
		return nil // it may be written to, but not read
	}
	if err != nil {
		return err
	}
	defer root.Close()
	return d.sync(root, ".")
}

// settleRoot brings the name of the root to disk, if it is ours to make.
func (d *authority) settleRoot() error {
	if !d.opts.Create || d.lasts(".", false) {
		return nil
	}
	if err := d.syncPath(filepath.Dir(d.opts.Root)); err != nil {
		return err
	}
	d.lasts(".", true)
	return nil
}

// publishNew gives a file a name that no file has: link(2) and, where there are
// no hard links, renameat2(2) fail if the name is taken.
func (d *authority) publishNew(root *os.Root, from, to string) error {
	err := d.link(root, from, to)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, fs.ErrExist):
		// NFS repeats a request whose answer was lost, which then meets its own link.
		if sameFile(root, from, to) {
			return nil
		}
		return fs.ErrExist
	case noLinks(err):
		if err := renameNew(root, from, to); !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
		return fmt.Errorf("this filesystem cannot make a file only where there is none: %w", errors.ErrUnsupported)
	}
	return err
}

func sameFile(root *os.Root, a, b string) bool {
	x, err := root.Lstat(a)
	if err != nil {
		return false
	}
	y, err := root.Lstat(b)
	return err == nil && os.SameFile(x, y)
}

// noLinks reports whether an error of a link says that there are none. Linux
// says EPERM for a filesystem without, the rest of the world ENOTSUP or ENOSYS.
func noLinks(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EMLINK) || errors.Is(err, syscall.EXDEV)
}

// syncDir brings the names in a directory to disk, where its filesystem can.
func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(filepath.FromSlash(dir))
	if err != nil {
		return err
	}
	return errors.Join(leaf.SyncNames(f), f.Close())
}

// missingFile makes fs.ErrNotExist of a path that leads through a file.
func missingFile(err error) error {
	if errors.Is(err, syscall.ENOTDIR) {
		return fs.ErrNotExist
	}
	return err
}

// ignoreMissing passes errors on other than those of what is gone.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	return err
}
