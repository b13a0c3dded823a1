package objects

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/datafs/datafs/index"
)

// locate finds chunks, by slot. What is not there is asked of the source; one
// that is nowhere is an error.
func (s *Store) locate(ctx context.Context, ids []ID) ([]index.Loc, error) {
	return s.locateWith(ctx, ids, nil)
}

// locateWith is locate, which also notes where those lie that more wants, as far
// as they are there.
func (s *Store) locateWith(ctx context.Context, ids []ID, more func([]index.Loc) []ID) ([]index.Loc, error) {
	locs, others, err := s.index.LocateWith(ctx, localSpace, ids, more)
	s.places.put(others)
	if err != nil {
		return nil, err
	}
	var missing []ID
	for i := range locs {
		if !locs[i].Found {
			missing = append(missing, ids[i])
		}
	}
	if len(missing) == 0 {
		return locs, nil
	}
	if found, err := s.takeInOnce(ctx); found || err != nil {
		if err != nil {
			return nil, err
		}
		return s.locateWith(ctx, ids, more)
	}
	if s.source == nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, absentError{missing[0]})
	}
	if err := s.source.Fetch(ctx, missing); err != nil {
		return nil, err
	}
	return s.From(nil).locateWith(ctx, ids, more)
}

// errAbsent says that the index does not know a chunk. The error is an absentError.
var errAbsent = errors.New("is not in the repository")

// absentError names the chunk of an errAbsent.
type absentError struct{ id ID }

func (e absentError) Error() string        { return fmt.Sprintf("chunk %s %v", e.id, errAbsent) }
func (e absentError) Is(target error) bool { return target == errAbsent }

// prefetch asks the source, if there is one, for several nodes at once that a
// reader will want one after another.
func (s *Store) prefetch(ctx context.Context, ids []ID) error {
	if s.source == nil {
		return nil
	}
	_, err := s.locate(ctx, ids[:min(len(ids), prefetchNodes)])
	return err
}

// prefetchNodes is how many nodes are fetched together: they lie side by side
// at an authority, and each stands for some 20 MB of a file.
const prefetchNodes = 16

// fetchMoved is fetch for a chunk whose pack gc may have replaced meanwhile,
// and again while it was looked up anew. A chunk that is bad there is read from
// another copy, which takes its place.
func (f *fetcher) fetchMoved(ctx context.Context, dst []byte, loc *index.Loc) ([]byte, error) {
	out, err := f.moved(ctx, dst, loc, f.fetch)
	if f.still || !mayHeal(err) {
		return out, err
	}
	good, err := f.s.heal(ctx, *loc, err)
	if err != nil {
		return dst, err
	}
	return f.moved(ctx, dst, &good, f.fetch)
}

// moved reads a chunk, and again where it is found meanwhile. gc tells the
// index before it removes a pack: one that the index still names, and that is
// gone at a second look (it may have been made anew), is missing.
func (f *fetcher) moved(ctx context.Context, dst []byte, loc *index.Loc, read readFunc) ([]byte, error) {
	for seen := false; ; {
		out, err := read(ctx, dst, loc)
		if !errors.Is(err, errGone) {
			return out, err
		}
		again, err := f.s.locate(ctx, []ID{loc.ID})
		if err != nil {
			return dst, err
		}
		same := again[0].Pack == loc.Pack
		if same && seen {
			return dst, fmt.Errorf("%w: pack %s %w", ErrCorrupt, loc.Pack, errMissing)
		}
		seen, loc = same, &again[0]
	}
}

// errMissing says that a pack that the index knows is not on disk.
var errMissing = errors.New("is missing")

// load reads one chunk.
func (s *Store) load(ctx context.Context, id ID) ([]byte, error) {
	locs, err := s.locate(ctx, []ID{id})
	if err != nil {
		return nil, err
	}
	f := fetcher{s: s}
	return f.fetchMoved(ctx, nil, &locs[0])
}

// node reads a node of one of the given kinds.
func (s *Store) node(ctx context.Context, id ID, kinds ...uint8) (*node, error) {
	n := s.nodes.get(id)
	if n == nil {
		raw, err := s.load(ctx, id)
		if err != nil {
			return nil, err
		}
		if n, err = decodeNode(raw); err != nil {
			return nil, fmt.Errorf("%w: node %s: %w", ErrCorrupt, id, err)
		}
		s.nodes.put(id, n)
	}
	for _, k := range kinds {
		if n.kind == k {
			return n, nil
		}
	}
	return nil, fmt.Errorf("%w: node %s is of kind %d", ErrCorrupt, id, n.kind)
}

func findEntry(entries []index.Entry, id ID) (index.Entry, bool) {
	for _, e := range entries {
		if e.ID == id {
			return e, true
		}
	}
	return index.Entry{}, false
}

const maxCachedNodes = 32

// nodeCache keeps the nodes that were used last.
type nodeCache struct {
	mu  sync.Mutex // guards what follows
	m   map[ID]*list.Element
	lru *list.List // of cachedNode, the last used in front
}

type cachedNode struct {
	id ID
	n  *node
}

func newNodeCache() *nodeCache { return &nodeCache{m: map[ID]*list.Element{}, lru: list.New()} }

func (c *nodeCache) get(id ID) *node {
	c.mu.Lock()
	defer c.mu.Unlock()
	el := c.m[id]
	if el == nil {
		return nil
	}
	c.lru.MoveToFront(el)
	return el.Value.(cachedNode).n
}

func (c *nodeCache) put(id ID, n *node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m[id] != nil {
		return
	}
	c.m[id] = c.lru.PushFront(cachedNode{id, n})
	if c.lru.Len() > maxCachedNodes {
		delete(c.m, c.lru.Remove(c.lru.Back()).(cachedNode).id)
	}
}
