package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index"
)

// taken remembers whether a Store has looked for packs that the index does not
// know.
type taken struct {
	mu   sync.Mutex // guards what follows; held while packs are taken in
	done bool
	away []ID // packs that this Store has forgotten since
}

// takeInOnce takes in the packs that the index does not know, the first time that
// it is called, and reports whether there were any. Packs that cannot be read stay
// out. While gc runs it does nothing: gc takes packs in by itself.
func (s *Store) takeInOnce(ctx context.Context) (found bool, err error) {
	s.taken.mu.Lock()
	defer s.taken.mu.Unlock()
	if s.taken.done && !s.isBack() {
		return false, nil
	}
	lock := flock.New(filepath.Join(s.dir, "store.lock"), index.LockFlags())
	if ok, err := lock.TryRLock(); err != nil || !ok {
		return false, nil
	}
	defer lock.Unlock()
	n, err := s.takeIn(ctx, func(ID, error) error { return nil })
	if readOnly(err) {
		return false, nil // who may not write the index cannot correct it
	}
	if s.taken.done = err == nil; s.taken.done {
		s.taken.away = slices.DeleteFunc(s.taken.away, s.isThere)
	}
	return n > 0, err
}

// awayBucket of the index names the packs that were forgotten because they were not
// there. Should one come back, it is no leftover of a writer.
const awayBucket = "away"

// forgetPack makes the index forget a pack that is not there.
func (s *Store) forgetPack(ctx context.Context, id ID) error {
	s.taken.mu.Lock()
	s.taken.away = append(s.taken.away, id)
	s.taken.mu.Unlock()
	err := s.index.Update(ctx, func(tx *index.Tx) error { return tx.Put(awayBucket, id.String(), nil) })
	if err != nil {
		return err
	}
	return s.index.ForgetPack(ctx, localSpace, id)
}

// forgetMissing makes the index forget the packs that are not there, and calls each for
// them. What other packs have of their chunks is found there from then on. The caller
// holds the store's lock.
func (s *Store) forgetMissing(ctx context.Context, each func(ID)) error {
	known, err := s.knownPacks(ctx)
	if err != nil {
		return err
	}
	for id, err := range s.packIDs() {
		if err != nil {
			return err
		}
		delete(known, id)
	}
	for id := range known {
		each(id)
		if err := s.forgetPack(ctx, id); err != nil {
			return err
		}
	}
	if len(known) == 0 {
		return nil
	}
	return s.register(ctx, func(Problem) {})
}

// isBack reports whether a pack that was forgotten is there again. The caller holds
// the lock of taken.
func (s *Store) isBack() bool { return slices.ContainsFunc(s.taken.away, s.isThere) }

func (s *Store) isThere(pack ID) bool {
	fi, err := os.Stat(packPath(s.dir, pack))
	return err == nil && fi.Mode().IsRegular()
}

// wasAway reports whether forgetPack was called for a pack, some time.
func (s *Store) wasAway(ctx context.Context, id ID) (bool, error) {
	err := s.index.View(ctx, func(tx *index.Tx) error {
		_, err := tx.Get(awayBucket, id.String())
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// takeIn registers the packs that the index does not know, and returns how many.
// unread decides what becomes of one whose table cannot be read. The caller holds
// the store's lock.
//
// Where the index has all records of the journal, such a pack is what a killed
// writer left. Otherwise the index was lost or is an older copy, and versions may
// need the pack.
func (s *Store) takeIn(ctx context.Context, unread func(ID, error) error) (n int, err error) {
	known, err := s.knownPacks(ctx)
	if err != nil {
		return 0, err
	}
	behind, err := s.index.Behind(ctx)
	if err != nil {
		return 0, err
	}
	all := true
	for id, err := range s.packIDs() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return n, err
		}
		if known[id] {
			continue
		}
		size, entries, err := s.packTable(id)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			if err := unread(id, err); err != nil {
				return n, err
			}
			all = false
			continue
		}
		if err := syncName(filepath.Dir(packPath(s.dir, id)), true); err != nil { // whoever wrote it may not have come to that
			return n, err
		}
		away, err := s.wasAway(ctx, id)
		if err != nil {
			return n, err
		}
		pack := index.Pack{ID: id, Size: size, Entries: entries}
		if behind || away {
			err = s.index.AddPacks(ctx, localSpace, pack)
		} else {
			err = s.index.AddPending(ctx, localSpace, nil, pack)
		}
		if err != nil {
			return n, err
		}
		n++
	}
	if behind && all {
		err = s.index.ClearBehind(ctx)
	}
	return n, err
}

// knownPacks returns the packs that the index knows.
func (s *Store) knownPacks(ctx context.Context) (map[ID]bool, error) {
	packs, err := s.index.Packs(ctx, localSpace)
	known := make(map[ID]bool, len(packs))
	for _, p := range packs {
		known[p.ID] = true
	}
	return known, err
}

// packIDs lists the packs that are on disk.
func (s *Store) packIDs() iter.Seq2[ID, error] { return s.packFiles(nil) }

// packFiles is packIDs, and calls stray, where it is not nil, with the name below
// the repository of everything else that is there.
func (s *Store) packFiles(stray func(name string)) iter.Seq2[ID, error] {
	if stray == nil {
		stray = func(string) {}
	}
	return func(yield func(ID, error) bool) {
		root := filepath.Join(s.dir, "packs")
		subs, err := os.ReadDir(root)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: the directory %s is missing", ErrCorrupt, root)
		}
		if err != nil {
			yield(ID{}, err)
			return
		}
		for _, sub := range subs {
			if !sub.IsDir() || !isPackDir(sub.Name()) {
				stray(filepath.Join("packs", sub.Name()))
				continue
			}
			files, err := os.ReadDir(filepath.Join(root, sub.Name()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				yield(ID{}, err)
				return
			}
			for _, f := range files {
				id, err := ParseID(f.Name())
				if err != nil || f.Name() != id.String() || f.Name()[:2] != sub.Name() || !f.Type().IsRegular() {
					stray(filepath.Join("packs", sub.Name(), f.Name()))
					continue
				}
				if !yield(id, nil) {
					return
				}
			}
		}
	}
}

// isPackDir reports whether a directory of packs may have the name.
func isPackDir(name string) bool {
	hex := func(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' }
	return len(name) == 2 && hex(name[0]) && hex(name[1])
}

// HasPacks reports whether there is any pack.
func (s *Store) HasPacks() (bool, error) {
	for _, err := range s.packIDs() {
		return err == nil, err
	}
	return false, nil
}
