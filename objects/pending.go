package objects

import (
	"context"
	"slices"

	"github.com/datafs/datafs/index"
)

// Needed notes that versions need what m has marked, so that no pack that holds some
// of it is taken for the leftover of an interrupted write.
func (s *Store) Needed(ctx context.Context, m *Marks) error {
	needed, _, err := s.sortPending(ctx, m)
	if err != nil {
		return err
	}
	return s.index.ClearPending(ctx, localSpace, needed)
}

// Leftover returns how many packs interrupted writes have left: those of which m has
// marked nothing.
func (s *Store) Leftover(ctx context.Context, m *Marks) (int64, error) {
	_, left, err := s.sortPending(ctx, m)
	return int64(len(left)), err
}

// sortPending sorts the pending packs by whether m has marked some of them. Packs that
// cannot be read are left out.
func (s *Store) sortPending(ctx context.Context, m *Marks) (needed, left []ID, err error) {
	pending, err := s.index.Pending(ctx, localSpace)
	if err != nil {
		return nil, nil, err
	}
	for id := range pending {
		_, entries, err := s.packs.Table(id)
		switch {
		case err != nil:
		case slices.ContainsFunc(entries, func(e index.Entry) bool { return m.Has(e.ID) }):
			needed = append(needed, id)
		default:
			left = append(left, id)
		}
	}
	return needed, left, nil
}
