package refs

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"
	"sync"
)

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
		return Record{}, NoRecord(key)
	}
	return LiveRecord(key, r.value, r.seq), nil
}

// Put implements Manager.
func (m *Mem) Put(ctx context.Context, key string, value []byte, prev Rev) (Rev, error) {
	if err := CheckKeyValue(key, value); err != nil {
		return Absent, err
	}
	if err := ctx.Err(); err != nil {
		return Absent, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.recs[key]
	if err := CheckPut(key, ok, old.seq, prev); err != nil {
		return Absent, err
	}
	if m.recs == nil {
		m.recs = map[string]memRecord{}
	}
	m.forget(old.seq)
	m.seq++
	m.recs[key] = memRecord{bytes.Clone(value), m.seq}
	m.log = append(m.log, memChange{seq: m.seq, key: key})
	return RevOf(m.seq), nil
}

// Delete implements Manager.
func (m *Mem) Delete(ctx context.Context, key string, prev Rev) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	old, ok := m.recs[key]
	if err := CheckDelete(key, ok, old.seq, prev); err != nil {
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
		after, err := ParseCursor(since)
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
			list = append(list, DeadRecord(c.key, c.seq))
		default:
			list = append(list, LiveRecord(c.key, m.recs[c.key].value, c.seq))
		}
	}
	return list
}

// Close implements Manager; there is nothing to release.
func (m *Mem) Close() error { return nil }
