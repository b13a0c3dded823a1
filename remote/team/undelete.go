package team

import (
	"context"
	"slices"
)

// Undeleting prepares for an archive that is about to be brought back here. Where
// its deletion is in conflict with changes of the team's, that is settled: the next
// Pull merges them with what is brought back, as if both had made it.
func (s *Sync) Undeleting(ctx context.Context, archive string) error {
	if err := s.scan(ctx); err != nil {
		return err
	}
	return s.step(ctx, func(t *syncTx) error {
		if err := t.scanAll(ctx); err != nil {
			return err
		}
		list, err := t.conflicts(archive)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(c Conflict) bool { return c.Kind == ConflictDeleted && c.Mine == nil })
		if i < 0 {
			return nil
		}
		if err := t.restore(ctx, archive); err != nil {
			return err
		}
		return t.dropConflict(list[i])
	})
}
