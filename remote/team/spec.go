package team

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/refs"
)

// RegisterSpec writes to the team what was changed here of what it requires of
// archives. Where the team has changed the same meanwhile, the team's is taken,
// with a warning. It says whether anything was written.
func (s *Sync) RegisterSpec(ctx context.Context) (written bool, err error) {
	team, err := s.team()
	if err != nil {
		return false, err
	}
	for range registerTries {
		if _, err := s.Pull(ctx, nil); err != nil {
			return written, err
		}
		var changes []refs.Change
		err := s.step(ctx, func(t *syncTx) (err error) {
			changes, err = t.specChanges(ctx)
			return err
		})
		if err != nil || len(changes) == 0 {
			return written, err
		}
		errs, err := s.write(ctx, team, changes)
		if err != nil {
			return written, fmt.Errorf("registering what is required: %w", err)
		}
		for _, err := range errs {
			if err == nil {
				written = true
			} else if !errors.Is(err, refs.ErrConflict) && !errors.Is(err, fs.ErrNotExist) {
				return written, fmt.Errorf("registering what is required: %w", err)
			}
		}
	}
	return written, fmt.Errorf("registering what is required: others were faster %d times: %w", registerTries, refs.ErrConflict)
}

// SpecChanged says whether RegisterSpec would write anything.
func (s *Sync) SpecChanged(ctx context.Context) (changed bool, err error) {
	if err := s.scan(ctx); err != nil {
		return false, err
	}
	err = s.step(ctx, func(t *syncTx) error {
		if err := t.scanAll(ctx); err != nil {
			return err
		}
		changes, err := t.specChanges(ctx)
		changed = len(changes) > 0
		return err
	})
	return changed, err
}

func (t *syncTx) specChanges(ctx context.Context) ([]refs.Change, error) {
	keys, err := t.dirtyKeys("spec/")
	if err != nil {
		return nil, err
	}
	var changes []refs.Change
	for _, key := range keys {
		l, b, err := t.both(ctx, key)
		if err != nil {
			return nil, err
		}
		c := refs.Change{Key: key, Prev: b.rev}
		if l.there {
			c.Value = l.rec.Value
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// putAll is Batcher.PutAll for every manager.
func putAll(ctx context.Context, m refs.Manager, changes []refs.Change) ([]error, error) {
	if b, ok := m.(refs.Batcher); ok {
		return b.PutAll(ctx, changes)
	}
	errs := make([]error, len(changes))
	for i, c := range changes {
		if c.Value == nil {
			errs[i] = m.Delete(ctx, c.Key, c.Prev)
		} else {
			_, errs[i] = m.Put(ctx, c.Key, c.Value, c.Prev)
		}
		if err := errs[i]; err != nil && !errors.Is(err, refs.ErrConflict) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return errs, err
		}
	}
	return errs, nil
}
