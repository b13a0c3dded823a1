package index

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
)

// Entry says where in a pack a chunk lies and how it is stored there. Offset
// and lengths are in bytes.
type Entry struct {
	ID            ID
	Offset        uint64
	Stored, Raw   uint32
	Codec, Filter uint8
}

// CodecDelta is the codec of a chunk that is stored as the difference from other
// chunks, its bases. Where a chunk lies in several packs, a place where it is
// whole goes before one where it is a delta: so a base is found whole as long as
// it is whole anywhere.
const CodecDelta = 3

// Loc is the place of a chunk. Where Found is false only ID is set. Bad says that
// MarkBad named the chunk and that it has no other place since.
type Loc struct {
	Entry
	Pack       ID
	Found, Bad bool
}

// Pack is a file of chunks. Size is in bytes.
type Pack struct {
	ID      ID
	Size    int64
	Entries []Entry
}

// addBatch is how many entries AddPacks takes into one transaction, unless
// a single pack has more.
const addBatch = 1 << 16

// AccessError is the error of a question that the index could not answer, since it
// could not be locked or read, say. Nothing follows for what was asked about.
type AccessError struct{ Err error }

func (e *AccessError) Error() string { return e.Err.Error() }
func (e *AccessError) Unwrap() error { return e.Err }

// Locate returns the places of chunks in a space, each in the slot of its id. An
// error is an AccessError.
func (db *DB) Locate(ctx context.Context, name string, ids []ID) ([]Loc, error) {
	locs, _, err := db.LocateWith(ctx, name, ids, nil)
	return locs, err
}

// LocateWith is Locate, and, in the same transaction, for more chunks that are
// wanted when the places of the first are known. A nil more wants none.
func (db *DB) LocateWith(ctx context.Context, name string, ids []ID, more func([]Loc) []ID) (locs, others []Loc, err error) {
	err = db.View(ctx, inSpace(name, func(sp *space) (err error) {
		if locs, err = sp.locateAll(ctx, ids); err != nil || more == nil {
			return err
		}
		others, err = sp.locateAll(ctx, more(locs))
		return err
	}))
	if err != nil {
		return nil, nil, &AccessError{fmt.Errorf("locate chunks: %w", err)}
	}
	return locs, others, nil
}

func (sp *space) locateAll(ctx context.Context, ids []ID) (locs []Loc, err error) {
	locs = make([]Loc, len(ids))
	order := make([]int, len(ids))
	for i := range order {
		order[i] = i
	}
	// Neighbouring ids lie on the same pages.
	slices.SortFunc(order, func(a, b int) int { return bytes.Compare(ids[a][:], ids[b][:]) })
	for n, i := range order {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if locs[i], err = sp.locate(ids[i]); err != nil {
			return nil, err
		}
	}
	return locs, nil
}

// AddPacks registers packs and their chunks. A chunk that has a place already
// keeps it, unless it is a delta there and whole in the new pack, or is known to be
// bad there. A pack that is known already keeps its number, so that adding again is
// harmless. Many packs are added in several transactions, each pack in
// one.
func (db *DB) AddPacks(ctx context.Context, name string, packs ...Pack) error {
	for len(packs) > 0 {
		n, entries := 1, len(packs[0].Entries)
		for n < len(packs) && entries+len(packs[n].Entries) <= addBatch {
			entries += len(packs[n].Entries)
			n++
		}
		err := db.change(ctx, name, func(sp *space) error { return sp.add(packs[:n]) })
		if err != nil {
			return fmt.Errorf("add packs: %w", err)
		}
		packs = packs[n:]
	}
	return nil
}

// RemovePack forgets a pack, and those of the entries that still lie in it.
// Entries that have a place elsewhere keep it. A pack that is not known is no
// error.
func (db *DB) RemovePack(ctx context.Context, name string, pack ID, entries []Entry) error {
	err := db.change(ctx, name, func(sp *space) error { return sp.remove(pack, entries) })
	if err != nil {
		return fmt.Errorf("remove pack %s: %w", pack, err)
	}
	return nil
}

// Packs returns the packs of a space by ascending id, without their entries.
func (db *DB) Packs(ctx context.Context, name string) ([]Pack, error) {
	var packs []Pack
	err := db.View(ctx, inSpace(name, func(sp *space) (err error) {
		packs, err = sp.list()
		return err
	}))
	if err != nil {
		return nil, fmt.Errorf("list packs: %w", err)
	}
	return packs, nil
}

func (sp *space) list() (packs []Pack, err error) {
	for it, err := range sp.packs.scan(nil) {
		if err != nil {
			return nil, err
		}
		if len(it.key) != len(ID{}) || len(it.value) != packSize {
			return nil, fmt.Errorf("pack %x: %w: %d bytes", it.key, ErrCorrupt, len(it.value))
		}
		packs = append(packs, Pack{ID: ID(it.key), Size: int64(binary.LittleEndian.Uint64(it.value[4:]))})
	}
	return packs, nil
}

// DropSpace forgets a space. One that is not there is no error.
func (db *DB) DropSpace(ctx context.Context, name string) error {
	if err := db.Update(ctx, inSpace(name, (*space).drop)); err != nil {
		return fmt.Errorf("forget space %q: %w", name, err)
	}
	return nil
}

// CountChunks returns how many chunks have a place in a space. It reads one
// record. Chunks whose pack was removed without naming them are counted still.
func (db *DB) CountChunks(ctx context.Context, name string) (n int, err error) {
	err = db.View(ctx, inSpace(name, func(sp *space) error {
		n = int(sp.count)
		return nil
	}))
	if err != nil {
		return 0, fmt.Errorf("count chunks: %w", err)
	}
	return n, nil
}
