package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// A space has four buckets, one for each run of its chunks, and a record of
// counters. Numbers are little-endian, and the name of a bucket is followed by
// the space's:
//
//	.chunks/  chunk id -> pack number u32, offset u64, stored u32, raw u32, codec u8, filter u8
//	.runs/    tier u8, first chunk id of a run -> number of the run u32, chunks u32
//	.packs/   pack id -> pack number u32, size u64
//	.numbers/ pack number (big-endian) -> pack id
//	.spaces   space -> next pack number u32, chunks u64, records in .chunks/ u64, next run u32, chunks of each tier 3 x u64
//	.bad/     chunk id -> nothing: its place is known to be bad
//	.pending/ pack id -> nothing: no version is known to need the pack yet
//
// An older version knew no runs and only the first two counters; where there are
// no more, all chunks are in .chunks/.
//
// Pack numbers are never used again, so that a location which outlives its pack
// leads nowhere rather than into another pack.
const (
	chunksPrefix  = ".chunks/"
	packsPrefix   = ".packs/"
	numbersPrefix = ".numbers/"
	badPrefix     = ".bad/"
	pendingPrefix = ".pending/"
	spacesBucket  = ".spaces"

	chunkSize      = 22
	packSize       = 12
	counterSize    = 12 + 8 + 4 + 8*tiers
	oldCounterSize = 12
)

// space is a space in a transaction.
type space struct {
	tx                     *Tx
	name                   string
	chunks, packs, numbers *bucket
	dir                    *bucket // of runs
	bad, pending           *bucket
	next                   uint32        // pack number
	count                  uint64        // chunks that have a place
	recent                 uint64        // records in chunks
	serial                 uint32        // of the next run
	tiers                  [tiers]uint64 // chunks in each
	finders                []*finder
	ids                    map[uint32]ID // of packs; zero: forgotten
}

func (tx *Tx) space(name string) (*space, error) {
	if name == "" || len(name) > MaxKey/2 {
		return nil, fmt.Errorf("space name %.40q is not allowed", name)
	}
	sp := &space{tx: tx, name: name, ids: map[uint32]ID{}}
	for prefix, b := range map[string]**bucket{
		chunksPrefix: &sp.chunks, tiersPrefix: &sp.dir, packsPrefix: &sp.packs, numbersPrefix: &sp.numbers,
		badPrefix: &sp.bad, pendingPrefix: &sp.pending,
	} {
		var err error
		if *b, err = tx.bucket(prefix + name); err != nil {
			return nil, err
		}
	}
	return sp, sp.load()
}

// inSpace makes of what is to be done in a space what a transaction does.
func inSpace(name string, fn func(*space) error) func(*Tx) error {
	return func(tx *Tx) error {
		sp, err := tx.space(name)
		if err != nil {
			return err
		}
		return fn(sp)
	}
}

// load reads the counters.
func (sp *space) load() error {
	b, err := sp.tx.bucket(spacesBucket)
	if err != nil {
		return err
	}
	v, found, err := b.get([]byte(sp.name))
	if err != nil || !found {
		return err
	}
	if len(v) != counterSize && len(v) != oldCounterSize {
		return fmt.Errorf("counters of space %q: %w: %d bytes", sp.name, ErrCorrupt, len(v))
	}
	sp.next, sp.count = binary.LittleEndian.Uint32(v), binary.LittleEndian.Uint64(v[4:])
	if len(v) == oldCounterSize {
		sp.recent = sp.count
		return nil
	}
	sp.recent, sp.serial = binary.LittleEndian.Uint64(v[12:]), binary.LittleEndian.Uint32(v[20:])
	for i := range sp.tiers {
		if sp.tiers[i] = binary.LittleEndian.Uint64(v[24+8*i:]); sp.tiers[i] > 0 {
			sp.finders = append(sp.finders, &finder{sp: sp, tier: i})
		}
	}
	if len(sp.finders) > 0 && sp.dir.base == nil {
		return sp.tx.s.corrupt("the runs of space %q are missing", sp.name)
	}
	return nil
}

// sized is get for values that have one length only.
func (b *bucket) sized(key []byte, size int) ([]byte, bool, error) {
	v, found, err := b.get(key)
	if found && err == nil && len(v) != size {
		err = fmt.Errorf("record %q of %q: %w: %d bytes instead of %d", key, b.name, ErrCorrupt, len(v), size)
	}
	return v, found, err
}

// save writes the counters, if they have changed.
func (sp *space) save() error {
	b, err := sp.tx.bucket(spacesBucket)
	if err != nil {
		return err
	}
	v := binary.LittleEndian.AppendUint32(nil, sp.next)
	v = binary.LittleEndian.AppendUint64(v, sp.count)
	v = binary.LittleEndian.AppendUint64(v, sp.recent)
	v = binary.LittleEndian.AppendUint32(v, sp.serial)
	for _, n := range sp.tiers {
		v = binary.LittleEndian.AppendUint64(v, n)
	}
	if old, _, err := b.get([]byte(sp.name)); err != nil || bytes.Equal(old, v) {
		return err
	}
	b.put([]byte(sp.name), v)
	return nil
}

// pack returns the pack of a number, zero when it is forgotten.
func (sp *space) pack(n uint32) (ID, error) {
	if id, ok := sp.ids[n]; ok {
		return id, nil
	}
	v, found, err := sp.numbers.sized(number(n), len(ID{}))
	if err != nil {
		return ID{}, err
	}
	var id ID
	if found {
		id = ID(v)
	}
	sp.ids[n] = id
	return id, nil
}

// found tells where a chunk's record was found.
type found int

const (
	nowhere found = iota
	above         // in the bucket
	below         // in a tier of runs
)

// find returns a chunk's record and where it lies. A chunk that was removed is
// nowhere or, when a record covers what lies below, above.
func (sp *space) find(id ID) ([]byte, found, error) {
	v, ok, err := sp.chunks.sized(id[:], chunkSize)
	if ok || err != nil {
		return v, above, err
	}
	for _, f := range sp.finders {
		if v, ok, err = f.find(id); ok || err != nil {
			return v, below, err
		}
	}
	return nil, nowhere, nil
}

// put sets a chunk's record, given where it was found.
func (sp *space) put(id ID, v []byte, was found) {
	if was != above {
		sp.recent++
	}
	sp.chunks.put(id[:], v)
}

// locate returns the place of a chunk. One whose pack is forgotten is not found.
func (sp *space) locate(id ID) (Loc, error) {
	v, where, err := sp.find(id)
	if err != nil || where == nowhere {
		return Loc{Entry: Entry{ID: id}}, err
	}
	pack, err := sp.pack(binary.LittleEndian.Uint32(v))
	if err != nil || pack.IsZero() {
		return Loc{Entry: Entry{ID: id}}, err
	}
	bad := false
	if sp.bad.exists() {
		_, bad, err = sp.bad.get(id[:])
	}
	return Loc{Entry: decodeEntry(id, v), Pack: pack, Found: true, Bad: bad}, err
}

func decodeEntry(id ID, v []byte) Entry {
	return Entry{
		ID:     id,
		Offset: binary.LittleEndian.Uint64(v[4:]),
		Stored: binary.LittleEndian.Uint32(v[12:]),
		Raw:    binary.LittleEndian.Uint32(v[16:]),
		Codec:  v[20],
		Filter: v[21],
	}
}

func encodeEntry(pack uint32, e Entry) []byte {
	v := binary.LittleEndian.AppendUint32(make([]byte, 0, chunkSize), pack)
	v = binary.LittleEndian.AppendUint64(v, e.Offset)
	v = binary.LittleEndian.AppendUint32(v, e.Stored)
	v = binary.LittleEndian.AppendUint32(v, e.Raw)
	return append(v, e.Codec, e.Filter)
}

// placed is an entry with the number of its pack.
type placed struct {
	Entry
	pack uint32
}

func (sp *space) add(packs []Pack) error {
	var all []placed
	for _, p := range packs {
		n, err := sp.register(p)
		if err != nil {
			return err
		}
		for _, e := range p.Entries {
			all = append(all, placed{e, n})
		}
	}
	// Stable, so that of two places in one call the first is kept.
	slices.SortStableFunc(all, func(a, b placed) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	for _, e := range all {
		if err := sp.place(e); err != nil {
			return err
		}
	}
	return nil
}

// register returns the number of a pack, a new one when it is not known.
func (sp *space) register(p Pack) (uint32, error) {
	if p.ID.IsZero() || p.Size < 0 {
		return 0, fmt.Errorf("pack %s of %d bytes is not allowed", p.ID, p.Size)
	}
	v, found, err := sp.packs.sized(p.ID[:], packSize)
	if err != nil {
		return 0, err
	}
	if found {
		return binary.LittleEndian.Uint32(v), nil
	}
	if sp.next == noPack {
		return 0, errors.New("all pack numbers are used up")
	}
	n := sp.next
	sp.next++
	v = binary.LittleEndian.AppendUint32(nil, n)
	sp.packs.put(p.ID[:], binary.LittleEndian.AppendUint64(v, uint64(p.Size)))
	sp.numbers.put(number(n), p.ID[:])
	sp.ids[n] = p.ID
	return n, nil
}

// place records where a chunk lies, unless it has a place that is as good.
func (sp *space) place(e placed) error {
	v, where, err := sp.find(e.ID)
	if err != nil {
		return err
	}
	if where != nowhere && binary.LittleEndian.Uint32(v) != noPack {
		keep, err := sp.keeps(v, e)
		if err != nil || keep {
			return err
		}
		sp.count--
	}
	sp.put(e.ID, encodeEntry(e.pack, e.Entry), where)
	sp.count++
	return sp.bad.delete(e.ID[:])
}

// keeps reports whether a chunk keeps its place, whose record is v, rather than
// taking that of e: unless its pack is forgotten, it is a delta there and whole
// in e, or it is known to be bad and e is another place.
func (sp *space) keeps(v []byte, e placed) (bool, error) {
	number := binary.LittleEndian.Uint32(v)
	pack, err := sp.pack(number)
	if err != nil || pack.IsZero() || v[chunkSize-2] == CodecDelta && e.Codec != CodecDelta {
		return false, err
	}
	_, bad, err := sp.bad.get(e.ID[:])
	return !bad || number == e.pack, err
}

func (sp *space) remove(pack ID, entries []Entry) error {
	v, found, err := sp.packs.sized(pack[:], packSize)
	if err != nil || !found {
		return err
	}
	n := binary.LittleEndian.Uint32(v)
	for _, e := range entries {
		v, where, err := sp.find(e.ID)
		if err != nil {
			return err
		}
		if where == nowhere || binary.LittleEndian.Uint32(v) != n {
			continue
		}
		if err := sp.erase(e.ID, where); err != nil {
			return err
		}
	}
	sp.ids[n] = ID{}
	return errors.Join(sp.packs.delete(pack[:]), sp.numbers.delete(number(n)), sp.pending.delete(pack[:]))
}

// erase removes a chunk that was found.
func (sp *space) erase(id ID, where found) error {
	sp.count--
	if err := sp.bad.delete(id[:]); err != nil {
		return err
	}
	if len(sp.finders) > 0 { // an older record may lie below
		sp.put(id, encodeEntry(noPack, Entry{}), where)
		return nil
	}
	sp.recent--
	return sp.chunks.delete(id[:])
}

// drop forgets the space.
func (sp *space) drop() error {
	for tier := range tiers {
		refs, err := sp.runs(tier)
		if err != nil {
			return err
		}
		for _, ref := range refs {
			if err := sp.dropRun(ref); err != nil {
				return err
			}
		}
	}
	for _, b := range []*bucket{sp.chunks, sp.dir, sp.packs, sp.numbers, sp.bad, sp.pending} {
		b.drop()
	}
	counters, err := sp.tx.bucket(spacesBucket)
	if err != nil {
		return err
	}
	return counters.delete([]byte(sp.name))
}
