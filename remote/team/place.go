package team

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs/bolt"
)

// Where a Sync keeps what. Kept buckets, which the journal has too: "base" has what
// the team had of each record, "conflict" what is to be settled, "intent" what is
// being written to the team, "meta" the rest. In the index only is what follows
// from records and base: which records differ, and as far as they were looked at.
const (
	localCursor = "cursor" // of the repository's changes
	dirtyKey    = "dirty " // begins the keys of records that differ
)

// keptBuckets are those that older programs had in the index only.
var keptBuckets = []string{"base", "conflict", "meta"}

func (s *Sync) space(what string) string { return "sync/" + s.opts.Space + "/" + what }

// bucket is the name in the index of a kept bucket.
func (s *Sync) bucket(what string) string { return bolt.KeptBucket(s.space(what)) }

// dirty is the bucket of what is in the index only.
func (s *Sync) dirty() string { return bolt.DerivedBucket(s.space("dirty")) }

// naming gives the names of buckets in the index.
type naming func(what string) string

// view calls fn with the index, and with the names of buckets there: those of an
// older program, until the first step takes them over.
func (s *Sync) view(ctx context.Context, fn func(tx *index.Tx, bucket naming) error) error {
	return s.opts.Local.View(ctx, func(tx *index.Tx) error {
		old, err := s.oldBuckets(tx)
		if err != nil {
			return err
		}
		taken, err := s.taken(tx)
		if err != nil || taken || len(old) == 0 {
			return errors.Join(err, fn(tx, s.bucket))
		}
		return fn(tx, s.space)
	})
}

// oldBuckets lists the buckets of an older program.
func (s *Sync) oldBuckets(tx *index.Tx) ([]string, error) {
	all, err := tx.Buckets(s.space(""))
	return slices.DeleteFunc(all, func(name string) bool {
		return name != s.space("dirty") && !slices.ContainsFunc(keptBuckets, func(what string) bool { return name == s.space(what) })
	}), err
}

// taken reports whether there are kept buckets.
func (s *Sync) taken(tx *index.Tx) (bool, error) {
	all, err := tx.Buckets(s.bucket(""))
	return slices.ContainsFunc(keptBuckets, func(what string) bool { return slices.Contains(all, s.bucket(what)) }), err
}

// takeOver moves what an older program had in the index only to where the journal
// has it too. What is left when that was done before is out of date.
func (t *syncTx) takeOver() error {
	old, err := t.s.oldBuckets(t.tx)
	if err != nil || len(old) == 0 {
		return err
	}
	taken, err := t.s.taken(t.tx)
	if err != nil {
		return err
	}
	for _, what := range keptBuckets {
		for r, err := range t.tx.Scan(t.s.space(what), "", "") {
			if err == nil && !taken && !(what == "meta" && r.Key == "local") {
				err = t.keep(what, r.Key, r.Value)
			}
			if err != nil {
				return err
			}
		}
	}
	t.wrote = true
	for _, name := range old {
		if err := t.tx.Drop(name); err != nil {
			return err
		}
	}
	return nil
}

func (t *syncTx) keep(what, key string, value []byte) error {
	t.wrote = true
	return t.joint.Keep(t.s.space(what), key, value)
}

func (t *syncTx) forget(what, key string) error {
	t.wrote = true
	return t.joint.Forget(t.s.space(what), key)
}

func (t *syncTx) forgetAll(what string) error {
	for r, err := range t.tx.Scan(t.s.bucket(what), "", "") {
		if err == nil {
			err = t.forget(what, r.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func textIn(tx *index.Tx, bucket, key string) (string, error) {
	v, err := tx.Get(bucket, key)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(v), err
}
