package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
)

// KnownPacks returns the packs that the index knows, which may not be on the disk.
func (s *Store) KnownPacks(ctx context.Context) (map[ID]bool, error) {
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
		root := filepath.Join(s.dir, packsDir)
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
				stray(filepath.Join(packsDir, sub.Name()))
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
					stray(filepath.Join(packsDir, sub.Name(), f.Name()))
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

// Packs lists the packs that are on disk, with their sizes.
func (s *Store) Packs(ctx context.Context) (list []Pack, err error) {
	for id, err := range s.packIDs() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		fi, err := os.Stat(packPath(s.dir, id))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, Pack{id, fi.Size()})
	}
	return list, nil
}
