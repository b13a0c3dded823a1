package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
	"github.com/datafs/datafs/objects/pack"
)

// Unreadable reports whether an error says that a pack could not be read now, which is
// no damage. Where the index could not be asked nothing is known of any pack.
func Unreadable(err error) bool {
	return !errors.Is(err, ErrCorrupt) && pack.Unreadable(err) && !ofIndex(err)
}

// ofIndex reports whether an error says that the index could not be asked.
func ofIndex(err error) bool {
	var access *index.AccessError
	return errors.As(err, &access) && !errors.Is(err, ErrCorrupt)
}

// mayHeal reports whether another copy of a chunk may help against an error.
func mayHeal(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, syscall.EIO) && !ofIndex(err)
}

// heal finds a good copy of a chunk that could not be read at bad, for the reason
// why, and makes that its place: in another pack, or else from the source. Where
// there is none it returns why, and notes the chunk as bad, so that a Writer that
// meets its bytes stores them again.
func (s *Store) heal(ctx context.Context, bad index.Loc, why error) (index.Loc, error) {
	good, err := s.healHere(ctx, bad, why)
	if err == nil || s.source == nil || ctx.Err() != nil {
		return good, err
	}
	if errors.Is(why, errMissing) {
		// Then the other chunks of the pack are fetched together, not one by one.
		if err := s.forgetPack(ctx, bad.Pack); err != nil && !errors.Is(err, fs.ErrPermission) {
			return bad, err
		}
	}
	if err := s.source.Fetch(ctx, []ID{bad.ID}); err != nil {
		if ctx.Err() != nil {
			return bad, ctx.Err()
		}
		return bad, fmt.Errorf("%w (and it could not be fetched again: %w)", why, errors.New(err.Error())) // its kind must not decide
	}
	locs, err := s.index.Locate(ctx, localSpace, []ID{bad.ID})
	if err != nil {
		return bad, err
	}
	if !locs[0].Found || locs[0].Bad {
		return bad, why
	}
	return locs[0], nil
}

// healHere is heal without the source.
func (s *Store) healHere(ctx context.Context, bad index.Loc, why error) (index.Loc, error) {
	if err := s.index.MarkBad(ctx, localSpace, bad.ID); grave(ctx, err) {
		return bad, err
	}
	f := fetcher{s: s.From(nil), still: true}
	twins, err := s.twins.of(ctx, s, bad)
	if err != nil {
		return bad, err
	}
	for i := range twins {
		raw, err := f.fetch(ctx, nil, &twins[i])
		if err != nil {
			continue
		}
		good, err := s.prefer(ctx, twins[i], raw)
		if grave(ctx, err) {
			return bad, err
		}
		return good, nil
	}
	return bad, why
}

// grave reports whether an error must end the reading of a chunk that has been
// found: who may not write the index reads all the same.
func grave(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, ErrCorrupt)
}

// prefer makes a good copy the place of a chunk that MarkBad has named. A delta is
// stored again as a whole chunk, since others may be stored as differences from it.
func (s *Store) prefer(ctx context.Context, good index.Loc, raw []byte) (index.Loc, error) {
	if good.Codec != codec.Delta {
		return good, s.index.AddPacks(ctx, localSpace, index.Pack{ID: good.Pack, Entries: []index.Entry{good.Entry}})
	}
	lock := flock.New(filepath.Join(s.dir, lockFile), index.LockFlags())
	if ok, err := lock.TryRLock(); err != nil || !ok {
		return good, err // gc is at work, perhaps in this process
	}
	im := s.importer(lock)
	defer im.Close()
	stored, how, filter := (&codec.Encoder{}).Encode(nil, raw)
	if how == codec.Raw {
		stored = raw
	}
	err := im.Add(ctx, index.Entry{ID: good.ID, Stored: uint32(len(stored)), Raw: uint32(len(raw)), Codec: how, Filter: filter}, stored)
	if err == nil {
		err = im.Commit(ctx)
	}
	if err != nil {
		return good, err
	}
	locs, err := s.index.Locate(ctx, localSpace, []ID{good.ID})
	if err == nil && locs[0].Found {
		good = locs[0]
	}
	return good, err
}

// twins finds copies of damaged chunks. What it has found for the chunks of one
// pack it keeps, since more of these are likely to be damaged.
type twins struct {
	mu    sync.Mutex // guards what follows
	pack  ID
	known map[ID][]index.Loc
}

// of returns the places of a chunk in packs other than that of bad, whole ones
// first. It reads the tables of all packs.
func (t *twins) of(ctx context.Context, s *Store, bad index.Loc) ([]index.Loc, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if list, ok := t.known[bad.ID]; ok && t.pack == bad.Pack {
		return list, nil
	}
	wanted := map[ID][]index.Loc{bad.ID: nil}
	if _, entries, err := s.packs.Table(bad.Pack); err == nil {
		for _, e := range entries {
			wanted[e.ID] = nil
		}
	}
	for id, err := range s.packs.IDs() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		if id == bad.Pack {
			continue
		}
		_, entries, err := s.packs.Table(id)
		if err != nil {
			continue // it is of no help
		}
		for _, e := range entries {
			list, ok := wanted[e.ID]
			if !ok {
				continue
			}
			l := index.Loc{Entry: e, Pack: id, Found: true}
			if list = append(list, l); e.Codec != codec.Delta {
				list[0], list[len(list)-1] = l, list[0]
			}
			wanted[e.ID] = list
		}
	}
	t.pack, t.known = bad.Pack, wanted
	return wanted[bad.ID], nil
}
