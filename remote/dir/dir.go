// Package dir is an authority in a directory of this machine: a local, shared or mounted
// disk. It knows nothing of what the files mean. Its invariant: a file has its name when
// its bytes and the directories above it are on the disk, and never before.
package dir

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/datafs/datafs/remote"
)

// Options say where a directory authority is.
type Options struct {
	Root    string      // of any kind: local, shared, mounted. Relative to the working directory
	Create  bool        // make the root at the first Put; otherwise one that is missing is remote.ErrNoStorage
	DirMode fs.FileMode // of new directories, before the umask; 0 is 0777, since a team may share them
}

const (
	tempDir  = ".tmp"         // below the root: unfinished files
	leftover = 24 * time.Hour // after which an unfinished file is nobody's
	young    = time.Hour      // until which the name of a file may be on no disk yet
	fileMode = 0o666          // before the umask; the directory's group and setgid bit say the rest
)

// authority is a remote.Exclusive in a directory. A file is written below .tmp, brought
// to disk and renamed, or linked if it must be new.
type authority struct {
	opts  Options
	link  func(root *os.Root, from, to string) error // hard link; tests replace it
	sync  func(root *os.Root, dir string) error      // syncDir; tests replace it
	clean sync.Once                                  // removes leftovers at the first put

	mu      sync.Mutex      // guards what follows
	root    *os.Root        // nil until the root is needed, and there
	lasting map[string]bool // files and directories whose names were brought to disk in this run
}

var _ remote.Exclusive = (*authority)(nil)

// Open gives the authority in a directory of this machine: a local, shared
// or mounted disk. It looks at the directory when it is first used, and again
// until it is there. A symbolic link that leads out of it is not followed. The
// authority is a remote.Exclusive; where the filesystem can do neither hard links nor
// a rename that keeps what is there, the error of PutNew wraps
// errors.ErrUnsupported.
func Open(opts *Options) (remote.Authority, error) {
	d := &authority{opts: *opts, link: (*os.Root).Link, sync: syncDir, lasting: map[string]bool{}}
	if opts.Root == "" {
		return nil, fmt.Errorf("a directory needs a path: %w", fs.ErrInvalid)
	}
	abs, err := filepath.Abs(opts.Root)
	if err != nil {
		return nil, fmt.Errorf("directory %s: %w", opts.Root, err)
	}
	d.opts.Root = abs
	if d.opts.DirMode == 0 {
		d.opts.DirMode = 0o777
	}
	return d, nil
}

// String is the root directory.
func (d *authority) String() string { return d.opts.Root }

// rooted gives the opened root. If it is missing and is to be made, it makes it
// for a write and gives nil for a read.
func (d *authority) rooted(write bool) (*os.Root, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root != nil {
		return d.root, nil
	}
	root, err := os.OpenRoot(d.opts.Root)
	if errors.Is(err, fs.ErrNotExist) {
		switch {
		case !d.opts.Create:
			return nil, remote.NoRoot(d.opts.Root)
		case !write:
			return nil, nil
		}
		if err := d.makeRoot(); err != nil {
			return nil, err
		}
		root, err = os.OpenRoot(d.opts.Root)
	}
	if err != nil {
		return nil, err
	}
	d.root = root
	return root, nil
}

func (d *authority) wrap(op, name string, err error) error {
	return remote.FileError(op, name, d.opts.Root, err)
}

// Get is that of remote.Authority.
func (d *authority) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	r, err := d.get(ctx, name, off, n)
	if err != nil {
		return nil, d.wrap("get", name, err)
	}
	return r, nil
}

func (d *authority) get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := remote.CheckGet(ctx, name, off); err != nil {
		return nil, err
	}
	root, err := d.rooted(false)
	if err != nil {
		return nil, err
	}
	if root == nil {
		return nil, fs.ErrNotExist
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, missingFile(err)
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, fs.ErrNotExist)
	}
	if err := d.syncYoung(root, name, info.ModTime()); err != nil {
		f.Close()
		return nil, err
	}
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		f.Close()
		return nil, err
	}
	wrap := func(err error) error { return d.wrap("get", name, err) }
	return remote.NewBody(ctx, f, n, wrap), nil
}

// List is that of remote.Authority.
func (d *authority) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		if err := d.list(ctx, prefix, func(info remote.Info) bool { return yield(info, nil) }); err != nil {
			yield(remote.Info{}, d.wrap("list", prefix, err))
		}
	}
}

func (d *authority) list(ctx context.Context, prefix string, yield func(remote.Info) bool) error {
	if err := remote.CheckList(ctx, prefix); err != nil {
		return err
	}
	root, err := d.rooted(false)
	if err != nil || root == nil {
		return err
	}
	return fs.WalkDir(root.FS(), prefixDir(prefix), func(name string, e fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return ignoreMissing(err)
		}
		if e.IsDir() {
			return skipDir(name, prefix)
		}
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(name, prefix) || remote.CheckName(name) != nil {
			return ignoreMissing(err)
		}
		if !yield(remote.Info{Name: name, Size: info.Size()}) {
			return fs.SkipAll
		}
		return nil
	})
}

// prefixDir is the directory that all names with a checked prefix are in or
// below; "." is the root.
func prefixDir(prefix string) string {
	return path.Dir(prefix + "x")
}

// skipDir passes by a directory in which nothing begins with prefix.
func skipDir(name, prefix string) error {
	below := name + "/"
	if name == "." || remote.CheckName(name) == nil && (strings.HasPrefix(below, prefix) || strings.HasPrefix(prefix, below)) {
		return nil
	}
	return fs.SkipDir
}

// Delete is that of remote.Authority. It leaves directories: another process may be
// about to put a file into them.
func (d *authority) Delete(ctx context.Context, name string) error {
	return d.wrap("delete", name, d.delete(ctx, name))
}

func (d *authority) delete(ctx context.Context, name string) error {
	if err := remote.CheckGet(ctx, name, 0); err != nil {
		return err
	}
	root, err := d.rooted(false)
	if err != nil || root == nil {
		return err
	}
	if info, err := root.Lstat(filepath.FromSlash(name)); err != nil || info.IsDir() {
		return ignoreMissing(err)
	}
	if err := root.Remove(filepath.FromSlash(name)); err != nil {
		return ignoreMissing(err)
	}
	return d.sync(root, path.Dir(name))
}

// Close is that of remote.Authority.
func (d *authority) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		return nil
	}
	err := d.root.Close()
	d.root = nil
	return err
}

// tempFS is a directory that is gone when it is closed.
type tempFS struct{ *authority }

// OpenTemp gives an authority in a new directory below dir, "" being the
// system's own for such things, with identifier in its name. Close removes it.
func OpenTemp(dir, identifier string) (remote.Authority, error) {
	root, err := os.MkdirTemp(dir, "datafs-"+strings.ReplaceAll(identifier, string(filepath.Separator), "-")+"*")
	if err != nil {
		return nil, fmt.Errorf("make a temporary directory: %w", err)
	}
	a, err := Open(&Options{Root: root})
	if err != nil {
		return nil, err
	}
	return &tempFS{a.(*authority)}, nil
}

// Close removes the directory with all that is in it.
func (t *tempFS) Close() error {
	return errors.Join(t.authority.Close(), os.RemoveAll(t.opts.Root))
}

func tempName() string { return tempDir + "/" + strings.ToLower(rand.Text()) }
