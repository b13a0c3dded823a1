package commitlog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/refs"
)

// walker goes forward in the log of a table. The first commits it reads one
// by one, as there are seldom more; then it looks for runs, and reads what they
// do not cover several at a time. It is for one goroutine.
type walker struct {
	c       *Manager
	at      place
	chained bool   // at.id is known
	limit   uint64 // where to stop; 0: at the end of the log

	singles int
	runs    map[Run]bool // nil: not looked for yet
	width   uint64       // of the last fetch
	ahead   [][]byte     // commits after at
	ended   bool         // what comes after ahead is not there
}

const (
	singles = 4
	maxRuns = 1 << 20 // runs that are taken note of
)

// next gives the next commit or run, as it was stored unless that is not known,
// or nil at the end. Of a run that begins at or before the walker's place only
// the changes behind it are given.
func (w *walker) next(ctx context.Context) (*file, []byte, error) {
	if w.limit > 0 && w.at.number >= w.limit {
		return nil, nil, nil
	}
	f, stored, err := w.read(ctx)
	if errors.Is(err, errNoCommit) {
		if w.limit > 0 {
			return nil, nil, w.c.corrupt("commit %d of table %q is gone", w.at.number+1, w.c.opts.Table)
		}
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if w.chained && f.first == w.at.number+1 && f.prev != w.at.id {
		return nil, nil, errDiverged
	}
	if f.first <= w.at.number {
		f = f.after(w.at.number)
	}
	w.at, w.chained = place{f.last, f.id}, true
	return f, stored, nil
}

// after gives a run without the changes up to a commit.
func (f *file) after(number uint64) *file {
	i, _ := slices.BinarySearchFunc(f.changes, number+1, func(c edit, n uint64) int {
		if c.rev < n {
			return -1
		}
		return 1
	})
	short := *f
	short.changes = f.changes[i:]
	return &short
}

func (w *walker) read(ctx context.Context) (*file, []byte, error) {
	n := w.at.number + 1
	if len(w.ahead) > 0 {
		b := w.ahead[0]
		w.ahead[0], w.ahead = nil, w.ahead[1:]
		f, err := w.c.decodeCommit(n, b)
		return f, b, err
	}
	if w.ended {
		return nil, nil, errNoCommit
	}
	if w.singles < singles && (w.singles == 0 || w.c.opts.Ahead == 0) {
		w.singles++
		return w.c.readCommit(ctx, n)
	}
	if f := w.c.cache.get(n); f != nil {
		return f, nil, nil
	}
	if err := w.lookForRuns(ctx); err != nil {
		return nil, nil, err
	}
	if f, b, err := w.readRun(ctx, n); f != nil || err != nil {
		return f, b, err
	}
	if err := w.fill(ctx, n); err != nil {
		return nil, nil, err
	}
	return w.read(ctx)
}

// lookForRuns lists the runs, once. Who may not list goes without.
func (w *walker) lookForRuns(ctx context.Context) error {
	if w.runs != nil {
		return nil
	}
	w.runs = map[Run]bool{}
	if w.c.opts.Runs == nil {
		return nil
	}
	for r, err := range w.c.opts.Runs.List(ctx) {
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list the runs of table %q: %w", w.c.opts.Table, err)
		}
		if r.Valid() && r.Last() > w.at.number && len(w.runs) < maxRuns {
			w.runs[r] = true
		}
	}
	return nil
}

// readRun reads the run that leads furthest from commit n on, if there is one of
// which no more than half lies before n. A broken one is no loss.
func (w *walker) readRun(ctx context.Context, n uint64) (*file, []byte, error) {
	for level := runLevels; level > 0; level-- {
		r := Run{Level: level}
		r.First = (n-1)/r.length()*r.length() + 1
		tooFar := w.limit > 0 && r.Last() > w.limit
		if !w.runs[r] || tooFar || n-r.First > r.Last()-n+1 {
			continue
		}
		f, b, err := w.c.readRun(ctx, r)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, refs.ErrCorrupt) {
			return f, b, err
		}
		delete(w.runs, r)
	}
	return nil, nil, nil
}

// fill fetches commits from n on, more each time, up to the next run.
func (w *walker) fill(ctx context.Context, n uint64) (err error) {
	if w.width = min(max(2, 2*w.width), parallel); w.c.opts.Ahead > 0 {
		w.width = uint64(w.c.opts.Ahead)
	}
	width := w.width
	if w.limit > 0 {
		width = min(width, w.limit-n+1)
	}
	if start := (n-1)/runWidth*runWidth + runWidth + 1; w.runBegins(start) {
		width = min(width, start-n)
	}
	w.ahead, err = w.c.log.Commits(ctx, n, int(width))
	w.ended = uint64(len(w.ahead)) < width
	return err
}

func (w *walker) runBegins(first uint64) bool {
	for level := 1; level <= runLevels; level++ {
		if w.runs[Run{level, first}] {
			return true
		}
	}
	return false
}

// spooler keeps what a walk has fetched, compressed, so that it need not be
// fetched again to be given to somebody.
type spooler struct {
	end   uint64 // the commit up to which it is whole
	files []spooled
	bytes int
}

// spooled is a file: bytes of a kind, or decoded.
type spooled struct {
	before uint64 // the place of the walk before it
	kind   byte
	stored []byte
	file   *file
}

// spoolBytes is how many bytes are spooled; what comes after is fetched again.
const spoolBytes = 64 << 20

// add keeps a file that a walk met when it stood at before.
func (s *spooler) add(before uint64, f *file, stored []byte) {
	size := len(stored)
	if stored == nil {
		size = f.size
	}
	if s == nil || before != s.end || s.bytes+size > spoolBytes {
		return
	}
	item := spooled{before: before, kind: f.kind, stored: stored}
	if stored == nil {
		item.file = f
	}
	s.files, s.bytes, s.end = append(s.files, item), s.bytes+size, f.last
}

func (s spooled) decode() (*file, error) {
	if s.file != nil {
		return s.file, nil
	}
	f, err := decodeFile(s.stored, s.kind)
	if err != nil {
		return nil, err
	}
	return f.after(s.before), nil
}

// Walk calls fn with each commit behind number after, and its changes, up to the
// end of the log. What is deleted has no value. An error of fn ends the walk.
func (c *Manager) Walk(ctx context.Context, after uint64, fn func(n uint64, changes []refs.Record) error) error {
	w := &walker{c: c, at: place{number: after}}
	for {
		f, _, err := w.next(ctx)
		if f == nil || err != nil {
			return err
		}
		changes := make([]refs.Record, len(f.changes))
		for i, e := range f.changes {
			changes[i] = e.record()
		}
		if err := fn(f.last, changes); err != nil {
			return err
		}
	}
}
