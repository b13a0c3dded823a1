package index

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
)

const (
	// MaxKey is the greatest length of a key or a bucket's name, in bytes.
	MaxKey = 32 << 10

	// MaxValue is the greatest length of a value, in bytes.
	MaxValue = 1 << 30
)

var errReadOnly = errors.New("write in a read-only transaction")

// Record is one key with its value.
type Record struct {
	Key   string
	Value []byte
}

// Tx is a transaction: a View's shows the database as it was when it began, an
// Update's also its own changes. It is valid only in the function that it was
// given to, and not safe for concurrent use.
type Tx struct {
	s        *snapshot // nil: the database is empty
	root     *tree     // nil likewise
	writable bool
	limits   limits
	open     map[string]*bucket
}

func newTx(s *snapshot, writable bool) *Tx {
	tx := &Tx{s: s, writable: writable, open: map[string]*bucket{}}
	if s != nil {
		tx.root = s.buckets()
	}
	return tx
}

// Get returns a copy of the value of key. Where there is none the error wraps
// fs.ErrNotExist, where the file is damaged ErrCorrupt.
func (tx *Tx) Get(bucket, key string) ([]byte, error) {
	b, err := tx.public(bucket, key)
	if err != nil {
		return nil, err
	}
	v, found, err := b.get([]byte(key))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, notFound(bucket, key)
	}
	return append([]byte{}, v...), nil
}

func notFound(bucket, key string) error {
	return fmt.Errorf("record %q of %q: %w", key, bucket, fs.ErrNotExist)
}

// Put sets the value of key; the value is copied. It fails in a View.
func (tx *Tx) Put(bucket, key string, value []byte) error {
	b, err := tx.writeTo(bucket, key)
	if err != nil {
		return err
	}
	if len(value) > MaxValue {
		return fmt.Errorf("put %q into %q: a value of %d bytes is too long", key, bucket, len(value))
	}
	b.put([]byte(key), value)
	return nil
}

// Delete removes key. Deleting what is not there is no error.
func (tx *Tx) Delete(bucket, key string) error {
	b, err := tx.writeTo(bucket, key)
	if err != nil {
		return err
	}
	return b.delete([]byte(key))
}

// Scan yields the records of a bucket whose keys begin with prefix and, when
// after is not empty, are greater than after, in byte order. The records must
// not be changed, and are valid in the transaction only. Records may be put and
// deleted meanwhile; those ahead are seen as they are when it comes to them. It
// ends with the first error.
func (tx *Tx) Scan(bucket, prefix, after string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		b, err := tx.public(bucket, "-")
		if err != nil {
			yield(Record{}, err)
			return
		}
		from := prefix
		if after != "" {
			from = max(prefix, after+"\x00")
		}
		for it, err := range b.scan([]byte(from)) {
			if err != nil {
				yield(Record{}, err)
				return
			}
			if !bytes.HasPrefix(it.key, []byte(prefix)) || !yield(Record{string(it.key), it.value}, nil) {
				return
			}
		}
	}
}

// Last returns the record with the greatest key that begins with prefix. Where
// there is none the error wraps fs.ErrNotExist. The value must not be changed,
// and is valid in the transaction only.
func (tx *Tx) Last(bucket, prefix string) (Record, error) {
	b, err := tx.public(bucket, "-")
	if err != nil {
		return Record{}, err
	}
	it, found, err := b.last(behind([]byte(prefix)))
	if err != nil {
		return Record{}, err
	}
	if !found || !bytes.HasPrefix(it.key, []byte(prefix)) {
		return Record{}, notFound(bucket, prefix)
	}
	return Record{string(it.key), it.value}, nil
}

// Drop removes a bucket with all its records. Dropping what is not there is no
// error. A Scan of the bucket that is under way must be given up.
func (tx *Tx) Drop(bucket string) error {
	b, err := tx.writeTo(bucket, "-")
	if err != nil {
		return err
	}
	b.drop()
	return nil
}

// Buckets returns the names of the buckets that begin with prefix, in byte
// order. A bucket is there from the first Put until it is dropped.
func (tx *Tx) Buckets(prefix string) ([]string, error) {
	all, err := tx.names(prefix)
	return slices.DeleteFunc(all, internal), err
}

func (tx *Tx) names(prefix string) ([]string, error) {
	var names []string
	if tx.root != nil {
		base := bucket{base: tx.root}
		for it, err := range base.scan([]byte(prefix)) {
			if err != nil {
				return nil, err
			}
			if !bytes.HasPrefix(it.key, []byte(prefix)) {
				break
			}
			if b := tx.open[string(it.key)]; b == nil || b.exists() {
				names = append(names, string(it.key))
			}
		}
	}
	for name, b := range tx.open {
		if b.exists() && strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// internal tells the names that this package keeps for itself.
func internal(bucket string) bool { return strings.HasPrefix(bucket, ".") }

// public returns the bucket of a caller's, having checked the names.
func (tx *Tx) public(bucket, key string) (*bucket, error) {
	switch {
	case bucket == "" || internal(bucket) || len(bucket) > MaxKey:
		return nil, fmt.Errorf("bucket name %.40q is not allowed", bucket)
	case key == "" || len(key) > MaxKey:
		return nil, fmt.Errorf("key %.40q of %d bytes is not allowed", key, len(key))
	}
	return tx.bucket(bucket)
}

func (tx *Tx) writeTo(bucket, key string) (*bucket, error) {
	if !tx.writable {
		return nil, errReadOnly
	}
	return tx.public(bucket, key)
}

// bucket returns a bucket, an empty one where there is none yet.
func (tx *Tx) bucket(name string) (*bucket, error) {
	if b := tx.open[name]; b != nil {
		return b, nil
	}
	b := &bucket{name: name, sum: newSummer(name)}
	if tx.root != nil {
		entry, found, err := tx.root.get([]byte(name))
		if err != nil {
			return nil, err
		}
		if found {
			if b.base, err = tx.s.bucket(b.sum, entry); err != nil {
				return nil, err
			}
			b.had = true
		}
	}
	tx.open[name] = b
	return b, nil
}
