package transfer

import (
	"context"
	"errors"

	"github.com/datafs/datafs/objects"
)

// FetchKnown fetches those of some chunks that the authority has, and returns how
// many came. What is damaged there, or lost, is left out.
func (s *Site) FetchKnown(ctx context.Context, ids []objects.ID) (n int, err error) {
	if len(ids) == 0 {
		return 0, nil
	}
	if err := s.refresh(ctx, false); err != nil {
		return 0, err
	}
	locs, err := s.locate(ctx, ids)
	if err != nil {
		return 0, err
	}
	known := ids[:0:0]
	for i := range locs {
		if locs[i].Found {
			known = append(known, ids[i])
		}
	}
	if len(known) == 0 {
		return 0, nil
	}
	if err := s.Fetch(ctx, known); err == nil {
		return len(known), nil
	} else if !errors.Is(err, objects.ErrCorrupt) {
		return 0, err
	}
	for _, id := range known { // one by one, to get those that are good
		err := s.Fetch(ctx, []objects.ID{id})
		if err == nil {
			n++
		} else if !errors.Is(err, objects.ErrCorrupt) {
			return n, err
		}
	}
	return n, nil
}
