package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index/leaf"
)

// The state of the index as a whole is in the bucket .state.
const (
	stateBucket = ".state"
	behindKey   = "behind"
	holesKey    = "holes"
)

// NoteBehind notes, in an Update, that the index may lack packs that versions need:
// it was lost, is an older copy, or has forgotten a pack that was not there.
func (tx *Tx) NoteBehind() error { return tx.note(behindKey) }

// NoteHoles notes, in an Update, that content that was here is not any more.
func (tx *Tx) NoteHoles() error { return tx.note(holesKey) }

func (tx *Tx) note(key string) error {
	b, err := tx.bucket(stateBucket)
	if err == nil {
		b.put([]byte(key), nil)
	}
	return err
}

// ClearHoles notes that all content that must be here is here.
func (db *DB) ClearHoles(ctx context.Context) error { return db.clearState(ctx, holesKey) }

// Behind reports whether NoteBehind was called since the last ClearBehind.
func (db *DB) Behind(ctx context.Context) (bool, error) { return db.state(ctx, behindKey) }

// ClearBehind notes that the index knows all packs again.
func (db *DB) ClearBehind(ctx context.Context) error { return db.clearState(ctx, behindKey) }

func (db *DB) state(ctx context.Context, key string) (set bool, err error) {
	err = db.View(ctx, func(tx *Tx) error {
		b, err := tx.bucket(stateBucket)
		if err == nil {
			_, set, err = b.get([]byte(key))
		}
		return err
	})
	return set, err
}

func (db *DB) clearState(ctx context.Context, key string) error {
	if set, err := db.state(ctx, key); err != nil || !set {
		return err
	}
	return db.Update(ctx, func(tx *Tx) error {
		b, err := tx.bucket(stateBucket)
		if err == nil {
			err = b.delete([]byte(key))
		}
		return err
	})
}

// AddPending is AddPacks for a pack that no version needs yet, in one transaction.
// The chunks of over are known to be bad in the places that they have.
func (db *DB) AddPending(ctx context.Context, name string, over []ID, packs ...Pack) error {
	err := db.change(ctx, name, func(sp *space) error {
		if err := sp.markBad(over); err != nil {
			return err
		}
		for _, p := range packs {
			if _, known, err := sp.packs.sized(p.ID[:], packSize); err != nil {
				return err
			} else if !known {
				sp.pending.put(p.ID[:], nil)
			}
		}
		return sp.add(packs)
	})
	if err != nil {
		return fmt.Errorf("add packs: %w", err)
	}
	return nil
}

// Pending returns the packs of a space that AddPending registered and that
// ClearPending has not named since.
func (db *DB) Pending(ctx context.Context, name string) (map[ID]bool, error) {
	packs := map[ID]bool{}
	err := db.View(ctx, inSpace(name, func(sp *space) error { return sp.pending.ids(func(id ID) { packs[id] = true }) }))
	return packs, err
}

// ClearPending notes that versions need packs.
func (db *DB) ClearPending(ctx context.Context, name string, packs []ID) error {
	if len(packs) == 0 {
		return nil
	}
	return db.change(ctx, name, func(sp *space) error {
		var err error
		for _, id := range packs {
			err = errors.Join(err, sp.pending.delete(id[:]))
		}
		return err
	})
}

// ForgetPack forgets a pack that is not there, with NoteBehind, since it may come
// back, and NoteHoles.
func (db *DB) ForgetPack(ctx context.Context, name string, pack ID) error {
	err := db.change(ctx, name, func(sp *space) error {
		return errors.Join(sp.remove(pack, nil), sp.tx.NoteBehind(), sp.tx.NoteHoles())
	})
	if err != nil {
		return fmt.Errorf("forget pack %s: %w", pack, err)
	}
	return nil
}

// MarkBad notes that chunks are bad where they lie. A chunk keeps its place, and
// gives it up for the next that AddPacks, AddPending or ReplacePacks names. Chunks
// without a place are left out.
func (db *DB) MarkBad(ctx context.Context, name string, ids ...ID) error {
	err := db.change(ctx, name, func(sp *space) error { return sp.markBad(ids) })
	if err != nil {
		return fmt.Errorf("mark bad chunks: %w", err)
	}
	return nil
}

func (sp *space) markBad(ids []ID) error {
	for _, id := range ids {
		l, err := sp.locate(id)
		if err != nil {
			return err
		}
		if l.Found && !l.Bad {
			sp.bad.put(id[:], nil)
		}
	}
	return nil
}

// ClearBad takes MarkBad back.
func (db *DB) ClearBad(ctx context.Context, name string, ids ...ID) error {
	return db.change(ctx, name, func(sp *space) error {
		var err error
		for _, id := range ids {
			err = errors.Join(err, sp.bad.delete(id[:]))
		}
		return err
	})
}

// Bad returns the chunks of a space that are known to be bad, in byte order.
func (db *DB) Bad(ctx context.Context, name string) (ids []ID, err error) {
	err = db.View(ctx, inSpace(name, func(sp *space) error { return sp.bad.ids(func(id ID) { ids = append(ids, id) }) }))
	return ids, err
}

// Troubled reports, in one transaction, whether MarkBad has named chunks, or NoteHoles
// was called since the last ClearHoles, and returns what Packs returns.
func (db *DB) Troubled(ctx context.Context, name string) (troubled bool, packs []Pack, err error) {
	err = db.View(ctx, inSpace(name, func(sp *space) error {
		b, err := sp.tx.bucket(stateBucket)
		if err == nil {
			_, troubled, err = b.get([]byte(holesKey))
		}
		if err == nil {
			err = sp.bad.ids(func(ID) { troubled = true })
		}
		if err == nil {
			packs, err = sp.list()
		}
		return err
	}))
	return troubled, packs, err
}

// ids calls each with the keys of a bucket whose keys are ids.
func (b *bucket) ids(each func(ID)) error {
	for it, err := range b.scan(nil) {
		if err != nil {
			return err
		}
		if len(it.key) != len(ID{}) {
			return fmt.Errorf("record %x of %q: %w: no id", it.key, b.name, ErrCorrupt)
		}
		each(ID(it.key))
	}
	return nil
}

// Replace puts another database of the same directory, whose path build returns, in
// the place of this one, whatever state that is in. While build works no transaction
// of this one does. After an error the one or the other is there, whole.
func (db *DB) Replace(ctx context.Context, build func() (string, error)) error {
	unlock, err := db.lock(ctx, true)
	if err != nil {
		return err
	}
	defer unlock()
	other, err := build()
	if err != nil {
		return err
	}
	err = os.Rename(other, db.path)
	if errors.Is(err, fs.ErrNotExist) { // an empty database is no file
		if err = os.Remove(db.path); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("replace index: %w", err)
	}
	return leaf.SyncDir(filepath.Dir(db.path))
}
