package objects

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"

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
	c := &collector{s: s, dry: dry, live: &live.set, rep: &rep, buf: bufio.NewWriterSize(nil, 256<<10)}
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
	held *idSet // bases of the deltas that there are
	rep  *GCReport
	buf  *bufio.Writer
	out  *packWriter
	old  []index.Pack // whose live chunks are in out

	there map[ID]bool // packs with doubles, and whether they exist
	gone  map[ID]bool // packs whose dead deltas have been taken care of
	step  func()      // of a test: called before each pack
}

// run goes over all packs. A base stays as long as any delta from it is in a
// pack, be it dead: the index would still find that, and a new version would
// rely on it. So packs with dead deltas come first, and only then are the bases
// gathered that are left; whenever a run is broken off, each delta that there is
// has its bases.
func (c *collector) run(ctx context.Context) error {
	if !c.dry {
		if err := c.s.adopt(ctx); err != nil {
			return err
		}
	}
	dead, err := c.hold(ctx)
	if err != nil {
		return err
	}
	packs := c.rep.Packs
	if len(dead) > 0 {
		if err := c.round(ctx, dead); err != nil {
			return err
		}
		c.gone = dead
		if _, err := c.hold(ctx); err != nil {
			return err
		}
	}
	c.rep.Packs, c.rep.Live = packs, c.rep.Live+int64(c.held.len())
	return c.round(ctx, nil)
}

// round decides about all packs, or those that are in only.
func (c *collector) round(ctx context.Context, only map[ID]bool) error {
	c.there = map[ID]bool{}
	packs, small, err := c.survey()
	if err != nil {
		return err
	}
	for _, id := range packs {
		if only != nil && !only[id] || c.dry && c.gone[id] {
			continue
		}
		if c.step != nil {
			c.step()
		}
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
	keep, garbage, holding, err := c.sort(ctx, id, entries)
	if err != nil {
		return err
	}
	pack := index.Pack{ID: id, Size: size, Entries: entries}
	switch {
	case len(keep) == 0:
		c.rep.Removed++
		c.rep.Freed += size
		return c.replace(ctx, []index.Pack{pack}, index.Pack{})
	case garbage+holding > size/4 || (gather && size < smallPack):
		c.rep.Rewritten++
		c.rep.Freed += garbage
		return c.rewrite(ctx, pack, keep)
	}
	return nil
}

// sort returns the chunks that a pack must keep, and the stored bytes of the
// others: those that are not live, and those that the index finds elsewhere, in
// a pack that is there. holding is about what deltas among these hold in other
// packs.
func (c *collector) sort(ctx context.Context, id ID, entries []index.Entry) (keep []index.Entry, garbage, holding int64, err error) {
	ids := make([]ID, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	locs, err := c.s.index.Locate(ctx, localSpace, ids)
	if err != nil {
		return nil, 0, 0, err
	}
	for i, e := range entries {
		l := &locs[i]
		elsewhere := l.Found && l.Pack != id && (l.Codec != codecDelta || e.Codec == codecDelta) && c.exists(l.Pack)
		if c.needs(e.ID) && !elsewhere {
			keep = append(keep, e)
			continue
		}
		garbage += int64(e.Stored)
		if e.Codec == codecDelta {
			holding += int64(e.Raw)
		}
	}
	// In the order of files, in which they will be read.
	slices.SortFunc(keep, func(a, b index.Entry) int { return cmp.Compare(a.Offset, b.Offset) })
	return keep, garbage, holding, nil
}

func (c *collector) needs(id ID) bool { return c.live.has(id) || c.held.has(id) }

// hold notes the bases of all deltas that there are, and returns the packs that
// have dead ones.
func (c *collector) hold(ctx context.Context) (dead map[ID]bool, err error) {
	c.held, dead, c.rep.Packs = &idSet{}, map[ID]bool{}, 0
	var deltas []index.Loc
	for id, err := range c.s.packIDs() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		_, entries, err := c.s.packTable(id)
		if err != nil {
			return nil, err // a broken pack may hold what is needed: fsck first
		}
		deltas = deltas[:0]
		for _, e := range entries {
			if e.Codec == codecDelta && !(c.gone[id] && c.dry && !c.live.has(e.ID)) {
				deltas = append(deltas, index.Loc{Entry: e, Pack: id, Found: true})
			}
		}
		if err := c.holdFor(ctx, deltas); err != nil {
			return nil, err
		}
		c.rep.Packs++
		dead[id] = slices.ContainsFunc(deltas, func(l index.Loc) bool { return !c.live.has(l.ID) })
	}
	maps.DeleteFunc(dead, func(_ ID, yes bool) bool { return !yes })
	return dead, nil
}

// holdFor notes the bases of deltas. A live one whose base is not there is an
// error: its head may be damaged, and name others than it needs.
func (c *collector) holdFor(ctx context.Context, deltas []index.Loc) error {
	return c.s.eachBase(ctx, deltas, func(delta, base *index.Loc, err error) error {
		if err != nil && c.live.has(delta.ID) && !c.dry {
			return err
		}
		if base != nil && !c.live.has(base.ID) {
			c.held.add(base.ID)
		}
		return nil
	})
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
		if raw, err = f.fetch(ctx, raw[:0], &loc); err != nil {
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
