package objects

import (
	"cmp"
	"slices"
	"sort"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// What a new chunk differs little from is found by its neighbours in the file:
// packs are in the order of files, so what lies beside a neighbour that is known
// already, at the same distance in bytes, stood in the chunk's place before. This
// needs neither the version before nor its name.
const (
	minDelta    = 4 << 10 // bytes of a chunk from which on a delta is tried
	nearReach   = 32      // chunks beside a neighbour that are looked at
	cachedPacks = 2       // tables
	plainRatio  = 64      // a chunk that is stored in so much less is a run of one value, and lies everywhere
)

// nearby finds bases and makes deltas, for one worker of a Writer.
type nearby struct {
	w      *Writer
	enc    *codec.Encoder
	diff   codec.DeltaEncoder
	f      fetcher
	places basePlaces // while the store's lock is held no base moves
	block  *index.Loc // the first of the block that was prepared last
	tables [cachedPacks]packOrder
	next   int

	delta, stored, joined []byte
}

// packOrder is a pack's table by offset.
type packOrder struct {
	id      ID
	entries []index.Entry
}

func newNearby(w *Writer, enc *codec.Encoder) *nearby {
	n := &nearby{w: w, enc: enc, f: fetcher{s: w.s}}
	n.f.reader().careful = true // a delta from a damaged base would fall with its repair
	return n
}

// encode sets the stored form of a new chunk of a block, as a delta where that
// is less than half of the whole. It reports false, having done nothing, where
// there is no base. Before it makes the whole form to compare, it takes the bases
// for a measure of that.
func (n *nearby) encode(b *batch, i int, locs []index.Loc) bool {
	c := &b.chunks[i]
	if c.len < minDelta {
		return false
	}
	n.prepare(locs)
	bases := n.best(b, i, locs)
	if bases == nil {
		return false
	}
	var ids []ID
	var raw, stored int
	for _, l := range bases {
		ids = append(ids, l.ID)
		raw, stored = raw+int(l.Raw), stored+int(l.Stored)
	}
	var err error
	if n.stored, err = n.enc.AppendDelta(n.stored[:0], ids, n.delta); err != nil {
		return false
	}
	end := len(b.out)
	if 2*len(n.stored) >= int(int64(c.len)*int64(stored)/int64(raw)) {
		if n.w.encode(n.enc, b, c); 2*len(n.stored) >= len(c.stored) {
			return true
		}
	}
	b.out = append(b.out[:end], n.stored...)
	c.stored, c.codec, c.filter = b.out[end:], codec.Delta, 0
	return true
}

// best makes the delta of a chunk from the bases beside the known chunk before
// it, or else the one behind it, and returns the bases.
func (n *nearby) best(b *batch, i int, locs []index.Loc) []index.Loc {
	c := &b.chunks[i]
	for _, step := range [...]int{-1, 1} {
		j := i + step
		for j >= 0 && j < len(locs) && !telling(&locs[j]) {
			j += step
		}
		if j < 0 || j >= len(locs) {
			continue
		}
		dist := c.off - (b.chunks[j].off + b.chunks[j].len)
		if step > 0 {
			dist = b.chunks[j].off - (c.off + c.len)
		}
		bases := n.beside(&locs[j], step, int64(dist), int64(c.len))
		if n.make(bases, b.buf[c.off:c.off+c.len]) {
			return bases
		}
	}
	return nil
}

// telling says whether the place of a chunk tells what lies beside it.
func telling(l *index.Loc) bool {
	return l.Found && (l.Codec == codec.Delta || int64(l.Stored)*plainRatio > int64(l.Raw))
}

// make makes the delta of raw from bases. It reports whether there is one.
func (n *nearby) make(bases []index.Loc, raw []byte) bool {
	if len(bases) == 0 {
		return false
	}
	n.joined = n.joined[:0]
	var base []byte
	for i := range bases {
		var err error
		if base, err = n.f.base(n.w.ctx, bases[i].ID, &bases[i]); err != nil {
			return false
		}
		if len(bases) > 1 {
			n.joined = append(n.joined, base...)
		}
	}
	if len(bases) > 1 {
		base = n.joined
	}
	n.delta = n.diff.Encode(n.delta[:0], base, raw)
	return len(n.delta) > 0
}

// beside returns the whole chunks that lie at a distance behind a known chunk, or
// with step 1 before it, and overlap the most with the size bytes there, in their
// order.
func (n *nearby) beside(known *index.Loc, step int, dist, size int64) []index.Loc {
	if known.Codec == codec.Delta {
		whole := n.basesOf(known)
		if len(whole) == 0 {
			return nil
		}
		if known = &whole[len(whole)-1]; step > 0 {
			known = &whole[0]
		}
	}
	step = -step // what is wanted lies on the other side of the neighbour
	entries := n.table(known.Pack)
	at := sort.Search(len(entries), func(i int) bool { return entries[i].Offset >= known.Offset })
	var near []overlap
	for off, reach := int64(0), 0; reach < nearReach && off < dist+size; reach++ {
		if at += step; at < 0 || at >= len(entries) {
			break
		}
		if over := min(dist+size, off+int64(entries[at].Raw)) - max(dist, off); over > 0 {
			near = append(near, overlap{at, over})
		}
		off += int64(entries[at].Raw)
	}
	return n.whole(known.Pack, entries, largest(near))
}

// overlap is a chunk of a table, and how many bytes of it are wanted.
type overlap struct {
	at   int
	size int64
}

// largest returns the places of the largest overlaps, in order.
func largest(list []overlap) []int {
	slices.SortStableFunc(list, func(a, b overlap) int { return cmp.Compare(b.size, a.size) })
	var at []int
	for _, o := range list[:min(len(list), codec.MaxBases)] {
		at = append(at, o.at)
	}
	slices.Sort(at)
	return at
}

// whole returns chunks of a pack, with the bases of deltas in place of these.
func (n *nearby) whole(pack ID, entries []index.Entry, at []int) (bases []index.Loc) {
	for _, i := range at {
		list := []index.Loc{{Entry: entries[i], Pack: pack, Found: true}}
		if entries[i].Codec == codec.Delta {
			list = n.basesOf(&list[0])
		}
		for _, l := range list {
			same := func(b index.Loc) bool { return b.ID == l.ID }
			if len(bases) < codec.MaxBases && l.Raw > 0 && !slices.ContainsFunc(bases, same) {
				bases = append(bases, l)
			}
		}
	}
	return bases
}

// basesOf returns where the bases of a delta lie, as far as they are whole.
func (n *nearby) basesOf(delta *index.Loc) (bases []index.Loc) {
	ids, err := n.w.s.deltaBases(delta)
	if err != nil {
		return nil
	}
	for _, id := range ids {
		l, ok := n.places.get(id)
		if !ok {
			locs, err := n.w.s.index.Locate(n.w.ctx, localSpace, []ID{id})
			if err != nil {
				return nil
			}
			n.places.put(locs)
			l = locs[0]
		}
		if l.Found && l.Codec != codec.Delta {
			bases = append(bases, l)
		}
	}
	return bases
}

// prepare looks up the bases of all known chunks of a block at once, before the
// first new chunk.
func (n *nearby) prepare(locs []index.Loc) {
	if n.block == &locs[0] {
		return
	}
	n.block = &locs[0]
	if ids := n.w.s.basesOf(locs); len(ids) > 0 {
		if found, err := n.w.s.index.Locate(n.w.ctx, localSpace, ids); err == nil {
			n.places.put(found)
		}
	}
}

// table returns the table of a pack by offset, nil when it cannot be read.
func (n *nearby) table(id ID) []index.Entry {
	for i := range n.tables {
		if n.tables[i].id == id {
			return n.tables[i].entries
		}
	}
	_, entries, err := n.w.s.packs.Table(id)
	if err != nil {
		return nil
	}
	slices.SortFunc(entries, func(a, b index.Entry) int { return cmp.Compare(a.Offset, b.Offset) })
	n.next = (n.next + 1) % len(n.tables)
	n.tables[n.next] = packOrder{id, entries}
	return entries
}
