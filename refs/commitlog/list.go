package commitlog

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"math"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/refs"
)

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }

func parseCursor(c refs.Cursor) (uint64, error) {
	if c == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(c), 10, 64)
	if err != nil || n == math.MaxUint64 {
		return 0, fmt.Errorf("unknown cursor %.80q: %w", c, fs.ErrInvalid)
	}
	return n, nil
}

// List implements refs.Manager. It reads the commits that hold the values, many
// at a time, so that a whole list costs about as many requests as there are
// commits that still count.
func (c *Manager) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	return func(yield func(refs.Record, error) bool) {
		if err := c.current(ctx); err != nil {
			yield(refs.Record{}, err)
			return
		}
		for after := ""; ; {
			list, err := c.listPage(ctx, prefix, after)
			if err != nil {
				yield(refs.Record{}, err)
				return
			}
			if len(list) == 0 {
				return
			}
			for _, r := range list {
				if !yield(r, nil) {
					return
				}
			}
			after = list[len(list)-1].Key
		}
	}
}

func (c *Manager) listPage(ctx context.Context, prefix, after string) ([]refs.Record, error) {
	keys, err := c.replica.page(ctx, prefix, after)
	if err != nil {
		return nil, err
	}
	return c.records(ctx, keys)
}

// records reads the values of keys.
func (c *Manager) records(ctx context.Context, keys []keyEntry) ([]refs.Record, error) {
	slots := map[uint64]map[string]int{} // by commit and key
	for i, k := range keys {
		if slots[k.rev] == nil {
			slots[k.rev] = map[string]int{}
		}
		slots[k.rev][k.key] = i
	}
	list := make([]refs.Record, len(keys))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel / 2)
	for _, rev := range slices.Sorted(maps.Keys(slots)) {
		g.Go(func() error { return c.pick(gctx, rev, slots[rev], list) })
	}
	err := g.Wait()
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return list, err
}

// pick puts the records of a commit into their slots.
func (c *Manager) pick(ctx context.Context, rev uint64, slots map[string]int, list []refs.Record) error {
	f, err := c.knownCommit(ctx, rev)
	if err != nil {
		return err
	}
	n := 0
	for _, change := range f.changes {
		if i, ok := slots[change.key]; ok && change.value != nil {
			list[i] = change.record()
			n++
		}
	}
	if n != len(slots) {
		return c.corrupt("commit %d lacks %d records", rev, len(slots)-n)
	}
	return nil
}

// Changes implements refs.Manager. A caller whose cursor is where this Manager
// was last costs each new commit one request, or less where runs cover them. A
// record that changes again while it is given may be given again.
func (c *Manager) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return func(yield func(refs.Record, error) bool) {
		err := c.changes(ctx, since, func(r refs.Record) bool { return yield(r, nil) })
		if err != nil {
			yield(refs.Record{}, err)
		}
	}
}

func (c *Manager) changes(ctx context.Context, since refs.Cursor, give func(refs.Record) bool) error {
	after, err := parseCursor(since)
	if err != nil {
		return err
	}
	spool, head, lost, err := c.catchUp(ctx, after)
	if err != nil {
		return err
	}
	if lost || after > head.number {
		after, spool = 0, nil
	}
	g := &giver{c: c, after: after, head: head.number, give: give}
	if spool != nil {
		for i := range spool.files {
			f, err := spool.files[i].decode()
			spool.files[i] = spooled{}
			if more, err := g.file(ctx, f, err); err != nil || !more {
				return err
			}
		}
		after = spool.end
	}
	if after >= head.number {
		return nil
	}
	w := &walker{c: c, at: place{number: after}, chained: after == 0, limit: head.number}
	for {
		f, _, err := w.next(ctx)
		if f == nil && err == nil {
			return nil
		}
		if more, err := g.file(ctx, f, err); err != nil || !more {
			return err
		}
	}
}

// catchUp brings the replica up to date, and keeps what it reads where it begins
// at the commit after.
func (c *Manager) catchUp(ctx context.Context, after uint64) (spool *spooler, head place, lost bool, err error) {
	if err := c.lock(ctx); err != nil {
		return nil, head, false, err
	}
	defer c.unlock()
	at, _, err := c.replica.look(ctx, nil)
	if err != nil {
		return nil, head, false, err
	}
	if at.number == after {
		spool = &spooler{end: after}
	}
	if lost, err = c.refresh(ctx, spool); err != nil {
		return nil, head, lost, err
	}
	head, _, err = c.replica.look(ctx, nil)
	return spool, head, lost, err
}

// giver gives the changes of files to a caller.
type giver struct {
	c           *Manager
	after, head uint64
	give        func(refs.Record) bool
}

// file gives those changes of a file that are the last ones of their keys, as
// far as that was known when all began, and reports whether the caller wants
// more. Amid a commit the cursor is that of the commit before.
func (g *giver) file(ctx context.Context, f *file, err error) (bool, error) {
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return false, err
	}
	last, err := g.lasting(ctx, f.changes)
	if err != nil {
		return false, err
	}
	for i, change := range last {
		r := change.record()
		if i+1 < len(last) && last[i+1].rev == change.rev {
			r.Cursor = refs.Cursor(decimal(change.rev - 1))
		}
		if !g.give(r) {
			return false, nil
		}
	}
	return true, nil
}

// lasting leaves out the changes that a later one up to the head stands for.
func (g *giver) lasting(ctx context.Context, changes []edit) ([]edit, error) {
	entries := make([]entry, len(changes))
	if slices.ContainsFunc(changes, func(c edit) bool { return c.rev < g.head }) { // else nothing is behind them
		keys := make([]string, len(changes))
		for i, change := range changes {
			keys[i] = change.key
		}
		var err error
		if _, entries, err = g.c.replica.look(ctx, keys); err != nil {
			return nil, err
		}
	}
	var last []edit
	for i, change := range changes {
		stale := entries[i].rev > change.rev && entries[i].rev <= g.head
		if change.rev > g.after && change.rev <= g.head && !stale {
			last = append(last, change)
		}
	}
	return last, nil
}
