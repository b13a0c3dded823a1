package bolt

import (
	"context"
	"errors"
	"io/fs"
	"iter"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// snapshot is a table in a transaction that only reads.
type snapshot struct {
	tx    *index.Tx
	table string
	make  bool // a table that is not there is an empty one
}

// check refuses a table that nobody created.
func (v snapshot) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil || v.make {
		return err
	}
	return checkTable(v.tx, v.table)
}

func (v snapshot) Get(ctx context.Context, key string) (refs.Record, error) {
	if err := v.check(ctx); err != nil {
		return refs.Record{}, err
	}
	return get(v.tx, v.table, key)
}

func (v snapshot) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	return pages(func(_ []refs.Record, after refs.Record) ([]refs.Record, bool, error) {
		if err := v.check(ctx); err != nil {
			return nil, false, err
		}
		return page(v.tx, v.table, prefix, after.Key)
	})
}

func (v snapshot) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return changePages(since, func(after uint64) ([]refs.Record, bool, error) {
		if err := v.check(ctx); err != nil {
			return nil, false, err
		}
		return changePage(v.tx, v.table, after)
	})
}

func (v snapshot) Put(context.Context, string, []byte, refs.Rev) (refs.Rev, error) {
	return refs.Absent, errSnapshot
}

func (v snapshot) Delete(context.Context, string, refs.Rev) error { return errSnapshot }

func (v snapshot) Close() error { return nil }

var errSnapshot = errors.New("write through a manager that only reads")

// txView is a table in a transaction that writes.
type txView struct {
	snapshot
	t *transaction
}

func (b *Manager) in(t *transaction) txView { return txView{snapshot{t.tx, b.table, b.make}, t} }

func (v txView) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	err := v.check(ctx)
	if v.make && err == nil {
		if err = checkTable(v.tx, v.table); errors.Is(err, fs.ErrNotExist) {
			err = v.t.do(op{kind: opCreateTable, table: v.table})
		}
	}
	if err != nil {
		return refs.Absent, err
	}
	return v.t.put(v.table, key, value, prev)
}

func (v txView) Delete(ctx context.Context, key string, prev refs.Rev) error {
	if err := v.check(ctx); err != nil {
		return err
	}
	return v.t.delete(v.table, key, prev)
}
