package objects

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/pack"
)

// RepairOptions say what RepairPacks looks at.
type RepairOptions struct {
	Read  func(Pack) bool // packs whose chunks are read and verified; nil: all
	Found func(Problem)   // told of every damaged pack and chunk
}

// RepairReport says what RepairPacks did.
type RepairReport struct {
	Salvaged    int64 // chunks of damaged packs that are good
	Quarantined []ID  // damaged packs
	Verified    []ID  // packs whose chunks were read and are all sound

	// Lost are the chunks of which there is no good copy here. Some may be differences
	// from others of them: Recheck tells when those are back.
	Lost []ID
}

// RepairPacks makes of every damaged pack a new one with its good chunks, and moves
// the damaged one to the directory quarantine: nothing is deleted. It forgets packs
// that are not there. Where a pack's table is damaged, the index and what can be read
// of the table say where its chunks may lie, and their hashes whether they do. It
// takes the store for itself. When it is broken off, each pack is repaired or as it
// was.
func (s *Store) RepairPacks(ctx context.Context, opts *RepairOptions) (RepairReport, error) {
	r := &repair{s: s, opts: opts, lost: map[ID]index.Loc{}, buf: bufio.NewWriterSize(nil, 256<<10)}
	lock, err := s.lock(ctx, true)
	if err != nil {
		return r.rep, err
	}
	err = r.run(ctx)
	lock.Unlock() // closing the file gives the lock back in any case
	if err == nil {
		err = r.findTwins(ctx)
	}
	return r.rep, err
}

// repair is one RepairPacks under way.
type repair struct {
	s    *Store
	opts *RepairOptions
	rep  RepairReport
	lost map[ID]index.Loc // where they were
	buf  *bufio.Writer
}

func (r *repair) run(ctx context.Context) error {
	if err := r.s.packs.MakeRoot(); err != nil {
		return err
	}
	in, err := r.s.takeIn(ctx, func(_ ID, err error) error { return nil }) // it is looked at below
	if err != nil {
		return err
	}
	for _, id := range in.missing {
		r.found(fmt.Errorf("%w: pack %s %w", ErrCorrupt, id, errMissing))
	}
	var packs []ID // listed before new ones are made
	for id, err := range r.s.packs.IDs() {
		if err != nil {
			return err
		}
		packs = append(packs, id)
	}
	for _, id := range packs {
		if err := r.pack(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (r *repair) found(err error) { r.opts.Found(Problem{What: err.Error(), Err: err}) }

// pack repairs one pack if it is damaged.
func (r *repair) pack(ctx context.Context, id ID) error {
	size, entries, err := r.s.packs.Table(id)
	switch {
	case pack.Unreadable(err):
		return nil // for now; a check names it
	case errors.Is(err, ErrCorrupt):
		r.found(err)
		entries, sure, err := r.guess(ctx, id, size)
		if err != nil {
			return err
		}
		good, err := r.good(ctx, id, entries, sure)
		if err != nil {
			return err
		}
		return r.salvage(ctx, index.Pack{ID: id, Size: size, Entries: entries}, good)
	case err != nil:
		return err
	}
	if r.opts.Read != nil && !r.opts.Read(Pack{id, size}) {
		return nil
	}
	good, err := r.good(ctx, id, entries, len(entries))
	if err != nil {
		return err
	}
	if len(good) == len(entries) {
		r.rep.Verified = append(r.rep.Verified, id)
		return nil
	}
	return r.salvage(ctx, index.Pack{ID: id, Size: size, Entries: entries}, good)
}

// guess returns where the chunks of a pack may lie whose table is damaged: the
// places that the index knows, which are sure, and behind them the rows that can be
// read.
func (r *repair) guess(ctx context.Context, id ID, size int64) (list []index.Entry, sure int, err error) {
	list, err = r.s.index.InPack(ctx, localSpace, id)
	if err != nil {
		return nil, 0, err
	}
	f, err := index.OpenRead(r.s.packs.Path(id))
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	known := idsOf(list)
	sure = len(list)
	for _, e := range pack.Rows(f, size) {
		if !known[e.ID] {
			known[e.ID] = true
			list = append(list, e)
		}
	}
	return list, sure, nil
}

func idsOf(list []index.Entry) map[ID]bool {
	ids := make(map[ID]bool, len(list))
	for _, e := range list {
		ids[e.ID] = true
	}
	return ids
}

// good returns the chunks of a pack that are what they must be. A delta whose base
// is damaged counts as good, if its place is sure: it will be again when its base is.
func (r *repair) good(ctx context.Context, id ID, entries []index.Entry, sure int) (good []index.Entry, err error) {
	f := fetcher{s: r.s, still: true}
	var buf []byte
	for i, e := range entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		loc := index.Loc{Entry: e, Pack: id, Found: true}
		for range 2 { // a disk may fail once
			if buf, err = f.fetch(ctx, buf[:0], &loc); !errors.Is(err, syscall.EIO) {
				break
			}
		}
		if err == nil {
			good = append(good, e)
			continue
		}
		if pack.Unreadable(err) && !mayHeal(err) {
			return nil, err // it may be readable the next time
		}
		if i >= sure {
			continue // it need not be a chunk
		}
		if errors.Is(err, errBase) {
			good = append(good, e)
			r.lost[e.ID] = loc
		}
		r.found(err)
	}
	return good, nil
}

// salvage puts the good chunks of a pack into a new one, and the pack aside.
func (r *repair) salvage(ctx context.Context, old index.Pack, good []index.Entry) error {
	if err := r.s.packs.KeepAside(old.ID); err != nil {
		return err
	}
	pack, err := r.copy(old.ID, good)
	if err != nil {
		return err
	}
	saved := idsOf(good)
	var lost []ID
	for _, e := range old.Entries {
		if !saved[e.ID] {
			lost = append(lost, e.ID)
			r.lost[e.ID] = index.Loc{Entry: e, Pack: old.ID, Found: true}
		}
	}
	if err := r.s.noteLost(ctx, lost); err != nil { // for a repair that goes on where this one is broken off
		return err
	}
	if err := r.s.index.ReplacePacks(ctx, localSpace, []index.Pack{old}, pack); err != nil {
		return err
	}
	r.s.packs.Forget(old.ID)
	r.rep.Quarantined = append(r.rep.Quarantined, old.ID)
	r.rep.Salvaged += int64(len(good))
	if pack.ID == old.ID {
		return nil // the new one has taken its name
	}
	return os.Remove(r.s.packs.Path(old.ID)) // it has another name by now
}

// copy makes a pack of chunks of another one, the zero pack if there are none.
func (r *repair) copy(from ID, list []index.Entry) (pack index.Pack, err error) {
	if len(list) == 0 {
		return pack, nil
	}
	w, err := r.s.packs.NewWriter(r.buf)
	if err != nil {
		return pack, err
	}
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b index.Entry) int { return cmp.Compare(a.Offset, b.Offset) })
	var stored []byte
	for _, e := range list {
		loc := index.Loc{Entry: e, Pack: from, Found: true}
		if stored, err = r.s.storedBytes(stored[:0], &loc); err == nil {
			err = w.Add(e, stored)
		}
		if err != nil {
			w.Discard()
			return pack, err
		}
	}
	return w.Commit()
}

// findTwins looks for the lost chunks in other packs.
func (r *repair) findTwins(ctx context.Context) error {
	if err := r.addLost(ctx); err != nil {
		return err
	}
	lost, err := r.s.Recheck(ctx, slices.Collect(maps.Keys(r.lost)))
	if err != nil {
		return err
	}
	for _, id := range lost {
		_, err := r.s.healHere(ctx, r.lost[id], ErrCorrupt)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrCorrupt) {
			return err
		}
		r.rep.Lost = append(r.rep.Lost, id)
	}
	slices.SortFunc(r.rep.Lost, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	return nil
}
