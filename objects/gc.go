package objects

import (
	"bufio"
	"context"
	"fmt"
	"os"

	"github.com/datafs/datafs/index"
)

// A pack is written anew when a quarter of it is garbage, or when it is small
// and there are others to gather with it.
const smallPack = targetPackSize / 4

// GCReport says what GC did, or would do.
type GCReport struct {
	Packs, Removed, Rewritten int64
	Live                      int64 // chunks and nodes kept
	Freed                     int64 // bytes
}

// GC removes the packs and chunks that no tree reaches and gathers small packs
// in large ones, copying stored bytes. It takes the store for itself: roots is
// called, to mark all trees that there are, when no writer is under way.
// Readers go on; what they read moves under them and is found again.
func (s *Store) GC(ctx context.Context, dry bool, roots func(*Marks) error) (rep GCReport, err error) {
	lock, err := s.lock(ctx, true)
	if err != nil {
		return rep, err
	}
	defer lock.Unlock()
	if !dry {
		if err := s.cleanTemp(); err != nil {
			return rep, err
		}
	}
	var live Marks
	if err := roots(&live); err != nil {
		return rep, err
	}
	rep.Live = int64(live.Len())
	c := &collector{s: s, dry: dry, live: &live.set, rep: &rep, buf: bufio.NewWriterSize(nil, 256<<10), there: map[ID]bool{}}
	if err := c.run(ctx); err != nil {
		c.abort()
		return rep, err
	}
	return rep, nil
}

type collector struct {
	s    *Store
	dry  bool
	live *idSet
	rep  *GCReport
	buf  *bufio.Writer
	out  *packWriter
	old  []index.Pack // whose live chunks are in out

	there map[ID]bool // packs with doubles, and whether they exist
}

func (c *collector) run(ctx context.Context) error {
	if !c.dry {
		if err := c.s.adopt(ctx); err != nil {
			return err
		}
	}
	packs, small, err := c.survey()
	if err != nil {
		return err
	}
	for _, id := range packs {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := c.pack(ctx, id, small > 1); err != nil {
			return err
		}
	}
	return c.flush(ctx)
}

// survey lists the packs that there are before any are made, and counts the
// small ones.
func (c *collector) survey() (packs []ID, small int, err error) {
	for id, err := range c.s.packIDs() {
		if err != nil {
			return nil, 0, err
		}
		packs = append(packs, id)
		if fi, err := os.Stat(packPath(c.s.dir, id)); err == nil && fi.Size() < smallPack {
			small++
		}
	}
	return packs, small, nil
}

// pack decides about one pack.
func (c *collector) pack(ctx context.Context, id ID, gather bool) error {
	size, entries, err := c.s.packTable(id)
	if err != nil {
		return err // a broken pack may hold what is needed: fsck first
	}
	c.rep.Packs++
	keep, garbage, err := c.sort(ctx, id, entries)
	if err != nil {
		return err
	}
	pack := index.Pack{ID: id, Size: size, Entries: entries}
	switch {
	case len(keep) == 0:
		c.rep.Removed++
		c.rep.Freed += size
		return c.replace(ctx, []index.Pack{pack}, index.Pack{})
	case garbage > size/4 || (gather && size < smallPack):
		c.rep.Rewritten++
		c.rep.Freed += garbage
		return c.rewrite(ctx, pack, keep)
	}
	return nil
}

// sort returns the chunks that a pack must keep, and the stored bytes of the
// others: those that are not live, and those that the index finds elsewhere, in
// a pack that is there.
func (c *collector) sort(ctx context.Context, id ID, entries []index.Entry) (keep []index.Entry, garbage int64, err error) {
	ids := make([]ID, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	locs, err := c.s.index.Locate(ctx, localSpace, ids)
	if err != nil {
		return nil, 0, err
	}
	for i, e := range entries {
		elsewhere := locs[i].Found && locs[i].Pack != id && c.exists(locs[i].Pack)
		if c.live.has(e.ID) && !elsewhere {
			keep = append(keep, e)
		} else {
			garbage += int64(e.Stored)
		}
	}
	return keep, garbage, nil
}

// exists says whether the file of a pack that holds a double is there.
func (c *collector) exists(id ID) bool {
	there, asked := c.there[id]
	if !asked {
		_, err := os.Stat(packPath(c.s.dir, id))
		there = err == nil
		c.there[id] = there
	}
	return there
}

// adopt registers the packs that the index does not know: a writer was killed
// when it had named them and not yet registered.
func (s *Store) adopt(ctx context.Context) error {
	known, err := s.knownPacks(ctx)
	if err != nil {
		return err
	}
	for id, err := range s.packIDs() {
		if err != nil {
			return err
		}
		if known[id] {
			continue
		}
		size, entries, err := s.packTable(id)
		if err != nil {
			return err
		}
		if err := s.index.AddPacks(ctx, localSpace, index.Pack{ID: id, Size: size, Entries: entries}); err != nil {
			return err
		}
	}
	return nil
}

// rewrite copies the chunks to keep into the open pack. They are verified on
// the way: a broken chunk is not carried on silently.
func (c *collector) rewrite(ctx context.Context, pack index.Pack, keep []index.Entry) (err error) {
	if c.dry {
		return nil
	}
	if c.out == nil {
		if c.out, err = newPackWriter(c.s.dir, c.buf); err != nil {
			return err
		}
	}
	f := fetcher{s: c.s}
	var raw, stored []byte
	for _, e := range keep {
		loc := index.Loc{Entry: e, Pack: pack.ID, Found: true}
		if raw, err = f.fetch(raw[:0], &loc); err != nil {
			return err
		}
		if stored, err = c.s.storedBytes(stored[:0], &loc); err != nil {
			return err
		}
		if err := c.out.add(e, stored); err != nil {
			return err
		}
	}
	c.old = append(c.old, pack)
	if c.out.full() {
		return c.flush(ctx)
	}
	return nil
}

// storedBytes reads a chunk as it is stored.
func (s *Store) storedBytes(dst []byte, loc *index.Loc) ([]byte, error) {
	pf, err := s.packs.acquire(loc.Pack)
	if err != nil {
		return dst, err
	}
	defer s.packs.release(pf)
	dst = grow(dst, int(loc.Stored))[:loc.Stored]
	_, err = pf.f.ReadAt(dst, int64(loc.Offset))
	return dst, err
}

// flush makes the open pack durable and lets the old ones go.
func (c *collector) flush(ctx context.Context) error {
	if c.out == nil {
		return nil
	}
	pack, err := c.out.commit()
	c.out = nil
	if err != nil {
		return err
	}
	old := c.old
	c.old = nil
	return c.replace(ctx, old, pack)
}

// replace makes the index forget old packs for a new one, and removes them. An
// old pack that is the new one, byte for byte, stays.
func (c *collector) replace(ctx context.Context, old []index.Pack, pack index.Pack) error {
	if c.dry {
		return nil
	}
	if err := c.s.index.ReplacePacks(ctx, localSpace, old, pack); err != nil {
		return err
	}
	for _, p := range old {
		if p.ID == pack.ID {
			continue
		}
		c.s.packs.forget(p.ID)
		if err := os.Remove(packPath(c.s.dir, p.ID)); err != nil {
			return fmt.Errorf("remove pack: %w", err)
		}
	}
	return nil
}

func (c *collector) abort() {
	if c.out != nil {
		c.out.discard()
	}
}
