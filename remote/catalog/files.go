package catalog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/commitlog"
	"github.com/datafs/datafs/remote"
)

// parallel is how many commits are fetched at once.
const parallel = 16

// logFiles are the commits of a table, below "catalog/" and the table's component:
// log/<number/1000, 9 digits>/<number, 12 digits>, from 1 on without a gap. They
// are never deleted.
type logFiles struct{ c *Catalog }

func (l logFiles) name(n uint64) string {
	return fmt.Sprintf("%slog/%09d/%012d", l.c.dir, n/1000, n)
}

// Commits implements commitlog.Log.
func (l logFiles) Commits(ctx context.Context, n uint64, most int) ([][]byte, error) {
	files := make([][]byte, most)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := range files {
		g.Go(func() (err error) {
			files[i], err = l.c.fetch(ctx, l.name(n+uint64(i)), 0, commitlog.MaxCommitFile)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, b := range files {
		if b == nil {
			return files[:i], nil
		}
	}
	return files, nil
}

// Head implements commitlog.Log.
func (l logFiles) Head(ctx context.Context, n uint64) ([]byte, error) {
	return l.c.fetch(ctx, l.name(n), commitlog.HeadSize, commitlog.HeadSize)
}

// Add implements commitlog.Log.
func (l logFiles) Add(ctx context.Context, n uint64, commit []byte) error {
	return l.c.x.PutNew(ctx, l.name(n), bytes.NewReader(commit))
}

// fetch reads the first bytes of a file, n or all if that is 0, at most limit.
func (c *Catalog) fetch(ctx context.Context, name string, n int64, limit int) ([]byte, error) {
	if n == 0 {
		n = int64(limit) + 1
	}
	r, err := c.a.Get(ctx, name, 0, n)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, n))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if len(b) > limit {
		return nil, remote.AtAuthority(fmt.Errorf("get %s: %w: more than %d bytes", name, refs.ErrCorrupt, limit))
	}
	return b, nil
}

// runFiles are the runs of a table: run/<level>-<first, 12 digits>-<last, 12 digits>.
type runFiles struct{ c *Catalog }

func (f runFiles) name(r commitlog.Run) string {
	return fmt.Sprintf("%srun/%d-%012d-%012d", f.c.dir, r.Level, r.First, r.Last())
}

// parse reads a name that name makes.
func (f runFiles) parse(name string) (r commitlog.Run, ok bool) {
	var last uint64
	_, err := fmt.Sscanf(name, f.c.dir+"run/%d-%d-%d", &r.Level, &r.First, &last)
	return r, err == nil && r.Valid() && f.name(r) == name
}

// List implements commitlog.Runs.
func (f runFiles) List(ctx context.Context) iter.Seq2[commitlog.Run, error] {
	return func(yield func(commitlog.Run, error) bool) {
		for info, err := range f.c.a.List(ctx, f.c.dir+"run/") {
			r, ok := f.parse(info.Name)
			if (ok || err != nil) && !yield(r, err) {
				return
			}
		}
	}
}

// Get implements commitlog.Runs.
func (f runFiles) Get(ctx context.Context, r commitlog.Run) ([]byte, error) {
	return f.c.fetch(ctx, f.name(r), 0, commitlog.MaxRunFile)
}

// Put implements commitlog.Runs.
func (f runFiles) Put(ctx context.Context, r commitlog.Run, contents []byte) error {
	return f.c.a.Put(ctx, f.name(r), bytes.NewReader(contents))
}
