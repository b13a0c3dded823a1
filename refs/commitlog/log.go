package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
)

// parallel is how many commits are fetched at once.
const parallel = 16

// Run is 32^Level commits, from First on.
type Run struct {
	Level int
	First uint64
}

func (r Run) length() uint64 { return 1 << (5 * r.Level) }

// Last is the last commit of the run.
func (r Run) Last() uint64 { return r.First + r.length() - 1 }

// Valid reports whether there can be such a run.
func (r Run) Valid() bool {
	return r.Level >= 1 && r.Level <= runLevels && r.First <= math.MaxInt64 && r.First%r.length() == 1
}

// commitError says which commit an error is about.
func (c *Manager) commitError(n uint64, err error) error {
	return fmt.Errorf("commit %d of table %q: %w", n, c.opts.Table, c.damage(err))
}

// decodeCommit decodes and keeps commit n.
func (c *Manager) decodeCommit(n uint64, b []byte) (*file, error) {
	f, err := decodeFile(b, commitKind)
	if err == nil && (f.table != c.opts.Table || f.first != n) {
		err = corrupt("it is commit %d of table %.80q", f.first, f.table)
	}
	if err != nil {
		return nil, c.commitError(n, err)
	}
	c.cache.add(f)
	return f, nil
}

// errNoCommit: there is no commit of that number.
var errNoCommit = errors.New("no such commit")

// readCommit gives commit n, and its bytes unless it was kept, or errNoCommit.
func (c *Manager) readCommit(ctx context.Context, n uint64) (*file, []byte, error) {
	if f := c.cache.get(n); f != nil {
		return f, nil, nil
	}
	list, err := c.log.Commits(ctx, n, 1)
	if err == nil && len(list) == 0 {
		err = errNoCommit
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := c.decodeCommit(n, list[0])
	return f, list[0], err
}

// knownCommit gives a commit that was there once.
func (c *Manager) knownCommit(ctx context.Context, n uint64) (*file, error) {
	f, _, err := c.readCommit(ctx, n)
	if errors.Is(err, errNoCommit) {
		c.verified.Store(false)
		return nil, c.corrupt("commit %d of table %q is gone", n, c.opts.Table)
	}
	return f, err
}

func (c *Manager) readRun(ctx context.Context, r Run) (f *file, b []byte, err error) {
	if b, err = c.opts.Runs.Get(ctx, r); err != nil {
		return nil, nil, err
	}
	f, err = decodeFile(b, runKind)
	if err == nil && (f.table != c.opts.Table || f.first != r.First || f.last != r.Last()) {
		err = corrupt("run %d to %d of table %.80q", f.first, f.last, f.table)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("run %d to %d of table %q: %w", r.First, r.Last(), c.opts.Table, c.damage(err))
	}
	return f, b, nil
}

// errDiverged: the log is not the one that the replica was made from.
var errDiverged = errors.New("the log was set back to an older state")

// verify finds out, with one small request, whether the log still has the commit
// where the replica stands. If not, what comes after it would be lost.
func (c *Manager) verify(ctx context.Context, at place) error {
	b, err := c.log.Head(ctx, at.number)
	if errors.Is(err, fs.ErrNotExist) {
		return errDiverged
	}
	if err != nil {
		return err
	}
	id, err := checkHead(b, commitKind)
	if err != nil {
		return c.commitError(at.number, err)
	}
	if id != at.id {
		return errDiverged
	}
	return nil
}
