package team

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/refs"
)

// Outgoing is what a push has to send.
type Outgoing struct {
	Pending  []Pending // as Status lists it
	Spec     refs.Spec // what the team requires
	Required bool      // what an administrator requires was registered
}

// Outgoing merges the team's news, as Pull does, and returns what is to be registered
// of the archives named, or with nil of all. With nil it also writes to the team what
// was changed here of what it requires of archives. Where the team has changed the
// same meanwhile, Outgoing takes the team's, with a warning. Register, called next,
// notes when the team was asked.
func (s *Sync) Outgoing(ctx context.Context, names []string) (out Outgoing, err error) {
	for range registerTries {
		var changes []refs.Change
		_, err := s.pull(ctx, &pulling{quiet: true, then: func(t *syncTx) (err error) {
			if names == nil {
				changes, err = t.specChanges(ctx)
			}
			if err == nil && len(changes) == 0 {
				err = t.outgoing(ctx, names, &out)
			}
			return err
		}})
		if err != nil || len(changes) == 0 {
			return out, err
		}
		written, err := s.registerSpec(ctx, changes)
		if out.Required = out.Required || written; err != nil {
			return out, fmt.Errorf("registering what is required: %w", err)
		}
	}
	return out, fmt.Errorf("registering what is required: others were faster %d times: %w", registerTries, refs.ErrConflict)
}

func (t *syncTx) outgoing(ctx context.Context, names []string, out *Outgoing) (err error) {
	if out.Spec, err = refs.New(t.local, nil).Spec(ctx); err == nil {
		out.Pending, err = t.status(ctx, names)
	}
	return err
}

// registerSpec writes what is required to the team, and reports whether anything was
// written.
func (s *Sync) registerSpec(ctx context.Context, changes []refs.Change) (written bool, err error) {
	if err := s.step(ctx, func(t *syncTx) error { return t.intend(changes) }); err != nil {
		return false, err
	}
	errs, err := s.write(ctx, changes)
	for _, err := range errs {
		if err == nil {
			written = true
		} else if !errors.Is(err, refs.ErrConflict) && !errors.Is(err, fs.ErrNotExist) {
			return written, err
		}
	}
	return written, err
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
