package datafs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs/solve"
	"github.com/datafs/datafs/remote/config"
)

// lockPins reads the versions in a lock; none where there is no such file.
func (a *API) lockPins(path string) (map[string]solve.Pin, error) {
	if path == "" {
		return nil, nil
	}
	l, err := readLock(config.JoinPath(a.opts.Dir, path), false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return l.Pins(), nil
}

// pinCache keeps the versions in the lock beside the requirements as long as
// the file stays the same.
type pinCache struct {
	mu   sync.Mutex // guards what follows
	at   time.Time
	size int64
	pins map[string]solve.Pin
}

// besideLock returns the versions in the lock beside the requirements.
func (a *API) besideLock() (map[string]solve.Pin, error) {
	file := a.LockFile("")
	fi, err := os.Stat(file)
	if config.NotThere(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &a.lockCache
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pins == nil || !fi.ModTime().Equal(c.at) || fi.Size() != c.size {
		if c.pins, err = a.lockPins(file); err != nil {
			return nil, err
		}
		c.at, c.size = fi.ModTime(), fi.Size()
	}
	return c.pins, nil
}

// pinOf returns the version that a requirement pins, "" for none: of a range
// the one in the lock beside the requirements, if it is in the range, else the
// highest one here.
func (a *API) pinOf(ctx context.Context, r solve.Requirement) (string, error) {
	if text := r.VersionText(); text != nil {
		return *text, nil
	}
	if len(r.Range) == 0 {
		return "", nil
	}
	pins, err := a.besideLock()
	if err != nil {
		return "", err
	}
	if v, ok := r.PinIn(pins); ok {
		return v.String(), nil
	}
	u, err := solve.NewRecords(ctx, a.refs, nil, false)
	if err != nil {
		return "", err
	}
	k, err := u.Archive(ctx, r.Name)
	if err != nil {
		return "", err
	}
	v, ok := k.Best(r)
	if !ok {
		return "", leaf.Errorf(fs.ErrNotExist, `Archive "%s" has no version that satisfies "%s"`, r.Name, r)
	}
	return v.String(), nil
}
