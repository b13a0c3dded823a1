package objects

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"sync"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// trust says which of the chunks that the index knows a Writer may build upon. It
// looks once, when the first is wanted: while the Writer is open no pack is moved.
type trust struct {
	once  sync.Once
	bad   bool         // chunks are known to be bad, or to be missing
	short map[ID]int64 // packs that are shorter than the index says, and their sizes; 0: missing
	err   error
}

// troubled reports whether anything in the store is known to be damaged.
func (w *Writer) troubled() (bool, error) {
	t := &w.trust
	t.once.Do(func() { t.err = t.look(w.ctx, w.s) })
	return t.bad || len(t.short) > 0, t.err
}

func (t *trust) look(ctx context.Context, s *Store) error {
	troubled, packs, err := s.index.Troubled(ctx, localSpace)
	if err != nil {
		return err
	}
	t.bad, t.short = troubled, map[ID]int64{}
	for _, p := range packs {
		fi, err := os.Stat(s.packs.Path(p.ID))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			t.short[p.ID] = 0
		case err != nil:
			return err
		case fi.Size() < p.Size:
			t.short[p.ID] = fi.Size()
		}
	}
	return nil
}

// isBad reports whether a chunk that was found is known to be bad, or is stored as
// the difference from one that is.
func (w *Writer) isBad(loc *index.Loc) (bool, error) {
	troubled, err := w.troubled()
	if err != nil || !troubled {
		return false, err
	}
	if w.trust.spoilt(loc) {
		return true, nil
	}
	if loc.Codec != codec.Delta {
		return false, nil
	}
	ids, err := w.s.deltaBases(loc)
	if err != nil {
		return true, nil
	}
	bases, err := w.s.index.Locate(w.ctx, localSpace, ids)
	for i := range bases {
		if !bases[i].Found || w.trust.spoilt(&bases[i]) {
			return true, err
		}
	}
	return false, err
}

func (t *trust) spoilt(loc *index.Loc) bool {
	size, short := t.short[loc.Pack]
	return loc.Bad || short && int64(loc.Offset)+int64(loc.Stored) > size
}

// intact reports whether nothing that a file needs is known to be bad. Only where
// something in the store is does it look at more than the entry.
func (w *Writer) intact(e *Entry) (bool, error) {
	troubled, err := w.troubled()
	if err != nil || !troubled || !e.Kind.IsFile() {
		return err == nil, err
	}
	var ids []ID
	for r, err := range w.s.From(nil).refs(w.ctx, e, 0) {
		if err != nil {
			return false, damageOnly(err)
		}
		if ids = append(ids, r.id); len(ids) < locateBatch {
			continue
		}
		if ok, err := w.sound(ids); !ok || err != nil {
			return false, err
		}
		ids = ids[:0]
	}
	return w.sound(ids)
}

func (w *Writer) sound(ids []ID) (bool, error) {
	locs, err := w.s.index.Locate(w.ctx, localSpace, ids)
	if err != nil {
		return false, err
	}
	for i := range locs {
		bad, err := w.isBad(&locs[i])
		if err != nil || bad || !locs[i].Found {
			return false, err
		}
	}
	return true, nil
}

// damageOnly drops an error that says that something is damaged.
func damageOnly(err error) error {
	if errors.Is(err, ErrCorrupt) {
		return nil
	}
	return err
}
