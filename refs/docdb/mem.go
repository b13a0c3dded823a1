package docdb

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/datafs/datafs/refs"
)

// Mem is a Store that keeps everything in memory, for tests and figures. The
// zero Mem is empty and ready.
type Mem struct {
	mu     sync.Mutex // guards all below
	docs   map[string]memDoc
	sorted []string // the keys; nil: to be sorted anew
	log    []Entry  // entry N is at N-1
	counts Counts
}

// memDoc is a Doc as small as can be.
type memDoc struct {
	seq  int64
	data []byte // JSON of the fields, or the raw record
	raw  bool
	void bool
}

// Counts say what a Mem was asked to do. Bytes are those of the keys and values
// that went either way.
type Counts struct {
	Reads  int64 // calls of Get, Head, Read, and of Keys
	Writes int64 // documents and entries that were written, or refused
	Bytes  int64
	Most   int64 // bytes of the largest single answer
}

// Counts gives the counts since the last Reset.
func (s *Mem) Counts() Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts
}

// Reset sets the counts to zero.
func (s *Mem) Reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts = Counts{}
}

// begin locks s for a call, unless ctx is done.
func (s *Mem) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	return nil
}

// answered counts a read of n bytes.
func (s *Mem) answered(n int) {
	s.counts.Reads++
	s.counts.Bytes += int64(n)
	s.counts.Most = max(s.counts.Most, int64(n))
}

func (s *Mem) written(n int) {
	s.counts.Writes++
	s.counts.Bytes += int64(n)
}

// Get implements Store.
func (s *Mem) Get(ctx context.Context, keys []string) (map[string]Doc, error) {
	if len(keys) > MaxGet {
		return nil, fmt.Errorf("get of %d documents, at most %d: %w", len(keys), MaxGet, fs.ErrInvalid)
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	docs, size := make(map[string]Doc, len(keys)), 0
	for _, key := range keys {
		size += len(key)
		d, ok := s.docs[key]
		if !ok {
			continue
		}
		size += len(d.data)
		doc, err := d.doc(key)
		if err != nil {
			return nil, err
		}
		docs[key] = doc
	}
	s.answered(size)
	return docs, nil
}

func (d memDoc) doc(key string) (Doc, error) {
	doc := Doc{Key: key, Seq: d.seq, Void: d.void}
	switch {
	case d.void:
	case d.raw:
		doc.Raw = slices.Clone(d.data)
	default:
		fields, ok := parse(d.data)
		if doc.Fields = fields; !ok {
			return Doc{}, fmt.Errorf("document %q: %w", key, refs.ErrCorrupt)
		}
	}
	return doc, nil
}

func newMemDoc(d Doc) (memDoc, error) {
	m := memDoc{seq: d.Seq, void: d.Void, raw: d.Fields == nil && !d.Void, data: slices.Clone(d.Raw)}
	if d.Fields == nil {
		return m, nil
	}
	data, err := Encode(d.Fields)
	m.data = data
	return m, err
}

// Insert implements Store.
func (s *Mem) Insert(ctx context.Context, docs []Doc) ([]error, error) {
	if len(docs) > MaxInsert {
		return nil, fmt.Errorf("insert of %d documents, at most %d: %w", len(docs), MaxInsert, fs.ErrInvalid)
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	errs := make([]error, len(docs))
	for i, d := range docs {
		if _, ok := s.docs[d.Key]; ok {
			s.written(len(d.Key))
			errs[i] = fmt.Errorf("document %q: %w", d.Key, fs.ErrExist)
			continue
		}
		errs[i] = s.set(d)
		s.sorted = nil
	}
	return errs, nil
}

func (s *Mem) set(d Doc) error {
	m, err := newMemDoc(d)
	if err != nil {
		return fmt.Errorf("document %q: %w: %w", d.Key, fs.ErrInvalid, err)
	}
	if s.docs == nil {
		s.docs = map[string]memDoc{}
	}
	s.docs[d.Key] = m
	s.written(len(d.Key) + len(m.data))
	return nil
}

// check refuses a document that is not at prev.
func (s *Mem) check(key string, prev int64) error {
	if d, ok := s.docs[key]; !ok || d.seq != prev {
		s.written(len(key))
		return fmt.Errorf("document %q: %w", key, refs.ErrConflict)
	}
	return nil
}

// Replace implements Store.
func (s *Mem) Replace(ctx context.Context, d Doc, prev int64) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.check(d.Key, prev); err != nil {
		return err
	}
	return s.set(d)
}

// Delete implements Store.
func (s *Mem) Delete(ctx context.Context, key string, prev int64) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	if err := s.check(key, prev); err != nil {
		return err
	}
	s.written(len(key))
	s.sorted = nil
	delete(s.docs, key)
	return nil
}

// Keys implements Store.
func (s *Mem) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := s.begin(ctx); err != nil {
			yield("", err)
			return
		}
		if s.sorted == nil {
			s.sorted = slices.Sorted(maps.Keys(s.docs))
		}
		s.answered(0)
		keys := s.sorted // never written to again
		s.mu.Unlock()
		i, _ := slices.BinarySearch(keys, prefix)
		for ; i < len(keys) && strings.HasPrefix(keys[i], prefix); i++ {
			if !yield(keys[i], nil) {
				return
			}
		}
	}
}

// Head implements Store.
func (s *Mem) Head(ctx context.Context) (int64, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.mu.Unlock()
	s.answered(0)
	return int64(len(s.log)), nil
}

// Append implements Store. It refuses an entry that would leave a gap.
func (s *Mem) Append(ctx context.Context, e Entry) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.written(e.size())
	switch head := int64(len(s.log)); {
	case e.N <= head:
		return fmt.Errorf("entry %d: %w", e.N, fs.ErrExist)
	case e.N > head+1:
		return fmt.Errorf("entry %d after %d: %w", e.N, head, fs.ErrInvalid)
	}
	s.log = append(s.log, e)
	return nil
}

func (e Entry) size() (n int) {
	for _, c := range e.Changes {
		n += len(c.Key)
	}
	return n
}

// Finish implements Store.
func (s *Mem) Finish(ctx context.Context, n int64, by string, failed []int) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.mu.Unlock()
	s.written(0)
	if n < 1 || n > int64(len(s.log)) || s.log[n-1].Done && s.log[n-1].By != by {
		return fmt.Errorf("entry %d: %w", n, refs.ErrConflict)
	}
	e := &s.log[n-1]
	e.Done, e.By, e.Failed = true, by, slices.Clone(failed)
	return nil
}

// Read implements Store.
func (s *Mem) Read(ctx context.Context, after int64, limit int) ([]Entry, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var page []Entry
	if head := int64(len(s.log)); after < head {
		page = slices.Clone(s.log[after:min(head, after+int64(limit))])
	}
	size := 0
	for _, e := range page {
		size += e.size()
	}
	s.answered(size)
	return page, nil
}

// Close implements Store; there is nothing to release.
func (s *Mem) Close() error { return nil }

// parse gives JSON of fields as fields.
func parse(data []byte) (fields map[string]any, ok bool) {
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.UseNumber()
	if err := dec.Decode(&fields); err != nil || fields == nil {
		return nil, false
	}
	_, ok = native(fields, maxDepth)
	return fields, ok
}
