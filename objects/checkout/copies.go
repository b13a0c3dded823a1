package checkout

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
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
)

// Way is how a checkout writes files.
type Way string

// The ways. WayAuto is WayReflink where the filesystem can do it, else WayCopy.
const (
	WayAuto     Way = "auto"
	WayCopy     Way = "copy"
	WayReflink  Way = "reflink"
	WayHardlink Way = "hardlink"
)

// ParseWay reads a way; "" is WayAuto.
func ParseWay(s string) (Way, error) {
	switch w := Way(s); w {
	case "":
		return WayAuto, nil
	case WayAuto, WayCopy, WayReflink, WayHardlink:
		return w, nil
	}
	return "", leaf.Errorf(fs.ErrInvalid, "link %q: want auto, copy, reflink or hardlink", s)
}

// batchSize is how many archives are brought, or states noted, together.
const batchSize = 1000

// Names in a repository's directory.
const (
	CopiesDir    = "files"      // whole files, for checkouts to share
	CopiesLock   = "files.lock" // checkouts share it while they use copies, gc holds it alone
	copiesSuffix = ".x"         // of a copy that may be executed
)

// clone is cloneFile but in tests, which need no filesystem that can do it.
var clone = cloneFile

// shareFile makes dst share the content of src.
func shareFile(way Way, src, dst string, mode fs.FileMode) error {
	if way == WayHardlink {
		return os.Link(src, dst)
	}
	return clone(src, dst, mode)
}

// copies are the repository's whole files, made of its content once, so that
// checkouts can share them. They are a cache: gc removes them.
type copies struct {
	index *index.DB
	dir   string
	way   Way
	lock  *flock.Flock

	busy [256]sync.Mutex // by the first byte of the hash: one makes a copy, others wait

	mu   sync.Mutex             // guards what follows
	used map[copyKey]index.Stat // what was verified
}

// copyKey names a copy.
type copyKey struct {
	hash objects.ID
	exec bool
}

func (k *copies) path(key copyKey) string {
	name := key.hash.String()
	name = filepath.Join(k.dir, name[:2], name)
	if key.exec {
		name += copiesSuffix
	}
	return name
}

func openCopies(ctx context.Context, s *objects.Store, wait time.Duration, way Way) (*copies, error) {
	k := &copies{index: s.Index(), dir: filepath.Join(s.Dir(), CopiesDir), way: way, used: map[copyKey]index.Stat{}}
	if err := os.MkdirAll(k.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	k.lock, err = takeLock(ctx, filepath.Join(s.Dir(), CopiesLock), wait, false)
	return k, err
}

// close records the states of the copies that were used: links change them.
func (k *copies) close(ctx context.Context) (err error) {
	known := map[string]index.Cached{}
	for key, st := range k.used {
		name := k.path(key)
		fi, statErr := os.Lstat(name)
		if statErr != nil {
			continue
		}
		now := index.StatOf(fi)
		if st.CTime = now.CTime; st == now {
			known[name] = index.Cached{Stat: now, Hash: key.hash, At: settledAt(now)}
		}
		if len(known) == batchSize {
			err = errors.Join(err, k.index.Cache(ctx, known))
			clear(known)
		}
	}
	return errors.Join(err, k.index.Cache(ctx, known), k.lock.Unlock())
}

// share makes dst, a new file, share the copy of a file, which is made of its
// content where it is not there or not sound.
func (k *copies) share(ctx context.Context, f *checkedFile, content func(io.Writer) error, dst string) error {
	key, mode := copyKey{f.hash, f.kind == objects.KindExec}, fs.FileMode(0o666)
	if key.exec {
		mode = 0o777
	}
	busy := &k.busy[key.hash[0]]
	busy.Lock()
	defer busy.Unlock()
	if err := k.ensure(ctx, key, content); err != nil {
		return err
	}
	err := shareFile(k.way, k.path(key), dst, mode)
	if errors.Is(err, syscall.EMLINK) { // it has as many names as a file can have
		if err = k.fresh(key, content); err == nil {
			err = shareFile(k.way, k.path(key), dst, mode)
		}
	}
	if err != nil || k.way == WayHardlink {
		return err
	}
	return backdate(dst)
}

// ensure makes sure that the copy is there and sound.
func (k *copies) ensure(ctx context.Context, key copyKey, content func(io.Writer) error) error {
	fi, err := os.Lstat(k.path(key))
	if err == nil && fi.Mode().IsRegular() {
		if sound, err := k.sound(ctx, key, fi); err != nil || sound {
			return err
		}
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return k.fresh(key, content)
}

// fresh makes the copy, also where there is one.
func (k *copies) fresh(key copyKey, content func(io.Writer) error) error {
	name := k.path(key)
	if err := k.make(name, content); err != nil {
		return fmt.Errorf("make a copy to share: %w", err)
	}
	fi, err := os.Lstat(name)
	if err == nil {
		k.use(key, index.StatOf(fi))
	}
	return err
}

// sound says that a copy holds what its name says: by its state, if that is
// known, else by its bytes.
func (k *copies) sound(ctx context.Context, key copyKey, fi fs.FileInfo) (bool, error) {
	now := index.StatOf(fi)
	k.mu.Lock()
	st, used := k.used[key]
	k.mu.Unlock()
	if used && st.MTime == now.MTime && st.Inode == now.Inode && st.Size == now.Size {
		return true, nil // of this very run, which has made links of it
	}
	name := k.path(key)
	known, err := k.index.Cached(ctx, []string{name})
	if err != nil {
		return false, err
	}
	if known[0].Hash != key.hash || !known[0].Fresh(now) {
		if got, err := k.hash(name); err != nil || got != key.hash {
			return false, nil // it is made anew
		}
	}
	k.use(key, now)
	return true, nil
}

func (k *copies) hash(name string) (id objects.ID, err error) {
	root, err := os.OpenRoot(k.dir)
	if err != nil {
		return id, err
	}
	defer root.Close()
	rel, err := filepath.Rel(k.dir, name)
	if err != nil {
		return id, err
	}
	return hashFile(root, filepath.ToSlash(rel))
}

func (k *copies) use(key copyKey, st index.Stat) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.used[key] = st
}

// make writes a copy, read-only, whole or not at all.
func (k *copies) make(name string, content func(io.Writer) error) error {
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
	if err := errors.Join(codec.WriteSparse(tmp, content), tmp.Chmod(mode), tmp.Close()); err != nil {
		return err
	}
	if err := backdate(tmp.Name()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// Copies counts the copies that checkouts share from.
type Copies struct{ Count, Bytes int64 }

// CountCopies counts the copies of a repository.
func CountCopies(repo string) (rep Copies, err error) {
	err = eachCopy(repo, func(_ string, fi fs.FileInfo) error {
		rep.Count++
		rep.Bytes += fi.Size()
		return nil
	})
	return rep, err
}

// RemoveCopies removes the copies of a repository that no checkout shares an inode
// with, and what interrupted runs left. With dry it only counts them. It waits for
// checkouts that use copies, at most as long as wait (0: a minute).
func RemoveCopies(ctx context.Context, s *objects.Store, wait time.Duration, dry bool) (rep Copies, err error) {
	if _, err := os.Lstat(filepath.Join(s.Dir(), CopiesDir)); errors.Is(err, fs.ErrNotExist) {
		return rep, nil
	}
	lock, err := takeLock(ctx, filepath.Join(s.Dir(), CopiesLock), wait, true)
	if err != nil {
		return rep, err
	}
	defer lock.Unlock()
	forget := map[string]index.Cached{}
	err = eachCopy(s.Dir(), func(name string, fi fs.FileInfo) error {
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
	return rep, errors.Join(err, s.Index().Cache(ctx, forget))
}

func eachCopy(repo string, visit func(name string, fi fs.FileInfo) error) error {
	return filepath.WalkDir(filepath.Join(repo, CopiesDir), func(name string, d fs.DirEntry, err error) error {
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
		if err != nil || !fi.Mode().IsRegular() || !isCopy(d.Name()) {
			return err
		}
		return visit(name, fi)
	})
}

// isCopy reports whether a file below files/ is one that this program makes there.
func isCopy(name string) bool {
	if strings.HasPrefix(name, "tmp-") {
		return true
	}
	_, err := objects.ParseID(strings.TrimSuffix(name, copiesSuffix))
	return err == nil
}
