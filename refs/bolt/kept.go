package bolt

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/datafs/datafs/index"
)

// Kept buckets are key-value buckets of the index that are in the journal as well,
// so that they survive the loss of the index like records do. They are for what
// only this repository knows and what is no record: no table, no sequence numbers
// and no changes to go through.
//
// Derived buckets are the opposite: they are in the index only, and follow from
// records and kept buckets. They are emptied when the index is found behind the
// journal, since then they lack what the journal has.
const (
	keptPrefix    = "refs/kept/"
	derivedPrefix = "refs/derived/"
	keptForm      = 1 // of the kept buckets, in the mark
)

// KeptBucket is the name that a kept bucket has in the index.
func KeptBucket(name string) string { return keptPrefix + name }

// DerivedBucket is the name that a derived bucket has in the index.
func DerivedBucket(name string) string { return derivedPrefix + name }

// freshKept finds out whether an older program has changed something since, which
// may have compacted the journal and left out what is kept.
func (t *transaction) freshKept() error {
	if t.mark.Kept == keptForm {
		return nil
	}
	buckets, err := t.tx.Buckets(keptPrefix)
	if t.rewrite = len(buckets) > 0; err == nil && !t.rewrite {
		t.mark.Kept = keptForm
	}
	return err
}

func (t *transaction) dropDerived() error {
	buckets, err := t.tx.Buckets(derivedPrefix)
	for _, name := range buckets {
		err = errors.Join(err, t.tx.Drop(name))
	}
	return err
}

// keep makes a change of a kept bucket in the index and the journal.
func (t *transaction) keep(o op) error {
	changed, err := t.setKept(o)
	if err == nil && changed {
		err = t.write(o)
	}
	if err != nil {
		t.failed = err
	}
	return err
}

// setKept makes the index say what o says of a kept bucket.
func (t *transaction) setKept(o op) (changed bool, err error) {
	bucket := keptPrefix + o.table
	old, err := t.tx.Get(bucket, o.key)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if there == (o.kind == opKeep) && string(old) == string(o.value) {
		return false, nil
	}
	if there {
		t.mark.Live -= opSize(o.table, o.key, 0, len(old), opKeep)
	}
	if o.kind == opForget {
		return true, t.tx.Delete(bucket, o.key)
	}
	t.mark.Live += o.size()
	return true, t.tx.Put(bucket, o.key, o.value)
}

// snapshotKept writes the kept buckets into a snapshot.
func (t *transaction) snapshotKept(w *journalWriter) error {
	buckets, err := t.tx.Buckets(keptPrefix)
	if err != nil {
		return err
	}
	for _, bucket := range buckets {
		name := strings.TrimPrefix(bucket, keptPrefix)
		for r, err := range t.tx.Scan(bucket, "", "") {
			if err != nil {
				return err
			}
			if err := w.add(op{kind: opKeep, table: name, key: r.Key, value: r.Value}, t.mark.Seq); err != nil {
				return err
			}
		}
	}
	return nil
}

// keptSums are the checksums of what a journal keeps, by bucket and key.
type keptSums map[string]map[string]checksum

// apply reports whether o was about a kept bucket.
func (k keptSums) apply(o op) bool {
	switch o.kind {
	case opKeep:
		if k[o.table] == nil {
			k[o.table] = map[string]checksum{}
		}
		k[o.table][o.key] = sumOf(o.value)
	case opForget:
		delete(k[o.table], o.key)
	default:
		return false
	}
	return true
}

// same checks that the index keeps the same.
func (k keptSums) same(tx *index.Tx) error {
	buckets, err := tx.Buckets(keptPrefix)
	if err != nil {
		return err
	}
	left := 0
	for _, keys := range k {
		left += len(keys)
	}
	for _, bucket := range buckets {
		name := strings.TrimPrefix(bucket, keptPrefix)
		for r, err := range tx.Scan(bucket, "", "") {
			if err != nil {
				return err
			}
			if sum, ok := k[name][r.Key]; !ok || sum != sumOf(r.Value) {
				return fmt.Errorf("%q of %q differs between journal and index: %w", r.Key, name, index.ErrCorrupt)
			}
			left--
		}
	}
	if left != 0 {
		return fmt.Errorf("the index lacks %d of what the journal keeps: %w", left, index.ErrCorrupt)
	}
	return nil
}
