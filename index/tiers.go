package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
)

// A space's chunks lie in tiers, each much larger than the one above it, so
// that an insert among millions does not have to write a page for each chunk
// (O'Neil, Cheng, Gawlick, O'Neil, "The log-structured merge-tree", Acta
// Informatica 33, 1996). On top is the bucket .chunks/, whose records are the
// latest ones; below are tiers of runs, which do not overlap within one tier. A
// chunk's place is the first one that is found from above. A removed chunk is
// covered by a record without a pack.
const (
	tiersPrefix = ".runs/"

	// tiers is the number of tiers of runs.
	tiers = 3

	// noPack is the pack number of a chunk that was removed.
	noPack = math.MaxUint32
)

// limits say how many chunks belong where.
type limits struct {
	// recent is how many records the bucket may hold before they become runs.
	recent uint64

	// first and second bound the upper tiers; second grows with the third, so that
	// it holds as many times more than the first as the third does more than it:
	// then both cost the same.
	first, second uint64

	// run is how many chunks one run holds at most: no more than runMax.
	run int

	// fold is how many records become runs in the transaction that writes the last
	// of them. Where there are more, as in an index of an older version, part of
	// them do at a time.
	fold, part uint64

	// move is how many chunks a move to the tier below writes in one transaction,
	// about. It bounds the memory for it.
	move int
}

var defaultLimits = limits{recent: 1 << 13, first: 1 << 17, second: 1 << 20, run: runMax, fold: 1 << 17, part: 1 << 15, move: 160_000}

// most returns how many chunks a tier may hold.
func (sp *space) most(tier int) uint64 {
	switch tier {
	case 0:
		return sp.tx.limits.first
	case 1:
		all := sp.tiers[0] + sp.tiers[1] + sp.tiers[2]
		return max(sp.tx.limits.second, uint64(math.Sqrt(float64(sp.tx.limits.first)*float64(all))))
	}
	return math.MaxUint64
}

// runRef is a record of the directory: where a run begins, and its number.
type runRef struct {
	first  ID
	serial uint32
	count  int
}

// refSize is the length of a record of the directory: run's number u32, chunks
// u32. Its key is the tier u8 and the first id.
const refSize = 8

func refKey(tier int, first []byte) []byte { return append([]byte{byte(tier)}, first...) }

func (sp *space) decodeRef(it item) (runRef, error) {
	if len(it.key) != 1+len(ID{}) || len(it.value) != refSize {
		return runRef{}, fmt.Errorf("run %x of %q: %w: %d bytes", it.key, sp.name, ErrCorrupt, len(it.value))
	}
	return runRef{
		first:  ID(it.key[1:]),
		serial: binary.LittleEndian.Uint32(it.value),
		count:  int(binary.LittleEndian.Uint32(it.value[4:])),
	}, nil
}

// runs returns the runs of a tier in order.
func (sp *space) runs(tier int) ([]runRef, error) {
	var refs []runRef
	for it, err := range sp.dir.scan([]byte{byte(tier)}) {
		if err != nil {
			return nil, err
		}
		if it.key[0] != byte(tier) {
			break
		}
		ref, err := sp.decodeRef(it)
		if err != nil {
			return nil, err
		}
		refs = append(refs, ref)
	}
	return refs, nil
}

// finder finds chunks in a tier. It is quick when they are asked for in order.
type finder struct {
	sp    *space
	tier  int
	known bool   // what follows
	r     *run   // the right one for ids from first on, before next; nil: there is none
	first []byte // nil: from the first id on
	next  []byte // a key of the directory; nil: up to the last id of the tier
}

func (f *finder) find(id ID) ([]byte, bool, error) {
	if err := f.reach(id); err != nil || f.r == nil {
		return nil, false, err
	}
	return f.r.find(id)
}

// reach makes r the last run that begins at id or before.
func (f *finder) reach(id ID) error {
	key := refKey(f.tier, id[:])
	if f.known && (f.next == nil || bytes.Compare(key, f.next) < 0) && bytes.Compare(f.first, id[:]) <= 0 {
		return nil
	}
	*f = finder{sp: f.sp, tier: f.tier}
	c := f.sp.dir.base.cursor()
	if _, err := c.seek(after(key)); err != nil {
		return err
	}
	behind, err := f.at(c)
	if err != nil {
		return err
	}
	d, err := c.before()
	if err != nil {
		return err
	}
	here, err := f.at(d)
	if err != nil {
		return err
	}
	if behind != nil {
		f.next = refKey(f.tier, behind.first[:])
	}
	if here != nil {
		f.first = here.first[:]
		f.r, err = f.sp.tx.openRun(f.sp.name, here.serial, here.count)
	}
	f.known = err == nil
	return err
}

// at returns what the directory has under a cursor, nil when that is not of
// this tier.
func (f *finder) at(c *cursor) (*runRef, error) {
	if !c.valid() {
		return nil, nil
	}
	v, err := c.value()
	if err != nil || c.key()[0] != byte(f.tier) {
		return nil, err
	}
	ref, err := f.sp.decodeRef(item{c.key(), v})
	return &ref, err
}
