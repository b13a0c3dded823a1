package objects

import (
	"context"
	"os"
	"time"

	"github.com/datafs/datafs/index"
)

// mark finds out what stays. The index knows all packs before anything is marked.
func (c *collector) mark(ctx context.Context) error {
	if _, err := c.s.takeIn(ctx, func(_ ID, err error) error { return err }); err != nil {
		return err
	}
	if !c.dry {
		if err := c.s.packs.CleanTemp(); err != nil {
			return err
		}
	}
	live, waiting, dead := &Marks{}, &Marks{}, &Marks{}
	for _, m := range []struct {
		fn    func(*Marks) error
		marks *Marks
	}{{c.opts.Live, live}, {c.opts.Waiting, waiting}, {c.opts.Dead, dead}} {
		if m.fn == nil {
			continue
		}
		if err := m.fn(m.marks); err != nil {
			return err
		}
	}
	c.live = &live.set
	pending, err := c.s.index.Pending(ctx, localSpace)
	if err != nil {
		return err
	}
	k := &keeper{c: c, waiting: &waiting.set, dead: &dead.set, pending: pending, partial: live.partial || waiting.partial || c.opts.Partial}
	if !c.dry {
		if err := c.s.Needed(ctx, live); err != nil {
			return err
		}
	}
	err = k.run(ctx)
	c.rep.Live = int64(c.live.len())
	return err
}

// keeper decides which of the chunks that no live tree reaches stay all the same.
type keeper struct {
	c             *collector
	waiting, dead *idSet
	pending       map[ID]bool // packs of writers that did not come to their end
	partial       bool        // parts of trees are not here
}

func (k *keeper) run(ctx context.Context) error {
	for id, err := range k.c.s.packs.IDs() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		_, entries, err := k.c.s.packs.Table(id)
		if err != nil {
			return err // a broken pack may hold what is needed: fsck first
		}
		fi, err := os.Stat(k.c.s.packs.Path(id))
		if err != nil {
			return err
		}
		k.pack(id, entries, fi.ModTime())
	}
	return nil
}

// pack adds to what is live the chunks of a pack that stay.
func (k *keeper) pack(id ID, entries []index.Entry, written time.Time) {
	live, rep, opts := k.c.live, k.c.rep, k.c.opts
	until := written.Add(opts.Grace)
	for _, e := range entries {
		switch {
		case live.has(e.ID):
			continue
		case k.waiting.has(e.ID):
			rep.Waiting += int64(e.Stored)
		case k.dead.has(e.ID) || k.pending[id]:
			continue
		case k.partial:
			rep.Unsure += int64(e.Stored)
		case opts.Grace > 0 && opts.Now.Before(until):
			rep.Waiting += int64(e.Stored)
			if rep.Until.IsZero() || until.Before(rep.Until) {
				rep.Until = until
			}
			k.c.aging[id] = true
		default:
			continue
		}
		live.add(e.ID)
	}
}
