package objects

import (
	"fmt"

	"github.com/datafs/datafs/index"
)

// Damage is what is known to be damaged in a repository. It may be used by one
// goroutine at a time.
type Damage struct {
	chunks map[ID]error
	packs  map[ID]error // that are missing
	short  map[ID]int64 // that are shorter than the index says, and their sizes
}

// Len returns how many chunks and packs are known to be damaged.
func (d *Damage) Len() int {
	if d == nil {
		return 0
	}
	return len(d.chunks) + len(d.packs) + len(d.short)
}

// lost returns what is known to be wrong with a chunk, wherever it lies.
func (d *Damage) lost(id ID) error {
	if d == nil {
		return nil
	}
	return d.chunks[id]
}

// of returns what is wrong with a chunk that was found, nil if nothing is known.
func (d *Damage) of(loc *index.Loc) error {
	if d == nil {
		return nil
	}
	if err := d.lost(loc.ID); err != nil {
		return err
	}
	err := d.packs[loc.Pack]
	if size, short := d.short[loc.Pack]; short && int64(loc.Offset)+int64(loc.Stored) > size {
		err = fmt.Errorf("%w: pack %s is cut short before chunk %s", ErrCorrupt, loc.Pack, loc.ID)
	}
	if err != nil {
		d.chunks[loc.ID] = err
	}
	return err
}

// Add makes it known that chunks are lost.
func (d *Damage) Add(lost []ID) {
	for _, id := range lost {
		d.chunks[id] = fmt.Errorf("%w: no good copy of chunk %s was found", ErrCorrupt, id)
	}
}
