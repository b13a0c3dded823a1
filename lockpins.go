package datafs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/lockfile"
)

// lockPin is the version in a lock: a number or, of an unversioned archive, the
// tree.
type lockPin struct {
	versioned bool
	version   refs.Version
	tree      objects.ID
}

// pins are the versions in a lock that was checked.
func lockedPins(l *lockfile.Lock) map[string]lockPin {
	pins := make(map[string]lockPin, len(l.Archives))
	for i := range l.Archives {
		e := &l.Archives[i]
		p := lockPin{versioned: e.Version != ""}
		if p.versioned {
			p.version, _ = refs.ParseVersion(e.Version)
		}
		p.tree, _ = objects.ParseID(e.Tree)
		pins[e.Archive] = p
	}
	return pins
}

// lockPins reads the versions in a lock; none where there is no such file.
func (a *API) lockPins(path string) (map[string]lockPin, error) {
	if path == "" {
		return nil, nil
	}
	l, err := readLock(joinPath(a.opts.Dir, path), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return lockedPins(l), nil
}

// pinCache keeps the versions in the lock beside the requirements as long as
// the file stays the same.
type pinCache struct {
	mu   sync.Mutex // guards what follows
	at   time.Time
	size int64
	pins map[string]lockPin
}

// besideLock returns what the lock beside the requirements has of an archive.
func (a *API) besideLock(name string) (p lockPin, ok bool, err error) {
	file := a.LockFile("")
	fi, err := os.Stat(file)
	if notThere(err) {
		return p, false, nil
	}
	if err != nil {
		return p, false, err
	}
	c := &a.lockCache
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pins == nil || !fi.ModTime().Equal(c.at) || fi.Size() != c.size {
		if c.pins, err = a.lockPins(file); err != nil {
			return p, false, err
		}
		c.at, c.size = fi.ModTime(), fi.Size()
	}
	p, ok = c.pins[name]
	return p, ok, nil
}

// lockedVersion returns the version in the lock beside the requirements, if the
// requirement allows it, else nil.
func (a *API) lockedVersion(r refs.Requirement) (*refs.Version, error) {
	p, ok, err := a.besideLock(r.Name)
	if err != nil || !ok || !p.versioned || !r.Allows(p.version) {
		return nil, err
	}
	return &p.version, nil
}

// pinOf returns the version that a requirement pins, "" for none: of a range
// the one in the lock beside the requirements, if it is in the range, else the
// highest one here.
func (a *API) pinOf(ctx context.Context, r refs.Requirement) (string, error) {
	if text := r.VersionText(); text != nil {
		return *text, nil
	}
	if len(r.Range) == 0 {
		return "", nil
	}
	locked, err := a.lockedVersion(r)
	if err != nil {
		return "", err
	}
	if locked != nil {
		return locked.String(), nil
	}
	k, err := a.emptyUniverse(false).archive(ctx, r.Name)
	if err != nil {
		return "", err
	}
	v, ok := k.best(r)
	if !ok {
		return "", leaf.Errorf(fs.ErrNotExist, `Archive "%s" has no version that satisfies "%s"`, r.Name, r)
	}
	return v.String(), nil
}
