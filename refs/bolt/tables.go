package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

func checkTableName(name string) error {
	if name == "" || len(name) > 255 || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return leaf.Errorf(fs.ErrInvalid, `"%s" not a valid table name`, refs.Printable(name))
	}
	return nil
}

// checkTable refuses a table that nobody created.
func checkTable(tx *index.Tx, table string) error {
	if table == refs.DefaultTable {
		return nil
	}
	_, err := tx.Get(tablesBucket, table)
	if errors.Is(err, fs.ErrNotExist) {
		return leaf.Errorf(fs.ErrNotExist, `Table "%s" not found`, table)
	}
	return err
}

// Tables gives the names of all tables in byte order; refs.DefaultTable is always
// among them.
func (b *Manager) Tables(ctx context.Context) ([]string, error) {
	var names []string
	err := b.View(ctx, func(tx *index.Tx) (err error) {
		names, err = tableNames(tx)
		return err
	})
	return names, err
}

func tableNames(tx *index.Tx) ([]string, error) {
	names := []string{refs.DefaultTable}
	for r, err := range tx.Scan(tablesBucket, "", "") {
		if err != nil {
			return nil, err
		}
		names = append(names, r.Key)
	}
	slices.Sort(names)
	return names, nil
}

// CreateTable makes a table. The error wraps fs.ErrExist when there is one of
// that name.
func (b *Manager) CreateTable(ctx context.Context, name string) error {
	if err := checkTableName(name); err != nil {
		return err
	}
	return b.update(ctx, func(t *transaction) error {
		err := checkTable(t.tx, name)
		if err == nil {
			return leaf.Errorf(fs.ErrExist, `Table "%s" already exists`, name)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return t.do(op{kind: opCreateTable, table: name})
	})
}

// DeleteTable removes a table with all its records, of which Changes will not
// tell. The error wraps fs.ErrNotExist when there is none of that name.
// refs.DefaultTable is there again at once, and empty.
func (b *Manager) DeleteTable(ctx context.Context, name string) error {
	return b.update(ctx, func(t *transaction) error {
		if err := checkTable(t.tx, name); err != nil {
			return err
		}
		return t.do(op{kind: opDeleteTable, table: name})
	})
}

// do makes a change in the index and the journal.
func (t *transaction) do(o op) error {
	var err error
	if o.kind == opDeleteTable {
		err = t.buryTable(o.table)
	}
	if err == nil {
		err = t.apply(o)
	}
	if err == nil {
		err = t.write(o)
	}
	if err != nil {
		t.failed = err
	}
	return err
}

func (t *transaction) dropTable(table string) error {
	for o, err := range t.live(table) {
		if err != nil {
			return err
		}
		t.mark.Live -= o.size()
	}
	for _, bucket := range []string{recPrefix + table, logPrefix + table, namesPrefix + table, termsPrefix + table} {
		if err := t.tx.Drop(bucket); err != nil {
			return err
		}
	}
	return t.tx.Delete(tablesBucket, table)
}

// live gives what a snapshot has of a table: its deletions, then its records.
func (t *transaction) live(table string) func(yield func(op, error) bool) {
	return func(yield func(op, error) bool) {
		for r, err := range t.tx.Scan(logPrefix+table, "", "") {
			var c refs.Record
			if err == nil && len(r.Value) > 0 && r.Value[0] != opDelete {
				continue
			}
			if err == nil {
				c, err = changed(t.tx, table, r)
			}
			seq, _ := refs.ParseCursor(c.Cursor)
			if !yield(op{kind: opDelete, table: table, key: c.Key, seq: seq}, err) || err != nil {
				return
			}
		}
		for r, err := range t.tx.Scan(recPrefix+table, "", "") {
			var s stored
			if err == nil {
				s, err = decodeStored(table, r.Key, r.Value)
			}
			if !yield(op{opPut, table, r.Key, s.seq, s.value}, err) || err != nil {
				return
			}
		}
	}
}

// compact writes all that the index has as the snapshot of a new generation.
func (t *transaction) compact(generation uint64) error {
	pos, err := createJournal(t.b.dir, generation, t.snapshot)
	if err != nil {
		return err
	}
	t.others = append(t.others, journalPath(t.b.dir, t.mark.Generation))
	t.mark.Generation, t.mark.Kept, t.compacted = generation, keptForm, true
	return t.setPosition(pos)
}

func (t *transaction) snapshot(w *journalWriter) error {
	names, err := tableNames(t.tx)
	if err != nil {
		return err
	}
	w.seq = t.mark.Seq
	for _, name := range names {
		if name != refs.DefaultTable {
			if err := w.add(op{kind: opCreateTable, table: name}, t.mark.Seq); err != nil {
				return err
			}
		}
		for o, err := range t.live(name) {
			if err != nil {
				return err
			}
			if err := w.add(o, t.mark.Seq); err != nil {
				return err
			}
		}
	}
	if err := t.snapshotKept(w); err != nil {
		return err
	}
	return w.end()
}

// Compact writes the journal anew without what is no longer so. It happens by
// itself when the journal exceeds 8 MiB and twice the size that it needs.
func (b *Manager) Compact(ctx context.Context) error {
	return b.update(ctx, func(t *transaction) error {
		if t.mark.Generation == 0 {
			return nil
		}
		return t.compactNow()
	})
}

func (t *transaction) compactNow() error {
	t.caughtUp = true
	return t.compact(t.mark.Generation + 1)
}

// Repair writes the journal anew from what the index has, when the journal is
// damaged or gone: Check tells. What the journal has beyond the index is lost,
// which is nothing that was acknowledged, unless the index is an older copy. It
// fails when the index knows of no journal: then only Rebuild can help.
func (b *Manager) Repair(ctx context.Context) error {
	var t *transaction
	err := b.db.Update(ctx, func(tx *index.Tx) error {
		m, err := loadMark(tx)
		if err != nil {
			return err
		}
		if m.Generation == 0 {
			return fmt.Errorf("repairing the journal: the index knows of none: %w", fs.ErrNotExist)
		}
		newest, _, others, err := newestJournal(b.dir)
		if err != nil {
			return err
		}
		if err := makeJournalDir(b.dir); err != nil {
			return err
		}
		t = &transaction{b: b, tx: tx, mark: m, others: others}
		if newest > 0 {
			t.others = append(t.others, journalPath(b.dir, newest))
		}
		return t.compact(max(newest, m.Generation) + 1)
	})
	if err == nil {
		removeAll(t.others)
	}
	return err
}

// Rebuild makes the records anew from the journal alone: for an index that was
// lost, or is not to be trusted. A torn end of the journal is cut off; damage is
// index.ErrCorrupt, and then the index stays as it is.
func (b *Manager) Rebuild(ctx context.Context) error {
	err := b.db.Update(ctx, func(tx *index.Tx) error {
		t := &transaction{b: b, tx: tx}
		if err := t.begin(true); err != nil || t.caughtUp {
			return err
		}
		return errNothing
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	return err
}
