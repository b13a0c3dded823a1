package commitlog

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"
)

var errNoRun = errors.New("no run")

// merge writes the runs that end with commits that were just made. That they
// are missing does no harm, so a failure is nobody's business.
func (c *Manager) merge(ctx context.Context, made []uint64) {
	if c.opts.Runs == nil {
		return
	}
	for _, n := range made {
		for level := 1; level <= runLevels; level++ {
			r := Run{Level: level}
			if n%r.length() != 0 {
				break
			}
			r.First = n - r.length() + 1
			if c.writeRun(ctx, r) != nil {
				break
			}
		}
	}
}

func (c *Manager) writeRun(ctx context.Context, r Run) error {
	f, err := c.fold(ctx, r)
	if err != nil {
		return err
	}
	return c.opts.Runs.Put(ctx, r, encodeFile(f))
}

// fold makes a run out of 32 commits, or 32 runs of the level below. It goes
// backwards, a few at a time, so that it keeps no more than it writes.
func (c *Manager) fold(ctx context.Context, r Run) (*file, error) {
	const step = 4
	run := &file{kind: runKind, table: c.opts.Table, first: r.First, last: r.Last()}
	seen := map[string]bool{}
	next := writeID{} // what the file before must be
	for end := runWidth; end > 0; end -= step {
		files, err := c.parts(ctx, r, end-step, step)
		if err != nil {
			return nil, err
		}
		for i, f := range slices.Backward(files) {
			if end == runWidth && i == step-1 {
				run.id = f.id
			} else if f.id != next {
				return nil, errNoRun
			}
			next = f.prev
			if !run.take(f, seen) {
				return nil, errNoRun
			}
		}
	}
	run.prev = next
	slices.Reverse(run.changes)
	return run, nil
}

// take adds the changes of a file, the last one first, of keys not seen yet. It
// reports whether they are not too many.
func (run *file) take(f *file, seen map[string]bool) bool {
	for _, change := range slices.Backward(f.changes) {
		if seen[change.key] {
			continue
		}
		seen[change.key] = true
		change.value = bytes.Clone(change.value) // or all of f would be kept
		run.changes = append(run.changes, change)
		if run.size += change.size(); run.size > maxRunBytes || len(run.changes) > maxRunChanges {
			return false
		}
	}
	return true
}

// parts reads n of the parts of a run.
func (c *Manager) parts(ctx context.Context, r Run, from, n int) ([]*file, error) {
	files := make([]*file, n)
	g, ctx := errgroup.WithContext(ctx)
	for i := range files {
		g.Go(func() (err error) {
			k := uint64(from + i)
			if r.Level == 1 {
				files[i], _, err = c.readCommit(ctx, r.First+k)
				return err
			}
			part := Run{Level: r.Level - 1}
			part.First = r.First + k*part.length()
			files[i], _, err = c.readRun(ctx, part)
			return err
		})
	}
	return files, g.Wait()
}
