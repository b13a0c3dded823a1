package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/refs"
)

// RegisterSpec writes to the team what an administrator requires, where it was
// changed here. Where it was changed there too, the team's counts: the next Pull
// takes it over. It says whether there was something to write.
func (s *Sync) RegisterSpec(ctx context.Context) (bool, error) {
	team, err := s.team()
	if err != nil {
		return false, err
	}
	if err := s.scan(ctx); err != nil {
		return false, err
	}
	var changes []refs.Change
	err = s.step(ctx, func(t *syncTx) error {
		keys, err := t.dirtyKeys(refs.SpecPrefix)
		if err != nil {
			return err
		}
		for _, key := range keys {
			l, err := t.get(ctx, key)
			if err != nil {
				return err
			}
			b, err := t.base(key)
			if err != nil {
				return err
			}
			changes = append(changes, refs.Change{Key: key, Value: l.rec.Value, Prev: b.rev})
		}
		return nil
	})
	if err != nil || len(changes) == 0 {
		return false, err
	}
	errs, err := putAll(ctx, team, changes)
	if err != nil {
		return false, fmt.Errorf("registering what is required: %w", err)
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, refs.ErrConflict) && !errors.Is(err, fs.ErrNotExist) {
			return false, fmt.Errorf("registering what is required: %w", err)
		}
	}
	_, err = s.Pull(ctx, nil)
	return true, err
}
