package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

// Holds checks that the authority has all of a tree that is here, or more: that it knows
// where each chunk lies, and that each pack is there and long enough. It asks for one
// byte of each pack. What it finds missing is an ErrCorrupt.
func (s *Site) Holds(ctx context.Context, tree objects.ID) error {
	if err := s.refresh(ctx, false); err != nil {
		return err
	}
	ends := map[objects.ID]uint64{}
	add := func(locs []index.Loc) error {
		for _, l := range locs {
			if !l.Found {
				return fmt.Errorf("%w: authority %q does not have chunk %s", objects.ErrCorrupt, s.opts.Name, l.ID)
			}
			ends[l.Pack] = max(ends[l.Pack], l.Offset+uint64(l.Stored))
		}
		return nil
	}
	w := s.newWalk()
	w.skip = func(ctx context.Context, id objects.ID) (bool, error) {
		locs, err := s.store.Locate(ctx, []objects.ID{id})
		return err == nil && !locs[0].Found, err
	}
	w.visit = func(ctx context.Context, n *nodeAt) error {
		ids := []objects.ID{n.loc.ID}
		for _, c := range n.children {
			ids = append(ids, c.ID)
		}
		locs, err := s.locate(ctx, ids)
		if err != nil {
			return err
		}
		return add(locs)
	}
	if err := w.node(ctx, tree); err != nil {
		return err
	}
	for pack, end := range ends {
		if err := s.reaches(ctx, pack, end); err != nil {
			return err
		}
	}
	return nil
}

// reaches checks that a pack is at the authority, and has so many bytes.
func (s *Site) reaches(ctx context.Context, pack objects.ID, end uint64) error {
	r, err := s.auth.Get(ctx, packName(pack), int64(end)-1, 1)
	if err == nil {
		defer r.Close()
		_, err = io.ReadFull(r, make([]byte, 1))
	}
	if errors.Is(err, fs.ErrNotExist) || err == io.EOF || err == io.ErrUnexpectedEOF {
		return fmt.Errorf("%w: pack %s at authority %q is missing, or cut short", objects.ErrCorrupt, pack, s.opts.Name)
	}
	return err
}
