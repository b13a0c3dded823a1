package bolt

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"os"
	"syscall"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Options say what a Manager works on.
type Options struct {
	Table string           // "" is refs.DefaultTable
	Make  bool             // a table that is not there is an empty one, and is made when something is put into it
	Now   func() time.Time // says when a record was deleted; nil is time.Now
	First func() error     // asked before the first journal is made, which its error prevents; may be nil
}

// Manager is the embedded Manager: records in the repository's index, and a
// journal of all changes beside it, from which Rebuild makes them anew when the
// index is lost. It may be used by several goroutines, and the files by several
// processes, at once.
//
// A change is acknowledged when it is in the journal, fsynced, and the index has
// committed it. The index keeps in the same commit how far it has applied the
// journal, so a change that made it into the journal only (a crash in between)
// is applied by whoever comes next.
type Manager struct {
	db    *index.DB
	dir   string
	table string
	make  bool
	now   func() time.Time

	// compactAt is the size in bytes above which a journal that is twice its
	// live size is compacted.
	compactAt int64

	// termsStep is how many archives of an older program are added to the lists of
	// terms in one transaction.
	termsStep int

	first func() error // asked before the first journal is made; may be nil
}

// Open makes the manager of a table in db whose journal is in journalDir.
// It neither reads nor makes a file: the first change does. Closing the manager
// does not close db.
func Open(db *index.DB, journalDir string, opts *Options) (*Manager, error) {
	if opts == nil {
		opts = &Options{}
	}
	b := &Manager{db: db, dir: journalDir, table: opts.Table, make: opts.Make, first: opts.First, now: opts.Now, compactAt: 8 << 20, termsStep: 20_000}
	if b.now == nil {
		b.now = time.Now
	}
	if b.table == "" {
		b.table = refs.DefaultTable
	}
	return b, checkTableName(b.table)
}

// Close implements refs.Manager; there is nothing to release.
func (b *Manager) Close() error { return nil }

// Get implements refs.Manager.
func (b *Manager) Get(ctx context.Context, key string) (r refs.Record, err error) {
	err = b.viewTable(ctx, func(tx *index.Tx) error {
		r, err = get(tx, b.table, key)
		return err
	})
	return r, err
}

// Put implements refs.Manager.
func (b *Manager) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (rev refs.Rev, err error) {
	err = b.update(ctx, func(t *transaction) error {
		rev, err = b.in(t).Put(ctx, key, value, prev)
		return err
	})
	if err != nil {
		rev = refs.Absent
	}
	return rev, err
}

// Delete implements refs.Manager.
func (b *Manager) Delete(ctx context.Context, key string, prev refs.Rev) error {
	return b.update(ctx, func(t *transaction) error { return b.in(t).Delete(ctx, key, prev) })
}

// PutAll implements refs.Batcher; the changes become visible together.
func (b *Manager) PutAll(ctx context.Context, changes []refs.Change) ([]error, error) {
	errs := make([]error, len(changes))
	err := b.update(ctx, func(t *transaction) error {
		for i, c := range changes {
			if c.Value == nil {
				errs[i] = b.in(t).Delete(ctx, c.Key, c.Prev)
			} else {
				_, errs[i] = b.in(t).Put(ctx, c.Key, c.Value, c.Prev)
			}
			if errs[i] != nil && !refs.Refused(errs[i]) {
				return errs[i]
			}
		}
		return nil
	})
	return errs, err
}

// Atomic implements refs.Atomic.
func (b *Manager) Atomic(ctx context.Context, fn func(refs.Manager) error) error {
	return b.update(ctx, func(t *transaction) error { return fn(b.in(t)) })
}

// Snapshot implements refs.Snapshotter.
func (b *Manager) Snapshot(ctx context.Context, fn func(refs.Manager) error) error {
	return b.View(ctx, func(tx *index.Tx) error { return fn(snapshot{tx, b.table, b.make}) })
}

// List implements refs.Manager.
func (b *Manager) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	return pages(func(_ []refs.Record, after refs.Record) (list []refs.Record, more bool, err error) {
		err = b.viewTable(ctx, func(tx *index.Tx) error {
			list, more, err = page(tx, b.table, prefix, after.Key)
			return err
		})
		return list, more, err
	})
}

// Changes implements refs.Manager.
func (b *Manager) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return changePages(since, func(after uint64) (list []refs.Record, more bool, err error) {
		err = b.viewTable(ctx, func(tx *index.Tx) error {
			list, more, err = changePage(tx, b.table, after)
			return err
		})
		return list, more, err
	})
}

// View calls fn on the index, which is in step with the journal then.
func (b *Manager) View(ctx context.Context, fn func(*index.Tx) error) error {
	for {
		behind, usable := false, false
		err := b.db.View(ctx, func(tx *index.Tx) (err error) {
			if behind, usable, err = b.behind(tx); err != nil || behind {
				return err
			}
			return fn(tx)
		})
		if err != nil || !behind {
			return err
		}
		err = b.update(ctx, func(*transaction) error { return nil })
		if usable && (errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)) {
			// What only the journal has was never acknowledged, so who may
			// not write does without it.
			return b.db.View(ctx, fn)
		}
		if err != nil {
			return err
		}
	}
}

// viewTable is View of the table, which must be there or is to be made.
func (b *Manager) viewTable(ctx context.Context, fn func(*index.Tx) error) error {
	return b.View(ctx, func(tx *index.Tx) error {
		if err := (snapshot{tx, b.table, b.make}).check(ctx); err != nil {
			return err
		}
		return fn(tx)
	})
}

// behind reports whether the index is not in step with the journal, and then
// whether it lacks nothing that was acknowledged.
func (b *Manager) behind(tx *index.Tx) (behind, usable bool, err error) {
	m, err := loadMark(tx)
	if err != nil {
		return false, false, err
	}
	generation, size, _, err := newestJournal(b.dir)
	if err != nil {
		return false, false, err
	}
	if err := m.check(b.dir, generation, size); err != nil {
		return false, false, err
	}
	return m.Generation != generation || m.Offset != size, m.Generation == generation, nil
}

// update calls fn in a transaction on an index that is in step with the
// journal, and commits what it did, unless it returns an error.
func (b *Manager) update(ctx context.Context, fn func(*transaction) error) error {
	var t *transaction
	err := b.db.Update(ctx, func(tx *index.Tx) (err error) {
		t = &transaction{b: b, tx: tx}
		defer t.close()
		if err := t.begin(false); err != nil {
			return err
		}
		if err := fn(t); err != nil {
			return t.rollback(err)
		}
		return t.commit()
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil && t != nil && t.durable {
		return b.settle(context.WithoutCancel(ctx), t, err)
	}
	if err == nil && t.compacted {
		removeAll(t.others)
	}
	return err
}

// settle is for a transaction that is in the journal but that the index could
// not commit: nothing is to have changed after an error, so the journal is cut
// back, unless somebody else has applied it already: then it is done.
func (b *Manager) settle(ctx context.Context, t *transaction, cause error) error {
	done := false
	err := b.db.Update(ctx, func(tx *index.Tx) error {
		m, err := loadMark(tx)
		if err != nil {
			return err
		}
		if done = !m.before(t.mark); done {
			return errNothing
		}
		generation, size, _, err := newestJournal(b.dir)
		alone := m.Generation == t.loaded.Generation && m.Offset == t.loaded.Offset
		if err != nil || !alone || generation != t.mark.Generation || size != t.mark.Offset {
			return errors.Join(err, errNothing)
		}
		return errors.Join(t.takeBack(), errNothing)
	})
	if done && errors.Is(err, errNothing) {
		return nil
	}
	return cause
}

// takeBack makes the journal what it was before the transaction.
func (t *transaction) takeBack() error {
	if t.compacted {
		if err := os.Remove(journalPath(t.b.dir, t.mark.Generation)); err != nil {
			return err
		}
		if err := leaf.SyncDir(t.b.dir); err != nil {
			return err
		}
	}
	return cutJournal(journalPath(t.b.dir, t.from.Generation), t.from.Offset)
}

// errNothing ends a transaction that has nothing to commit.
var errNothing = errors.New("nothing to commit")

func removeAll(files []string) {
	for _, f := range files {
		os.Remove(f) // what stays is removed by the next change
	}
}
