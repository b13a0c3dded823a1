package objects

import (
	"context"
	"errors"
	"io/fs"
	"os"
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

// HasPacks reports whether there is any pack.
func (s *Store) HasPacks() (bool, error) {
	for _, err := range s.packs.IDs() {
		return err == nil, err
	}
	return false, nil
}

// Packs lists the packs that are on disk, with their sizes.
func (s *Store) Packs(ctx context.Context) (list []Pack, err error) {
	for id, err := range s.packs.IDs() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		fi, err := os.Stat(s.packs.Path(id))
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
