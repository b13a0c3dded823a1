package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"
)

// The files of a table, below "catalog/" and the table's component:
//
//	log/<number/1000, 9 digits>/<number, 12 digits>   commits, from 1 on without a gap
//	run/<level>-<first, 12 digits>-<last, 12 digits>  runs of 32^level commits
//
// Commits are never deleted. Runs only save requests.
const (
	catalogDir = "catalog/"

	runWidth     = 32 // how many commits or runs a run stands for
	runLevels    = 6
	maxRunLength = 1 << (5 * runLevels) // runWidth^runLevels
)

// tableComponent makes a component of a name from a table's name: lower-case
// letters, digits and "-" stay, another byte is "_" and two hex digits. What
// would be too long is "__" and its BLAKE3 in hex, which is nothing else's.
func tableComponent(table string) string {
	const hex, most = "0123456789abcdef", 160
	var b []byte
	for i := range len(table) {
		switch c := table[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			b = append(b, c)
		default:
			b = append(b, '_', hex[c>>4], hex[c&15])
		}
	}
	if len(b) > most {
		return fmt.Sprintf("__%x", blake3.Sum256([]byte(table)))
	}
	return string(b)
}

func (c *Catalog) commitName(n uint64) string {
	return fmt.Sprintf("%slog/%09d/%012d", c.dir, n/1000, n)
}

// catRun names a run.
type catRun struct {
	level int
	first uint64
}

func (r catRun) length() uint64 { return 1 << (5 * r.level) }
func (r catRun) last() uint64   { return r.first + r.length() - 1 }

func (c *Catalog) runName(r catRun) string {
	return fmt.Sprintf("%srun/%d-%012d-%012d", c.dir, r.level, r.first, r.last())
}

// parseRun reads a name that runName makes.
func (c *Catalog) parseRun(name string) (r catRun, ok bool) {
	var last uint64
	_, err := fmt.Sscanf(name, c.dir+"run/%d-%d-%d", &r.level, &r.first, &last)
	if err != nil || r.level < 1 || r.level > runLevels || r.first > math.MaxInt64 || r.first%r.length() != 1 {
		return catRun{}, false
	}
	return r, c.runName(r) == name
}

// fetch reads a whole file of at most limit bytes.
func (c *Catalog) fetch(ctx context.Context, name string, limit int) ([]byte, error) {
	r, err := c.a.Get(ctx, name, 0, int64(limit)+1)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(limit)+1))
	if err = errors.Join(err, r.Close()); err != nil {
		return nil, fmt.Errorf("get %s: %w", name, err)
	}
	if len(b) > limit {
		return nil, fmt.Errorf("get %s: %w", name, corruptCatalog("more than %d bytes", limit))
	}
	return b, nil
}

// catParallel is how many files are fetched at once.
const catParallel = 16

// fetchAll reads commits from first on, at once. The list ends before the first
// that is not there.
func (c *Catalog) fetchAll(ctx context.Context, first, n uint64) ([][]byte, error) {
	files := make([][]byte, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(catParallel)
	for i := range files {
		g.Go(func() error {
			b, err := c.fetch(ctx, c.commitName(first+uint64(i)), maxCommitFile)
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			files[i] = b
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

// decodeCommit decodes and keeps commit n.
func (c *Catalog) decodeCommit(n uint64, b []byte) (*catFile, error) {
	f, err := decodeCatalogFile(b, catalogCommit)
	if err == nil && (f.table != c.table || f.first != n) {
		err = corruptCatalog("commit %d of table %.80q", f.first, f.table)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.commitName(n), err)
	}
	c.cache.add(f)
	return f, nil
}

// readCommit gives commit n, and its bytes unless it was kept. The error wraps
// fs.ErrNotExist when there is none.
func (c *Catalog) readCommit(ctx context.Context, n uint64) (*catFile, []byte, error) {
	if f := c.cache.get(n); f != nil {
		return f, nil, nil
	}
	b, err := c.fetch(ctx, c.commitName(n), maxCommitFile)
	if err != nil {
		return nil, nil, err
	}
	f, err := c.decodeCommit(n, b)
	return f, b, err
}

// knownCommit gives a commit that was there once.
func (c *Catalog) knownCommit(ctx context.Context, n uint64) (*catFile, error) {
	f, _, err := c.readCommit(ctx, n)
	if errors.Is(err, fs.ErrNotExist) {
		c.verified.Store(false)
		return nil, corruptCatalog("commit %d of table %q is gone", n, c.table)
	}
	return f, err
}

func (c *Catalog) decodeRun(r catRun, b []byte) (*catFile, error) {
	f, err := decodeCatalogFile(b, catalogRun)
	if err == nil && (f.table != c.table || f.first != r.first || f.last != r.last()) {
		err = corruptCatalog("run %d to %d of table %.80q", f.first, f.last, f.table)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.runName(r), err)
	}
	return f, nil
}

func (c *Catalog) readRun(ctx context.Context, r catRun) (*catFile, []byte, error) {
	b, err := c.fetch(ctx, c.runName(r), maxRunFile)
	if err != nil {
		return nil, nil, err
	}
	f, err := c.decodeRun(r, b)
	return f, b, err
}

// errDiverged: the log is not the one that the replica was made from.
var errDiverged = errors.New("the catalogue was set back to an older state")

// verify finds out, with one small request, whether the log still has the commit
// where the replica stands. If not, what comes after it would be lost.
func (c *Catalog) verify(ctx context.Context, at catPlace) error {
	r, err := c.a.Get(ctx, c.commitName(at.number), 0, catalogIDEnd)
	if errors.Is(err, fs.ErrNotExist) {
		return errDiverged
	}
	if err != nil {
		return err
	}
	b, err := io.ReadAll(io.LimitReader(r, catalogIDEnd))
	if err = errors.Join(err, r.Close()); err != nil {
		return fmt.Errorf("get %s: %w", c.commitName(at.number), err)
	}
	id, err := checkCatalogHead(b, catalogCommit)
	if err != nil {
		return fmt.Errorf("%s: %w", c.commitName(at.number), err)
	}
	if id != at.id {
		return errDiverged
	}
	return nil
}
