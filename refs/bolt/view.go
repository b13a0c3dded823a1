package bolt

import (
	"context"
	"iter"

	"github.com/datafs/datafs/refs"
)

// txView is the Manager that Atomic hands out.
type txView struct {
	t     *transaction
	table string
}

func (v txView) Get(ctx context.Context, key string) (refs.Record, error) {
	if err := ctx.Err(); err != nil {
		return refs.Record{}, err
	}
	return get(v.t.tx, v.table, key)
}

func (v txView) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	if err := ctx.Err(); err != nil {
		return refs.Absent, err
	}
	return v.t.put(v.table, key, value, prev)
}

func (v txView) Delete(ctx context.Context, key string, prev refs.Rev) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return v.t.delete(v.table, key, prev)
}

func (v txView) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	return pages(func(_ []refs.Record, after refs.Record) ([]refs.Record, bool, error) {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		return page(v.t.tx, v.table, prefix, after.Key)
	})
}

func (v txView) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return changePages(since, func(after uint64) ([]refs.Record, bool, error) {
		if err := ctx.Err(); err != nil {
			return nil, false, err
		}
		return changePage(v.t.tx, v.table, after)
	})
}

func (v txView) Close() error { return nil }
