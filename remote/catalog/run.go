package catalog

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
func (c *Catalog) merge(ctx context.Context, made []uint64) {
	for _, n := range made {
		for level := 1; level <= runLevels; level++ {
			r := catRun{level: level}
			if n%r.length() != 0 {
				break
			}
			r.first = n - r.length() + 1
			if c.writeRun(ctx, r) != nil {
				break
			}
		}
	}
}

func (c *Catalog) writeRun(ctx context.Context, r catRun) error {
	f, err := c.fold(ctx, r)
	if err != nil {
		return err
	}
	return c.a.Put(ctx, c.runName(r), bytes.NewReader(encodeCatalogFile(f)))
}

// fold makes a run out of 32 commits, or 32 runs of the level below. It goes
// backwards, a few at a time, so that it keeps no more than it writes.
func (c *Catalog) fold(ctx context.Context, r catRun) (*catFile, error) {
	const step = 4
	run := &catFile{kind: catalogRun, table: c.table, first: r.first, last: r.last()}
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
func (run *catFile) take(f *catFile, seen map[string]bool) bool {
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
func (c *Catalog) parts(ctx context.Context, r catRun, from, n int) ([]*catFile, error) {
	files := make([]*catFile, n)
	g, ctx := errgroup.WithContext(ctx)
	for i := range files {
		g.Go(func() (err error) {
			k := uint64(from + i)
			if r.level == 1 {
				files[i], _, err = c.readCommit(ctx, r.first+k)
				return err
			}
			part := catRun{level: r.level - 1}
			part.first = r.first + k*part.length()
			files[i], _, err = c.readRun(ctx, part)
			return err
		})
	}
	return files, g.Wait()
}
