package index

import (
	"context"
	"encoding/binary"
	"fmt"
)

// InPack returns the chunks whose place is in a pack, in no order. It reads the
// whole space: it is for packs whose own table is damaged.
func (db *DB) InPack(ctx context.Context, name string, pack ID) (list []Entry, err error) {
	err = db.View(ctx, inSpace(name, func(sp *space) error {
		v, found, err := sp.packs.sized(pack[:], packSize)
		if err != nil || !found {
			return err
		}
		n := binary.LittleEndian.Uint32(v)
		return sp.each(ctx, func(id ID, v []byte) error {
			if binary.LittleEndian.Uint32(v) != n {
				return nil
			}
			loc, err := sp.locate(id) // what lies below may have been replaced above
			if err == nil && loc.Pack == pack {
				list = append(list, loc.Entry)
			}
			return err
		})
	}))
	if err != nil {
		return nil, fmt.Errorf("list the chunks of pack %s: %w", pack, err)
	}
	return list, nil
}

// each calls fn with every record of a chunk, of the bucket and of all tiers.
func (sp *space) each(ctx context.Context, fn func(id ID, v []byte) error) error {
	for it, err := range sp.chunks.scan(nil) {
		if err != nil {
			return err
		}
		if len(it.key) != len(ID{}) || len(it.value) != chunkSize {
			return fmt.Errorf("chunk %x of %q: %w: %d bytes", it.key, sp.name, ErrCorrupt, len(it.value))
		}
		if err := fn(ID(it.key), it.value); err != nil {
			return err
		}
	}
	for tier := range tiers {
		if err := sp.eachIn(ctx, tier, fn); err != nil {
			return err
		}
	}
	return nil
}

func (sp *space) eachIn(ctx context.Context, tier int, fn func(id ID, v []byte) error) error {
	refs, err := sp.runs(tier)
	if err != nil {
		return err
	}
	var all []byte
	for _, ref := range refs {
		r, err := sp.tx.openRun(sp.name, ref.serial, ref.count)
		if err == nil {
			all, err = r.appendAll(all[:0])
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		for at := 0; at < len(all); at += entrySize {
			if err := fn(ID(all[at:]), all[at+len(ID{}):][:chunkSize]); err != nil {
				return err
			}
		}
	}
	return nil
}
