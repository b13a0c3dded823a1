package objects

import (
	"context"
	"errors"
	"github.com/datafs/datafs/objects/pack"
	"io/fs"
	"maps"
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
	mu   sync.Mutex // guards done; held while packs are taken in
	done bool

	awayMu sync.Mutex // guards what follows
	away   []ID       // packs that this Store has forgotten
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
	lock := flock.New(filepath.Join(s.dir, lockFile), index.LockFlags())
	if ok, err := lock.TryRLock(); err != nil || !ok {
		return false, nil
	}
	defer lock.Unlock()
	in, err := s.takeIn(ctx, func(ID, error) error { return nil })
	if readOnly(err) {
		return false, nil // who may not write the index cannot correct it
	}
	s.taken.done = err == nil
	return in.packs > 0, err
}

// forgetPack makes the index forget a pack that is not there.
func (s *Store) forgetPack(ctx context.Context, id ID) error {
	s.taken.awayMu.Lock()
	s.taken.away = append(s.taken.away, id)
	s.taken.awayMu.Unlock()
	return s.index.ForgetPack(ctx, localSpace, id)
}

// isBack reports whether a pack that was forgotten is there again, and forgets that.
func (s *Store) isBack() bool {
	s.taken.awayMu.Lock()
	defer s.taken.awayMu.Unlock()
	n := len(s.taken.away)
	s.taken.away = slices.DeleteFunc(s.taken.away, s.packs.Exists)
	return len(s.taken.away) < n
}

// takenIn says what takeIn did.
type takenIn struct {
	packs   int64 // that the index did not know
	missing []ID  // that it knew, and that are not there
}

// takeIn makes the index know the packs that there are, and no others. unread decides
// what becomes of a pack whose table cannot be read. The caller holds the store's lock.
//
// A pack that the index does not know is what a killed writer left, if it has its
// temporary name still. Otherwise nothing is known of it: the index may have been
// lost, or be an older copy, or the journal an older one. Where packs are missing, the
// others may have what lay in them, so the tables of all are looked at.
func (s *Store) takeIn(ctx context.Context, unread func(ID, error) error) (in takenIn, err error) {
	known, err := s.KnownPacks(ctx)
	if err != nil {
		return in, err
	}
	behind, err := s.index.Behind(ctx)
	if err != nil {
		return in, err
	}
	there, err := s.Packs(ctx) // after what is known: what is written meanwhile is not missing
	if err != nil {
		return in, err
	}
	if in.missing, err = s.dropMissing(ctx, known, there); err != nil {
		return in, err
	}
	all := true
	for _, p := range there {
		if err := ctx.Err(); err != nil {
			return in, err
		}
		if known[p.ID] && len(in.missing) == 0 {
			continue
		}
		pack, err := s.PackTable(p.ID)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err == nil:
			err = s.takePack(ctx, pack, behind || known[p.ID])
			if err == nil && !known[p.ID] {
				in.packs++
			}
		case known[p.ID]:
			all, err = false, nil
		default:
			all, err = false, unread(p.ID, err)
		}
		if err != nil {
			return in, err
		}
	}
	if behind && all {
		err = s.index.ClearBehind(ctx)
	}
	return in, err
}

// dropMissing makes the index forget the packs that are not there, and returns them.
func (s *Store) dropMissing(ctx context.Context, known map[ID]bool, there []Pack) (missing []ID, err error) {
	gone := maps.Clone(known)
	for _, p := range there {
		delete(gone, p.ID)
	}
	for id := range gone {
		if _, err := os.Lstat(s.packs.Path(id)); !errors.Is(err, fs.ErrNotExist) {
			continue // something is there, and will say why it cannot be read
		}
		if err := s.forgetPack(ctx, id); err != nil {
			return missing, err
		}
		missing = append(missing, id)
	}
	return missing, nil
}

// takePack registers a pack. One that needed is false for, and that has its temporary
// name still, belongs to no version.
func (s *Store) takePack(ctx context.Context, p index.Pack, needed bool) error {
	if err := pack.SyncName(filepath.Dir(s.packs.Path(p.ID)), true); err != nil { // whoever wrote it may not have come to that
		return err
	}
	if needed || !s.packs.IsMarked(p.ID) {
		return s.index.AddPacks(ctx, localSpace, p)
	}
	return s.index.AddPending(ctx, localSpace, nil, p)
}
