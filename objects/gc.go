package objects

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"github.com/datafs/datafs/objects/pack"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// A pack is written anew when a quarter of it is garbage, or when it is small
// and there are others to gather with it.
const smallPack = pack.TargetSize / 4

// GCOptions say what GC may let go.
type GCOptions struct {
	Dry     bool
	Partial bool          // content of which nothing is known may be needed
	Grace   time.Duration // content of which nothing is known stays for so long after it was written
	Now     time.Time

	// Live marks all trees that there are. The next two may be nil: Waiting marks
	// those that were deleted and stay for now, Dead those that need not stay.
	Live, Waiting, Dead func(*Marks) error
}

// GCReport says what GC did, or would do. Sizes are in stored bytes.
type GCReport struct {
	Packs, Removed, Rewritten int64
	Live                      int64 // chunks and nodes kept
	Freed                     int64

	Waiting int64     // of deleted and of unknown content that stays until its time has come
	Until   time.Time // when that of the unknown content has come; zero: there is none
	Unsure  int64     // of content that may belong to versions of which parts are not here
	NoRoom  bool      // the disk is full, and packs that hold some garbage stay as they are
}

// GC removes the packs and chunks that no tree reaches and gathers small packs
// in large ones, copying stored bytes. It takes the store for itself: the options'
// functions are called, to mark trees, when no writer is under way. Readers go on;
// what they read moves under them and is found again.
//
// First it takes in the packs that the index does not know; one that cannot be read
// may hold what is needed, and is an error. What no tree reaches goes at once if it
// is known to be garbage: what dead trees reach, or what a writer left that did not
// come to its end. Of the rest nothing is known. It stays for the grace period, and
// for as long as trees have parts that are not here, which may need it.
func (s *Store) GC(ctx context.Context, opts *GCOptions) (rep GCReport, err error) {
	lock, err := s.lock(ctx, true)
	if err != nil {
		return rep, err
	}
	defer lock.Unlock()
	c := &collector{s: s, dry: opts.Dry, opts: opts, rep: &rep, buf: bufio.NewWriterSize(nil, 256<<10), aging: map[ID]bool{}}
	if err := c.mark(ctx); err != nil {
		return rep, err
	}
	if err := c.run(ctx); err != nil {
		c.abort()
		return rep, err
	}
	return rep, nil
}

type collector struct {
	s    *Store
	dry  bool
	opts *GCOptions
	live *idSet // what stays
	held *idSet // bases of the deltas that there are
	rep  *GCReport
	buf  *bufio.Writer
	out  *pack.Writer
	old  []index.Pack // whose live chunks are in out

	aging map[ID]bool // packs with content that stays for now, because they are young
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

// round decides about all packs, or those that are in only. Packs of which nothing
// stays go first: that needs no room on the disk, and makes some.
func (c *collector) round(ctx context.Context, only map[ID]bool) error {
	c.there = map[ID]bool{}
	packs, small, err := c.survey()
	if err != nil {
		return err
	}
	var rewrite []ID
	for _, id := range packs {
		if only != nil && !only[id] || c.dry && c.gone[id] {
			continue
		}
		if err := c.next(ctx); err != nil {
			return err
		}
		worth, err := c.pack(ctx, id, small > 1)
		if err != nil {
			return err
		}
		if worth {
			rewrite = append(rewrite, id)
		}
	}
	for _, id := range rewrite {
		if err := c.next(ctx); err != nil {
			return err
		}
		if err := c.rewrite(ctx, id); err != nil {
			return c.full(err)
		}
	}
	return c.full(c.flush(ctx))
}

// next comes before each pack.
func (c *collector) next(ctx context.Context) error {
	if c.step != nil {
		c.step()
	}
	return ctx.Err()
}

// full makes no error of a full disk: what could be freed is freed.
func (c *collector) full(err error) error {
	if !errors.Is(err, syscall.ENOSPC) {
		return err
	}
	c.abort()
	c.out, c.old, c.rep.NoRoom = nil, nil, true
	return nil
}

// survey lists the packs that there are before any are made, and counts the
// small ones.
func (c *collector) survey() (packs []ID, small int, err error) {
	for id, err := range c.s.packs.IDs() {
		if err != nil {
			return nil, 0, err
		}
		packs = append(packs, id)
		if fi, err := os.Stat(c.s.packs.Path(id)); err == nil && fi.Size() < smallPack {
			small++
		}
	}
	return packs, small, nil
}

// pack removes a pack of which nothing stays, and reports whether another one is
// worth rewriting.
func (c *collector) pack(ctx context.Context, id ID, gather bool) (rewrite bool, err error) {
	size, entries, err := c.s.packs.Table(id)
	if err != nil {
		return false, err // a broken pack may hold what is needed: fsck first
	}
	keep, garbage, holding, err := c.sort(ctx, id, entries)
	if err != nil {
		return false, err
	}
	if len(keep) == 0 {
		c.rep.Removed++
		c.rep.Freed += size
		return false, c.replace(ctx, []index.Pack{{ID: id, Size: size, Entries: entries}}, index.Pack{})
	}
	if c.aging[id] {
		return false, nil // a new pack would be young again
	}
	return garbage+holding > size/4 || gather && size < smallPack, nil
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
		elsewhere := l.Found && l.Pack != id && (l.Codec != codec.Delta || e.Codec == codec.Delta) && c.exists(l.Pack)
		if c.needs(e.ID) && !elsewhere {
			keep = append(keep, e)
			continue
		}
		garbage += int64(e.Stored)
		if e.Codec == codec.Delta {
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
	for id, err := range c.s.packs.IDs() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		_, entries, err := c.s.packs.Table(id)
		if err != nil {
			return nil, err // a broken pack may hold what is needed: fsck first
		}
		deltas = deltas[:0]
		for _, e := range entries {
			if e.Codec == codec.Delta && !(c.gone[id] && c.dry && !c.live.has(e.ID)) {
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
			if is, e := c.s.isPlace(ctx, delta); is || e != nil {
				return errors.Join(err, e)
			}
		}
		if base != nil && !c.live.has(base.ID) {
			c.held.add(base.ID)
		}
		return nil
	})
}

// isPlace reports whether a copy of a chunk is the one that is read.
func (s *Store) isPlace(ctx context.Context, loc *index.Loc) (bool, error) {
	locs, err := s.index.Locate(ctx, localSpace, []ID{loc.ID})
	return err == nil && (!locs[0].Found || locs[0].Pack == loc.Pack), err
}

// exists says whether the file of a pack that holds a double is there.
func (c *collector) exists(id ID) bool {
	there, asked := c.there[id]
	if !asked {
		_, err := os.Stat(c.s.packs.Path(id))
		there = err == nil
		c.there[id] = there
	}
	return there
}

// rewrite copies the chunks of a pack that stay into the open pack. They are
// verified on the way: a broken chunk is not carried on silently.
func (c *collector) rewrite(ctx context.Context, id ID) error {
	size, entries, err := c.s.packs.Table(id)
	if err != nil {
		return err
	}
	keep, garbage, _, err := c.sort(ctx, id, entries)
	if err != nil {
		return err
	}
	c.rep.Rewritten++
	c.rep.Freed += garbage
	if c.dry {
		return nil
	}
	pack := index.Pack{ID: id, Size: size, Entries: entries}
	if c.out == nil {
		if c.out, err = c.s.packs.NewWriter(c.buf); err != nil {
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
		if err := c.out.Add(e, stored); err != nil {
			return err
		}
	}
	c.old = append(c.old, pack)
	if c.out.Full() {
		return c.flush(ctx)
	}
	return nil
}

// storedBytes reads a chunk as it is stored.
func (s *Store) storedBytes(dst []byte, loc *index.Loc) ([]byte, error) {
	pf, err := s.packs.Acquire(loc.Pack)
	if err != nil {
		return dst, err
	}
	defer s.packs.Release(pf)
	dst = codec.Grow(dst, int(loc.Stored))[:loc.Stored]
	_, err = pf.ReadAt(dst, int64(loc.Offset))
	return dst, err
}

// flush makes the open pack durable and lets the old ones go.
func (c *collector) flush(ctx context.Context) error {
	if c.out == nil {
		return nil
	}
	pack, err := c.out.Commit()
	c.out = nil
	if err != nil {
		return err
	}
	old := c.old
	c.old = nil
	err = c.replace(ctx, old, pack)
	if errors.Is(err, syscall.ENOSPC) && !slices.ContainsFunc(old, func(p index.Pack) bool { return p.ID == pack.ID }) {
		err = errors.Join(err, os.Remove(c.s.packs.Path(pack.ID))) // the index does not know it
	}
	return err
}

// replace makes the index forget old packs for a new one, and removes them. An
// old pack that is the new one, byte for byte, stays. On a full disk packs that
// nobody needs go first, which makes room for the index.
func (c *collector) replace(ctx context.Context, old []index.Pack, pack index.Pack) error {
	if c.dry {
		return nil
	}
	err := c.s.index.ReplacePacks(ctx, localSpace, old, pack)
	full := pack.ID.IsZero() && errors.Is(err, syscall.ENOSPC)
	if err != nil && !full {
		return err
	}
	for _, p := range old {
		if p.ID == pack.ID {
			continue
		}
		c.s.packs.Forget(p.ID)
		if err := os.Remove(c.s.packs.Path(p.ID)); err != nil {
			return fmt.Errorf("remove pack: %w", err)
		}
	}
	if full {
		return c.s.index.ReplacePacks(ctx, localSpace, old, pack)
	}
	return nil
}

func (c *collector) abort() {
	if c.out != nil {
		c.out.Discard()
	}
}
