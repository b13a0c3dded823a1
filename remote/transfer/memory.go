package transfer

import (
	"context"
	"errors"
	"io/fs"
	"maps"

	"github.com/datafs/datafs/index"
)

// What the index remembers of an authority, each in a bucket of its own. It is read
// once; what other processes add meanwhile is found the next time.
const (
	factsKind  = "facts"  // by Site.Note
	tablesKind = "tables" // table files that have been read, by name
	goneKind   = "gone"   // packs that were there once, by id
	newKind    = "new"    // packs that no table file names yet: tables of one pack, by id
)

// locationsBucket holds the ids of authorities by their locations.
const locationsBucket = "remote/locations"

// siteBucket names a bucket of an authority. Chunks have a space of the name without
// a kind.
func siteBucket(id, kind string) string { return "remote/" + id + "/" + kind }

// memory is what the index remembers: by kind and key. The zero one is that of an
// authority that was never met.
type memory struct {
	id    string
	items map[string]map[string][]byte
}

// recall reads what is remembered of the authority with an id, or with "" of the one
// that was at the location last.
func (s *Site) recall(ctx context.Context, id string) (m memory, err error) {
	if id == "" && s.opts.Location == "" {
		return m, nil
	}
	err = s.index.View(ctx, func(tx *index.Tx) error {
		m = memory{id: id, items: map[string]map[string][]byte{}}
		if id == "" {
			v, err := tx.Get(locationsBucket, s.opts.Location)
			if m.id = string(v); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
		}
		for _, kind := range []string{factsKind, tablesKind, goneKind, newKind} {
			m.items[kind] = map[string][]byte{}
			for r, err := range tx.Scan(siteBucket(m.id, kind), "", "") {
				if err != nil {
					return err
				}
				m.items[kind][r.Key] = r.Value
			}
		}
		return nil
	})
	return m, err
}

// remembered returns what is remembered of a kind, by key.
func (s *Site) remembered(ctx context.Context, kind string) (map[string][]byte, error) {
	if _, err := s.ID(ctx); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.memory.items[kind]), nil
}

// item is something to be remembered, or with a nil value to be forgotten.
type item struct {
	kind, key string
	value     []byte
}

// remember changes what is remembered, all at once.
func (s *Site) remember(ctx context.Context, items ...item) error {
	id, err := s.ID(ctx)
	if err != nil {
		return err
	}
	err = s.index.Update(ctx, func(tx *index.Tx) error {
		for _, x := range items {
			var err error
			if x.value == nil {
				err = tx.Delete(siteBucket(id, x.kind), x.key)
			} else {
				err = tx.Put(siteBucket(id, x.kind), x.key, x.value)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range items {
		if x.value == nil {
			delete(s.memory.items[x.kind], x.key)
		} else {
			s.memory.items[x.kind][x.key] = x.value
		}
	}
	return nil
}

// Remembered returns the id that the authority had when it was met last, ""
// where it never was. The authority is not asked.
func (s *Site) Remembered(ctx context.Context) (id string, err error) {
	m, err := s.recall(ctx, "")
	return m.id, err
}

// Note remembers a fact about the authority.
func (s *Site) Note(ctx context.Context, fact string) error {
	return s.remember(ctx, item{factsKind, fact, []byte{}})
}

// Noted reports whether a fact was noted.
func (s *Site) Noted(ctx context.Context, fact string) (noted bool, err error) {
	facts, err := s.remembered(ctx, factsKind)
	_, noted = facts[fact]
	return noted, err
}
