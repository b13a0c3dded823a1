package docdb

import (
	"context"
	"fmt"
	"iter"
	"math"
	"strconv"
	"sync"
	"time"

	"github.com/datafs/datafs/refs"
)

// How long a reader pauses before it looks again at a pending entry.
const (
	minPause = 20 * time.Millisecond
	maxPause = time.Second
)

// Changes implements refs.Manager. It gives what had changed when it began.
func (m *Manager) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return func(yield func(refs.Record, error) bool) {
		w := &walk{m: m, yield: yield}
		err := w.run(ctx, since)
		if w.flush(); err != nil && !w.stopped {
			yield(refs.Record{}, err)
		}
	}
}

func cursorOf(n int64) refs.Cursor { return refs.Cursor(strconv.FormatInt(n, 10)) }

func parseCursor(c refs.Cursor) (int64, error) {
	if c == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(c), 10, 63)
	if err != nil || n == math.MaxInt64 {
		return 0, fmt.Errorf("unknown cursor %.40q", string(c))
	}
	return int64(n), nil
}

// walk is one way through the log.
type walk struct {
	m       *Manager
	yield   func(refs.Record, error) bool
	stopped bool         // by the caller
	head    int64        // where it ends
	done    int64        // the last entry all of whose records were given
	held    *refs.Record // the next to be given, when its cursor is known
	stale   int64        // entries up to this one were pending when the patience with one before began
}

func (w *walk) run(ctx context.Context, since refs.Cursor) (err error) {
	if w.done, err = parseCursor(since); err != nil {
		return err
	}
	if w.head, err = w.m.store.Head(ctx); err != nil {
		return err
	}
	if w.done > w.head { // a future that was lost
		w.done = 0
	}
	for w.done < w.head && !w.stopped {
		page, err := w.page(ctx)
		if err != nil {
			return err
		}
		if err := w.give(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// page gives the next entries, all done and without a gap; at least one.
func (w *walk) page(ctx context.Context) ([]Entry, error) {
	limit, wait, waited, seen := MaxRead, minPause, time.Duration(0), int64(0)
	for {
		page, err := w.m.store.Read(ctx, w.done, int(min(int64(limit), w.head-w.done)))
		if err != nil {
			return nil, err
		}
		if n := ready(page, w.done); n > 0 {
			return page[:n], nil
		}
		if limit > 1 && len(page) > 0 {
			seen = page[len(page)-1].N
		}
		if limit = 1; waited >= w.m.opts.Patience || w.stale > w.done {
			w.stale = max(w.stale, seen)
			return w.settle(ctx, page)
		}
		if err := w.m.opts.Pause(ctx, wait); err != nil {
			return nil, err
		}
		waited, wait = waited+wait, min(2*wait, maxPause)
	}
}

// ready says how many entries from after+1 on are done. A database that looks at
// one entry after another may miss one and see the next, if both were appended
// meanwhile.
func ready(page []Entry, after int64) int {
	for i, e := range page {
		if !e.Done || e.N != after+1+int64(i) {
			return i
		}
	}
	return len(page)
}

// settle settles the entry that nobody is going to finish.
func (w *walk) settle(ctx context.Context, page []Entry) ([]Entry, error) {
	if len(page) == 0 || page[0].N != w.done+1 {
		return nil, fmt.Errorf("the log of writes lacks entry %d: %w", w.done+1, refs.ErrCorrupt)
	}
	if _, err := w.m.settle(ctx, page[0]); err != nil {
		return nil, err
	}
	page, err := w.m.store.Read(ctx, w.done, 1)
	if err == nil && ready(page, w.done) == 0 {
		err = fmt.Errorf("write %d does not come to an end: %w", w.done+1, refs.ErrUnavailable)
	}
	return page, err
}

// give gives the records of a page.
func (w *walk) give(ctx context.Context, page []Entry) error {
	chunks := cut(page)
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for i, started := 0, 0; i < len(chunks); i++ {
		for ; started < len(chunks) && started <= i+ahead; started++ {
			c := chunks[started]
			wg.Go(func() { w.m.fetch(ctx, c) })
		}
		<-chunks[i].ready
		if err := w.giveChunk(chunks[i]); err != nil || w.stopped {
			return err
		}
		chunks[i] = nil
	}
	w.done = page[len(page)-1].N
	return ctx.Err()
}

func (w *walk) giveChunk(c *chunk) error {
	if c.err != nil {
		return c.err
	}
	for _, item := range c.items {
		d, there := c.docs[item.Key]
		r, ok, err := w.record(item, d, there && !d.Void)
		if err != nil {
			return err
		}
		w.done = item.n - 1
		if ok && !w.next(r) {
			return nil
		}
	}
	return nil
}

// record gives what there is to say of a record at an entry that changed it.
//
// A record is given at the entry whose number it has; one that was changed after
// the walk began is given at once. A deletion is given unless there is a record
// of a lower number: that was created after the deletion, by a writer that had
// its place in the log before, and was given at that place.
func (w *walk) record(c item, d Doc, there bool) (r refs.Record, ok bool, err error) {
	switch {
	case c.Delete:
		return refs.Record{Key: c.Key, Deleted: true}, !there || d.number() > c.n, nil
	case there && (d.number() == c.n || d.number() > w.head):
		r, err = d.record()
		return r, err == nil, err
	}
	return r, false, nil
}

// next gives the record that is held and holds r: only at the next one is it known
// whether r was the last of its entry, so that its cursor is behind that entry.
func (w *walk) next(r refs.Record) bool {
	w.flush()
	w.held = &r
	return !w.stopped
}

func (w *walk) flush() {
	if w.held == nil || w.stopped {
		return
	}
	r := *w.held
	w.held, r.Cursor = nil, cursorOf(w.done)
	w.stopped = !w.yield(r, nil)
}
