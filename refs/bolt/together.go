package bolt

import (
	"context"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// Together changes b, another table of the same index and journal, kept buckets
// and the index itself as one: fn's changes become visible all at once when it
// returns nil, and none does when it returns an error. What it is given is for fn
// only, which must use neither managers nor index otherwise.
//
// What is written to Index is not in the journal: all else may come to pass
// without it when the machine fails in between. Then the buckets of DerivedBucket
// are empty.
func (b *Manager) Together(ctx context.Context, other *Manager, fn func(*Joint) error) error {
	return b.update(ctx, func(t *transaction) error {
		t.caughtUp = true // the index is committed even if the journal gets nothing
		return fn(&Joint{Index: t.tx, Own: b.in(t), Other: other.in(t), t: t})
	})
}

// Look shows fn what Together would, to read only: Keep and Forget are not for it.
func (b *Manager) Look(ctx context.Context, other *Manager, fn func(*Joint) error) error {
	return b.View(ctx, func(tx *index.Tx) error {
		return fn(&Joint{Index: tx, Own: snapshot{tx, b.table, b.make}, Other: snapshot{tx, other.table, other.make}})
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
