package refs

import (
	"context"
	"iter"
)

// boltView is the Manager that Atomic hands out.
type boltView struct {
	t     *boltTx
	table string
}

func (v boltView) Get(ctx context.Context, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	return get(v.t.tx, v.table, key)
}

func (v boltView) Put(ctx context.Context, key string, value []byte, prev Rev) (Rev, error) {
	if err := ctx.Err(); err != nil {
		return Absent, err
	}
	return v.t.put(v.table, key, value, prev)
}

func (v boltView) Delete(ctx context.Context, key string, prev Rev) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return v.t.delete(v.table, key, prev)
}

func (v boltView) List(ctx context.Context, prefix string) iter.Seq2[Record, error] {
	return pages(func(_ []Record, after Record) ([]Record, bool, error) {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		return page(v.t.tx, v.table, prefix, after.Key)
	})
}

func (v boltView) Changes(ctx context.Context, since Cursor) iter.Seq2[Record, error] {
	return changePages(since, func(after uint64) ([]Record, bool, error) {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		return changePage(v.t.tx, v.table, after)
	})
}

func (v boltView) Close() error { return nil }
