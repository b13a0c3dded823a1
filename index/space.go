package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A space has three buckets and a record of counters. Numbers are
// little-endian, and the first bucket's name is followed by the space's:
//
//	.chunks/  chunk id -> pack number u32, offset u64, stored u32, raw u32, codec u8, filter u8
//	.packs/   pack id -> pack number u32, size u64
//	.numbers/ pack number (big-endian) -> pack id
//	.spaces   space -> next pack number u32, chunks u64
//
// Pack numbers are never used again, so that a location which outlives its pack
// leads nowhere rather than into another pack.
const (
	chunksPrefix  = ".chunks/"
	packsPrefix   = ".packs/"
	numbersPrefix = ".numbers/"
	spacesBucket  = ".spaces"

	chunkSize   = 22
	packSize    = 12
	counterSize = 12
)

// space is a space in a transaction.
type space struct {
	tx                     *Tx
	name                   string
	chunks, packs, numbers *bucket
	next                   uint32
	count                  uint64
	ids                    map[uint32]ID // of packs; zero: forgotten
}

func (tx *Tx) space(name string) (*space, error) {
	if name == "" || len(name) > MaxKey/2 {
		return nil, fmt.Errorf("space name %.40q is not allowed", name)
	}
	sp := &space{tx: tx, name: name, ids: map[uint32]ID{}}
	for prefix, b := range map[string]**bucket{chunksPrefix: &sp.chunks, packsPrefix: &sp.packs, numbersPrefix: &sp.numbers} {
		var err error
		if *b, err = tx.bucket(prefix + name); err != nil {
			return nil, err
		}
	}
	v, found, err := tx.read(spacesBucket, []byte(name), counterSize)
	if err != nil || !found {
		return sp, err
	}
	sp.next, sp.count = binary.LittleEndian.Uint32(v), binary.LittleEndian.Uint64(v[4:])
	return sp, nil
}

// read returns one of this package's own records.
func (tx *Tx) read(bucket string, key []byte, size int) ([]byte, bool, error) {
	b, err := tx.bucket(bucket)
	if err != nil {
		return nil, false, err
	}
	return b.sized(key, size)
}

// sized is get for values that have one length only.
func (b *bucket) sized(key []byte, size int) ([]byte, bool, error) {
	v, found, err := b.get(key)
	if found && err == nil && len(v) != size {
		err = fmt.Errorf("record %q of %q: %w: %d bytes instead of %d", key, b.name, ErrCorrupt, len(v), size)
	}
	return v, found, err
}

// save writes the counters.
func (sp *space) save() error {
	b, err := sp.tx.bucket(spacesBucket)
	if err != nil {
		return err
	}
	v := binary.LittleEndian.AppendUint32(nil, sp.next)
	b.put([]byte(sp.name), binary.LittleEndian.AppendUint64(v, sp.count))
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

// locate returns the place of a chunk. One whose pack is forgotten is not found.
func (sp *space) locate(id ID) (Loc, error) {
	v, found, err := sp.chunks.sized(id[:], chunkSize)
	if err != nil || !found {
		return Loc{Entry: Entry{ID: id}}, err
	}
	pack, err := sp.pack(binary.LittleEndian.Uint32(v))
	if err != nil || pack.IsZero() {
		return Loc{Entry: Entry{ID: id}}, err
	}
	return Loc{Entry: decodeEntry(id, v), Pack: pack, Found: true}, nil
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
	return sp.save()
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
	if sp.next == math.MaxUint32 {
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

// place records where a chunk lies, unless it has a place.
func (sp *space) place(e placed) error {
	v, found, err := sp.chunks.sized(e.ID[:], chunkSize)
	if err != nil {
		return err
	}
	if found {
		pack, err := sp.pack(binary.LittleEndian.Uint32(v))
		if err != nil || !pack.IsZero() {
			return err
		}
		sp.count--
	}
	sp.chunks.put(e.ID[:], encodeEntry(e.pack, e.Entry))
	sp.count++
	return nil
}

func (sp *space) remove(pack ID, entries []Entry) error {
	v, found, err := sp.packs.sized(pack[:], packSize)
	if err != nil || !found {
		return err
	}
	n := binary.LittleEndian.Uint32(v)
	for _, e := range entries {
		v, found, err := sp.chunks.sized(e.ID[:], chunkSize)
		if err != nil {
			return err
		}
		if !found || binary.LittleEndian.Uint32(v) != n {
			continue
		}
		if err := sp.chunks.delete(e.ID[:]); err != nil {
			return err
		}
		sp.count--
	}
	sp.ids[n] = ID{}
	if err := errors.Join(sp.packs.delete(pack[:]), sp.numbers.delete(number(n))); err != nil {
		return err
	}
	return sp.save()
}
