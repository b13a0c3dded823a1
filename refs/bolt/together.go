package bolt

import (
	"context"
	"errors"
	"io/fs"
	"iter"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// Together changes b, another table of the same index and journal, kept buckets
// and the index itself as one: fn's changes become visible all at once when it
// returns nil, and none does when it returns an error. What it is given is for fn
// only, which must use neither managers nor index otherwise. A table that is not
// there is an empty one for Other, and is made when something is put into it.
//
// What is written to Index is not in the journal: all else may come to pass
// without it when the machine fails in between. Then the buckets of DerivedBucket
// are empty.
func (b *Manager) Together(ctx context.Context, other *Manager, fn func(*Joint) error) error {
	return b.update(ctx, func(t *transaction) error {
		t.caughtUp = true // the index is committed even if the journal gets nothing
		return fn(&Joint{Index: t.tx, Own: txView{t, b.table}, Other: lazyView{txView{t, other.table}}, t: t})
	})
}

// Joint is what Together gives to its function.
type Joint struct {
	Index      *index.Tx
	Own, Other refs.Manager
	t          *transaction
}

// Keep sets a key of a kept bucket. It is read from Index by KeptBucket's name.
func (j *Joint) Keep(bucket, key string, value []byte) error {
	return j.t.keep(op{kind: opKeep, table: bucket, key: key, value: value})
}

// Forget removes a key of a kept bucket; that it is not there is no error.
func (j *Joint) Forget(bucket, key string) error {
	return j.t.keep(op{kind: opForget, table: bucket, key: key})
}

// lazyView is a txView of a table that need not exist.
type lazyView struct{ txView }

func (v lazyView) missing() bool {
	return errors.Is(checkTable(v.t.tx, v.table), fs.ErrNotExist)
}

func (v lazyView) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	if v.missing() {
		if err := v.t.do(op{kind: opCreateTable, table: v.table}); err != nil {
			return refs.Absent, err
		}
	}
	return v.txView.Put(ctx, key, value, prev)
}

func (v lazyView) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	if v.missing() {
		return func(func(refs.Record, error) bool) {}
	}
	return v.txView.List(ctx, prefix)
}

func (v lazyView) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	if v.missing() {
		return func(func(refs.Record, error) bool) {}
	}
	return v.txView.Changes(ctx, since)
}
