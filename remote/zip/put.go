package zip

import (
	"archive/zip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

const (
	fileMode = 0o666                 // before the umask
	poll     = 25 * time.Millisecond // between two tries for the lock
)

// Put is that of remote.Authority.
func (z *authority) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	return z.wrap("put", name, z.rewrite(ctx, name, r, false))
}

// PutNew is that of remote.Exclusive.
func (z *authority) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return z.wrap("put", name, z.rewrite(ctx, name, r, true))
}

// Delete is that of remote.Authority.
func (z *authority) Delete(ctx context.Context, name string) error {
	return z.wrap("delete", name, z.rewrite(ctx, name, nil, false))
}

// rewrite makes the zip file anew, with name as r has it, or without it if r is
// nil.
func (z *authority) rewrite(ctx context.Context, name string, r io.Reader, exclusive bool) error {
	if err := remote.CheckGet(ctx, name, 0); err != nil {
		return err
	}
	if z.opts.ReadOnly {
		return remote.ErrReadOnly
	}
	unlock, err := z.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	zf, err := z.acquire()
	if err != nil {
		return err
	}
	defer zf.release()
	switch _, there := zf.byName[name]; {
	case there && exclusive:
		return fs.ErrExist
	case !there && r == nil:
		return nil
	}
	return z.replace(zf, func(w *zip.Writer) error { return zf.copyWith(ctx, w, name, r) })
}

// lock waits until no other process or goroutine writes. Without the directory
// that the zip file is in, or is to be in, there is nothing to lock.
func (z *authority) lock(ctx context.Context) (unlock func(), err error) {
	if _, err := os.Stat(z.opts.Path); errors.Is(err, fs.ErrNotExist) && !z.opts.Create {
		return nil, remote.NoRoot(z.opts.Path)
	}
	l := flock.New(z.opts.Path+".lock", flock.SetPermissions(fileMode))
	if _, err := l.TryLockContext(ctx, poll); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	return func() { _ = l.Close() }, nil
}

// copyWith writes the entries as they are and then the new one.
func (f *file) copyWith(ctx context.Context, w *zip.Writer, name string, r io.Reader) error {
	for _, e := range f.entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if e.Name == name {
			continue
		}
		if err := w.Copy(e); err != nil {
			return fmt.Errorf("copy entry %.80q: %w", e.Name, err)
		}
	}
	if r == nil {
		return nil
	}
	entry, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
	if err != nil {
		return err
	}
	return remote.Copy(ctx, entry, r)
}

// replace puts a file that fill has written in the place of the old one. It
// keeps the old one's permissions.
func (z *authority) replace(old *file, fill func(*zip.Writer) error) error {
	mode := fs.FileMode(fileMode)
	if old.info != nil {
		mode = old.info.Mode().Perm()
	}
	dir, base := filepath.Split(z.opts.Path)
	temp := filepath.Join(dir, "."+base+"."+strings.ToLower(rand.Text()))
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	defer os.Remove(temp)
	w := zip.NewWriter(f)
	if old.info != nil {
		err = f.Chmod(mode) // whatever the umask
	}
	if err == nil {
		err = fill(w)
	}
	if err == nil {
		err = errors.Join(w.SetComment(old.comment), w.Close(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, z.opts.Path); err != nil {
		return err
	}
	return leaf.SyncDir(dir)
}
