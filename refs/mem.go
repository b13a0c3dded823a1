package refs

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// pageSize is how many records are read at a time, so that nothing is locked
// while a caller looks at them.
const pageSize = 1000

// Mem is a Manager that keeps its records in memory, for tests and for
// repositories that are not meant to last. The zero Mem is empty and ready.
type Mem struct {
	mu   sync.Mutex // guards all below
	recs map[string]memRecord
	log  []memChange // by rising seq
	seq  uint64
}

type memRecord struct {
	value []byte
	seq   uint64
}

type memChange struct {
	seq     uint64
	key     string
	deleted bool
}

// Get implements Manager.
func (m *Mem) Get(ctx context.Context, key string) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.recs[key]
	if !ok {
		return Record{}, errNoRecord(key)
	}
	return liveRecord(key, r.value, r.seq), nil
}

// Put implements Manager.
func (m *Mem) Put(ctx context.Context, key string, value []byte, prev Rev) (Rev, error) {
	if err := checkRecord(key, value); err != nil {
		return Absent, err
	}
	if err := ctx.Err(); err != nil {
		return Absent, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.recs[key]
	if err := checkPut(key, ok, old.seq, prev); err != nil {
		return Absent, err
	}
	if m.recs == nil {
		m.recs = map[string]memRecord{}
	}
	m.forget(old.seq)
	m.seq++
	m.recs[key] = memRecord{bytes.Clone(value), m.seq}
	m.log = append(m.log, memChange{seq: m.seq, key: key})
	return revOf(m.seq), nil
}

// Delete implements Manager.
func (m *Mem) Delete(ctx context.Context, key string, prev Rev) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.recs[key]
	if err := checkDelete(key, ok, old.seq, prev); err != nil {
		return err
	}
	m.forget(old.seq)
	m.seq++
	delete(m.recs, key)
	m.log = append(m.log, memChange{seq: m.seq, key: key, deleted: true})
	return nil
}

// forget drops a change that a later one of the same record stands for.
func (m *Mem) forget(seq uint64) {
	if i, ok := slices.BinarySearchFunc(m.log, seq, memChange.compare); ok {
		m.log = slices.Delete(m.log, i, i+1)
	}
}

func (c memChange) compare(seq uint64) int {
	switch {
	case c.seq < seq:
		return -1
	case c.seq > seq:
		return 1
	}
	return 0
}

// List implements Manager.
func (m *Mem) List(ctx context.Context, prefix string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, key := range m.keys(prefix) {
			r, err := m.Get(ctx, key)
			if ctx.Err() == nil && err != nil {
				continue // deleted meanwhile
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func (m *Mem) keys(prefix string) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var keys []string
	for key := range m.recs {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// Changes implements Manager.
func (m *Mem) Changes(ctx context.Context, since Cursor) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		after, err := parseCursor(since)
		if err != nil {
			yield(Record{}, err)
			return
		}
		for _, r := range m.changes(after) {
			if err := ctx.Err(); err != nil {
				yield(Record{}, err)
				return
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *Mem) changes(after uint64) []Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	if after > m.seq {
		after = 0
	}
	var list []Record
	for _, c := range m.log {
		switch {
		case c.seq <= after:
		case c.deleted:
			list = append(list, deadRecord(c.key, c.seq))
		default:
			list = append(list, liveRecord(c.key, m.recs[c.key].value, c.seq))
		}
	}
	return list
}

// Close implements Manager; there is nothing to release.
func (m *Mem) Close() error { return nil }

// What the managers that number their changes have in common.

func revOf(seq uint64) Rev { return Rev(strconv.FormatUint(seq, 10)) }

func liveRecord(key string, value []byte, seq uint64) Record {
	return Record{Key: key, Value: bytes.Clone(value), Rev: revOf(seq), Cursor: Cursor(revOf(seq))}
}

func deadRecord(key string, seq uint64) Record {
	return Record{Key: key, Deleted: true, Cursor: Cursor(revOf(seq))}
}

func parseCursor(c Cursor) (uint64, error) {
	if c == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(c), 10, 64)
	if err != nil || n == math.MaxUint64 {
		return 0, invalid(`unknown cursor "%s"`, printable(string(c)))
	}
	return n, nil
}

func errNoRecord(key string) error { return notFound("no record %q", key) }

func checkPut(key string, there bool, seq uint64, prev Rev) error {
	switch {
	case !there && prev != Absent:
		return fmt.Errorf("record %q is gone: %w", key, ErrConflict)
	case there && prev == Absent:
		return fmt.Errorf("record %q exists already: %w", key, ErrConflict)
	case there && prev != revOf(seq):
		return fmt.Errorf("record %q: %w", key, ErrConflict)
	}
	return nil
}

func checkDelete(key string, there bool, seq uint64, prev Rev) error {
	switch {
	case !there:
		return errNoRecord(key)
	case prev != revOf(seq):
		return fmt.Errorf("record %q: %w", key, ErrConflict)
	}
	return nil
}

func checkRecord(key string, value []byte) error {
	switch {
	case key == "":
		return invalid("record without a key")
	case len(key) > MaxKey:
		return invalid("key too long: %d bytes, at most %d", len(key), MaxKey)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl):
		return invalid("key %q contains invalid characters", key)
	case value == nil:
		return invalid("record %q without a value", key)
	case len(value) > MaxValue:
		return invalid("record %q too large: %d bytes, at most %d", key, len(value), MaxValue)
	}
	return nil
}
