package bolt

import (
	"context"
	"errors"
	"io/fs"

	"github.com/datafs/datafs/index"
)

// Begin makes the journal if there is none yet, which the first change would do
// otherwise: a repository with content that no record names is not one that has
// lost its journal.
func (b *Manager) Begin(ctx context.Context) error {
	return b.update(ctx, func(t *transaction) error {
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

// lossBucket is the kept bucket that says that the journal was lost once.
const (
	lossBucket = "loss"
	lossKey    = "journal"
)

// BeginAnew makes a journal where one was lost, and remembers that for good: content
// that no record names may have been named in the one that was lost.
func (b *Manager) BeginAnew(ctx context.Context) error {
	return b.update(ctx, func(t *transaction) error {
		t.anew = true
		when, err := b.now().UTC().MarshalText()
		if err != nil {
			return err
		}
		return t.keep(op{kind: opKeep, table: lossBucket, key: lossKey, value: when})
	})
}

// BegunAnew reports whether BeginAnew was ever called.
func (b *Manager) BegunAnew(ctx context.Context) (anew bool, err error) {
	err = b.View(ctx, func(tx *index.Tx) error {
		_, err := tx.Get(KeptBucket(lossBucket), lossKey)
		if anew = err == nil; errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return anew, err
}
