package datafs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

// The ways in which a checkout writes files.
const (
	wayAuto     = "auto"
	wayCopy     = "copy"
	wayReflink  = "reflink"
	wayHardlink = "hardlink"
)

const (
	copiesDir    = "files"      // in a repository: whole files, for others to share
	copiesLock   = "files.lock" // checkouts share it while they use copies, gc holds it alone
	copiesSuffix = ".x"         // of a copy that may be executed
)

// chooseWay finds out how files can be written, and is told how they should.
func (co *checkout) chooseWay(ctx context.Context) error {
	way := co.opts.Link
	switch way {
	case wayCopy:
		co.rep.Way = wayCopy
		return nil
	case "", wayAuto:
		if co.probe(wayReflink) != nil {
			co.rep.Way = wayCopy
			return nil
		}
		way = wayReflink
	default:
		if err := co.probe(way); err != nil {
			return &HintError{
				Err:  fmt.Errorf("files cannot be shared by %s between %s and %s: %w", way, co.api.Repo(), co.dir, cause(err)),
				Hint: "both must be on one filesystem that can do it; --link copy works everywhere",
			}
		}
	}
	var err error
	co.rep.Way = way
	co.copies, err = co.api.openCopies(ctx, way)
	return err
}

// cause is the reason of a failed system call, without the paths of a probe.
// It keeps no kind: the exit code must not say that a file was missing.
func cause(err error) error {
	var link *os.LinkError
	var path *os.PathError
	switch {
	case errors.As(err, &link):
		err = link.Err
	case errors.As(err, &path):
		err = path.Err
	}
	return errors.New(err.Error())
}

// probe tries a way with a small file.
func (co *checkout) probe(way string) error {
	src, err := os.CreateTemp(filepath.Join(co.api.Repo(), "tmp"), "probe-*")
	if err != nil {
		return err
	}
	defer os.Remove(src.Name())
	_, err = src.Write(make([]byte, 4096))
	if err := errors.Join(err, src.Close()); err != nil {
		return err
	}
	dst := filepath.Join(co.dir, checkoutTemp, "probe")
	if err := shareFile(way, src.Name(), dst, 0o666); err != nil {
		return err
	}
	return os.Remove(dst)
}

// clone is cloneFile but in tests, which need no filesystem that can do it.
var clone = cloneFile

// shareFile makes dst share the content of src.
func shareFile(way, src, dst string, mode fs.FileMode) error {
	if way == wayHardlink {
		return os.Link(src, dst)
	}
	return clone(src, dst, mode)
}

// copies are the repository's whole files, made of its content once, so that
// checkouts can share them. They are a cache: gc removes them.
type copies struct {
	api  *API
	dir  string
	way  string
	lock *flock.Flock

	mu   sync.Mutex              // guards what follows
	used map[string]index.Cached // by path: what was verified
	busy map[string]*sync.Mutex  // by path: one makes it, others wait
}

func (a *API) openCopies(ctx context.Context, way string) (*copies, error) {
	k := &copies{api: a, dir: filepath.Join(a.Repo(), copiesDir), way: way, used: map[string]index.Cached{}, busy: map[string]*sync.Mutex{}}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	k.lock, err = a.lockCopies(ctx, false)
	return k, err
}

func (a *API) lockCopies(ctx context.Context, alone bool) (*flock.Flock, error) {
	wait := a.opts.storeTimeout()
	if wait == 0 {
		wait = time.Minute
	}
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	l := flock.New(filepath.Join(a.Repo(), copiesLock))
	try := l.TryRLockContext
	if alone {
		try = l.TryLockContext
	}
	_, err := try(bounded, 10*time.Millisecond)
	switch {
	case err == nil:
		return l, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("lock %s: %w", l.Path(), ErrBusy)
	}
	return nil, fmt.Errorf("lock %s: %w", l.Path(), err)
}

// close records the states of the copies that were used: links change them.
func (k *copies) close(ctx context.Context) error {
	known := map[string]index.Cached{}
	for name, c := range k.used {
		fi, err := os.Lstat(name)
		if err != nil {
			continue
		}
		now := index.StatOf(fi)
		if c.CTime = now.CTime; c.Stat == now {
			c.At = settledAt(now)
			known[name] = c
		}
	}
	return errors.Join(k.api.index.Cache(ctx, known), k.lock.Unlock())
}

// share makes dst, a new file, share the copy of a file, which is made of its
// content where it is not there or not sound.
func (k *copies) share(ctx context.Context, f *checkedFile, content func(io.Writer) error, dst string) error {
	name := f.hash.String()
	name = filepath.Join(k.dir, name[:2], name)
	mode := fs.FileMode(0o666)
	if f.kind == objects.KindExec {
		name, mode = name+copiesSuffix, 0o777
	}
	defer k.only(name)()
	if err := k.ensure(ctx, name, f, content); err != nil {
		return err
	}
	if err := shareFile(k.way, name, dst, mode); err != nil || k.way == wayHardlink {
		return err
	}
	return backdate(dst)
}

// backdate makes a file older than it is.
func backdate(name string) error {
	fi, err := os.Lstat(name)
	if err != nil {
		return err
	}
	past := fi.ModTime().Add(-checkoutAge)
	return os.Chtimes(name, past, past)
}

// only lets one goroutine at a time work on a copy.
func (k *copies) only(name string) (done func()) {
	k.mu.Lock()
	m := k.busy[name]
	if m == nil {
		m = &sync.Mutex{}
		k.busy[name] = m
	}
	k.mu.Unlock()
	m.Lock()
	return m.Unlock
}

// ensure makes sure that the copy is there and sound.
func (k *copies) ensure(ctx context.Context, name string, f *checkedFile, content func(io.Writer) error) error {
	fi, err := os.Lstat(name)
	if err == nil && fi.Mode().IsRegular() {
		if sound, err := k.sound(ctx, name, fi, f.hash); err != nil || sound {
			return err
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := k.make(name, f, content); err != nil {
		return fmt.Errorf("make a copy to share: %w", err)
	}
	if fi, err = os.Lstat(name); err == nil {
		k.use(name, index.Cached{Stat: index.StatOf(fi), Hash: f.hash})
	}
	return err
}

// sound says that a copy holds what its name says: by its state, if that is
// known, else by its bytes.
func (k *copies) sound(ctx context.Context, name string, fi fs.FileInfo, want objects.ID) (bool, error) {
	now := index.StatOf(fi)
	k.mu.Lock()
	c, used := k.used[name]
	k.mu.Unlock()
	if used && c.MTime == now.MTime && c.Inode == now.Inode && c.Size == now.Size {
		return true, nil // of this very run, which has made links of it
	}
	known, err := k.api.index.Cached(ctx, []string{name})
	if err != nil {
		return false, err
	}
	if known[0].Hash != want || !known[0].Fresh(now) {
		root, err := os.OpenRoot(k.dir)
		if err != nil {
			return false, err
		}
		defer root.Close()
		rel, err := filepath.Rel(k.dir, name)
		if err != nil {
			return false, err
		}
		if got, err := hashFile(root, filepath.ToSlash(rel)); err != nil || got != want {
			return false, nil // it is made anew
		}
	}
	k.use(name, index.Cached{Stat: now, Hash: want})
	return true, nil
}

func (k *copies) use(name string, c index.Cached) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used[name] = c
}

// make writes a copy, read-only, whole or not at all.
func (k *copies) make(name string, f *checkedFile, content func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(k.dir, "tmp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	mode := fs.FileMode(0o444)
	if strings.HasSuffix(name, copiesSuffix) {
		mode = 0o555
	}
	if err := errors.Join(content(tmp), tmp.Chmod(mode), tmp.Close()); err != nil {
		return err
	}
	if err := backdate(tmp.Name()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// copiesReport counts copies.
type copiesReport struct{ Count, Bytes int64 }

// countCopies counts the copies that checkouts share from.
func (a *API) countCopies() (rep copiesReport, err error) {
	err = a.eachCopy(func(_ string, fi fs.FileInfo) error {
		rep.Count++
		rep.Bytes += fi.Size()
		return nil
	})
	return rep, err
}

// removeCopies removes the copies that no checkout shares an inode with, and
// what interrupted runs left.
func (a *API) removeCopies(ctx context.Context, dry bool) (rep copiesReport, err error) {
	if _, err := os.Stat(filepath.Join(a.Repo(), copiesDir)); errors.Is(err, fs.ErrNotExist) {
		return rep, nil
	}
	lock, err := a.lockCopies(ctx, true)
	if err != nil {
		return rep, err
	}
	defer lock.Unlock()
	forget := map[string]index.Cached{}
	err = a.eachCopy(func(name string, fi fs.FileInfo) error {
		if links(fi) > 1 {
			return nil
		}
		rep.Count++
		rep.Bytes += fi.Size()
		if forget[name] = (index.Cached{}); dry {
			return nil
		}
		return os.Remove(name)
	})
	if dry {
		return rep, err
	}
	return rep, errors.Join(err, a.index.Cache(ctx, forget))
}

func (a *API) eachCopy(visit func(name string, fi fs.FileInfo) error) error {
	return filepath.WalkDir(filepath.Join(a.Repo(), copiesDir), func(name string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err != nil {
			return err
		}
		return visit(name, fi)
	})
}
