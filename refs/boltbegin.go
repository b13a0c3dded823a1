package refs

import (
	"context"
	"errors"
)

// Begin makes the journal if there is none yet, which the first change would do
// otherwise: a repository with content that no record names is not one that has
// lost its journal.
func (b *Bolt) Begin(ctx context.Context) error {
	return b.update(ctx, func(t *boltTx) error {
		if t.mark.Generation > 0 {
			return nil
		}
		if err := t.openJournal(); err != nil {
			return err
		}
		pos, err := t.w.pos, t.w.file.Close()
		t.w, t.caughtUp = nil, true // there is nothing to end, but the index is to know the journal
		return errors.Join(err, t.setPosition(pos))
	})
}
