package team

import (
	"errors"
	"io/fs"

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

func (s *Sync) space(what string) string { return "sync/" + s.opts.Space + "/" + what }

// bucket is the name in the index of a kept bucket.
func (s *Sync) bucket(what string) string { return bolt.KeptBucket(s.space(what)) }

// dirty is the bucket of what is in the index only.
func (s *Sync) dirty() string { return bolt.DerivedBucket(s.space("dirty")) }

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
