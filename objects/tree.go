package objects

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"sort"
)

// Tree is the content of a version: a file or a directory tree. It may be used
// by several goroutines.
type Tree struct {
	s    *Store
	id   ID
	root *node
}

// Tree opens the tree with an id.
func (s *Store) Tree(ctx context.Context, id ID) (*Tree, error) {
	root, err := s.node(ctx, id, kindRoot)
	if err != nil {
		return nil, fmt.Errorf("tree %s: %w", id, err)
	}
	return &Tree{s: s, id: id, root: root}, nil
}

// ID returns the tree's id.
func (t *Tree) ID() ID { return t.id }

// Files returns how many entries are not directories.
func (t *Tree) Files() int64 { return t.root.files }

// Size returns the sum of the files' sizes in bytes.
func (t *Tree) Size() int64 { return t.root.bytes }

// Single returns the one entry of a tree that is a single file.
func (t *Tree) Single() (Entry, bool) {
	if t.root.level == 0 && len(t.root.entries) == 1 && t.root.entries[0].Path == "" {
		return t.root.entries[0], true
	}
	return Entry{}, false
}

// Entries lists the tree in the order of its paths.
func (t *Tree) Entries(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var last *Entry
		fail := func(err error) { yield(Entry{}, t.s.named("", err)) }
		t.s.walkListing(ctx, t.root, t.id, func(e *Entry) bool {
			// Within a node this has been checked; here it is from node to node.
			if last != nil {
				if err := checkOrder(last, e); err != nil {
					fail(fmt.Errorf("tree %s: %w: %w", t.id, ErrCorrupt, err))
					return false
				}
			}
			last = e
			return yield(*e, nil)
		}, fail)
	}
}

// walkListing visits the entries below a listing until visit returns false. It
// reports whether to go on; an error is given to fail and ends the walk.
func (s *Store) walkListing(ctx context.Context, n *node, id ID, visit func(*Entry) bool, fail func(error)) bool {
	for i := range n.entries {
		if !visit(&n.entries[i]) {
			return false
		}
	}
	for i, c := range n.children {
		if i%prefetchNodes == 0 {
			if err := s.prefetch(ctx, childIDs(n.children[i:])); err != nil {
				fail(fmt.Errorf("tree %s: %w", id, err))
				return false
			}
		}
		below, err := s.listingBelow(ctx, n, c)
		if err != nil {
			fail(fmt.Errorf("tree %s: %w", id, err))
			return false
		}
		if !s.walkListing(ctx, below, id, visit, fail) {
			return false
		}
	}
	return true
}

func childIDs(children []child) []ID {
	ids := make([]ID, min(len(children), prefetchNodes))
	for i := range ids {
		ids[i] = children[i].id
	}
	return ids
}

func (s *Store) listingBelow(ctx context.Context, n *node, c child) (*node, error) {
	below, err := s.node(ctx, c.id, kindListing)
	if err != nil {
		return nil, err
	}
	first := ""
	switch {
	case below.level != n.level-1:
		return nil, fmt.Errorf("%w: node %s at level %d lies below level %d", ErrCorrupt, c.id, below.level, n.level)
	case below.level > 0:
		first = below.children[0].first
	default:
		first = below.entries[0].Path
	}
	if first != c.first {
		return nil, fmt.Errorf("%w: node %s begins with %q, not %q", ErrCorrupt, c.id, first, c.first)
	}
	return below, nil
}

// Entry finds the entry at a path. A directory that is not empty is found too.
// Where there is nothing the error wraps fs.ErrNotExist.
func (t *Tree) Entry(ctx context.Context, path string) (Entry, error) {
	e, err := t.atOrAfter(ctx, path)
	if err != nil {
		return Entry{}, t.s.named("", err)
	}
	if e != nil && e.Path == path {
		return *e, nil
	}
	if e != nil && path != "" && len(e.Path) > len(path) && e.Path[:len(path)+1] == path+"/" {
		return Entry{Path: path, Kind: KindDir}, nil
	}
	return Entry{}, fmt.Errorf("%q: %w", path, fs.ErrNotExist)
}

// atOrAfter finds the first entry whose path is not before the given one.
func (t *Tree) atOrAfter(ctx context.Context, path string) (*Entry, error) {
	n := t.root
	var next []child // where to look when the path lies behind all in n
	var nextOf *node
	for n.level > 0 {
		i := sort.Search(len(n.children), func(i int) bool { return ComparePaths(n.children[i].first, path) > 0 })
		i = max(i-1, 0)
		if i+1 < len(n.children) {
			next, nextOf = n.children[i+1:i+2], n
		}
		below, err := t.s.listingBelow(ctx, n, n.children[i])
		if err != nil {
			return nil, fmt.Errorf("tree %s: %w", t.id, err)
		}
		n = below
	}
	i := sort.Search(len(n.entries), func(i int) bool { return ComparePaths(n.entries[i].Path, path) >= 0 })
	if i < len(n.entries) {
		return &n.entries[i], nil
	}
	if next == nil {
		return nil, nil
	}
	return t.first(ctx, nextOf, next[0])
}

// first finds the first entry below a child of n.
func (t *Tree) first(ctx context.Context, n *node, c child) (*Entry, error) {
	for {
		below, err := t.s.listingBelow(ctx, n, c)
		if err != nil {
			return nil, fmt.Errorf("tree %s: %w", t.id, err)
		}
		if below.level == 0 {
			return &below.entries[0], nil
		}
		n, c = below, below.children[0]
	}
}

// refs lists the chunks of a file from the one that holds the byte at from,
// each with its offset in the file.
func (s *Store) refs(ctx context.Context, e *Entry, from int64) iter.Seq2[refAt, error] {
	return func(yield func(refAt, error) bool) {
		w := refWalk{s: s, ctx: ctx, from: from, yield: yield}
		if e.level == 0 {
			w.refs(e.inline, 0, 0)
			return
		}
		w.refs([]ref{{e.root, e.Size}}, int(e.level), 0)
	}
}

// refAt is a chunk and its place in a file.
type refAt struct {
	ref
	off int64
}

// refWalk is one walk over the chunks of a file; it lives no longer than the
// call that made it.
type refWalk struct {
	s     *Store
	ctx   context.Context
	from  int64
	yield func(refAt, error) bool
}

// refs visits items that lie level levels above the chunks.
func (w *refWalk) refs(items []ref, level int, off int64) bool {
	ahead := 0 // how many items from here on have been prefetched
	for i, r := range items {
		if off+r.len <= w.from {
			off += r.len
			continue
		}
		if level > 0 && ahead == 0 {
			ahead = prefetchNodes
			if err := w.s.prefetch(w.ctx, refIDs(items[i:])); err != nil {
				w.yield(refAt{}, err)
				return false
			}
		}
		ahead--
		if level == 0 {
			if !w.yield(refAt{r, off}, nil) {
				return false
			}
		} else if !w.below(r, level, off) {
			return false
		}
		off += r.len
	}
	return true
}

func refIDs(refs []ref) []ID {
	ids := make([]ID, min(len(refs), prefetchNodes))
	for i := range ids {
		ids[i] = refs[i].id
	}
	return ids
}

func (w *refWalk) below(r ref, level int, off int64) bool {
	n, err := w.s.contentBelow(w.ctx, r, level)
	if err != nil {
		w.yield(refAt{}, err)
		return false
	}
	return w.refs(n.refs, level-1, off)
}

// contentBelow reads the content node that an item level levels above the
// chunks names.
func (s *Store) contentBelow(ctx context.Context, r ref, level int) (*node, error) {
	n, err := s.node(ctx, r.id, kindContent)
	if err != nil {
		return nil, err
	}
	if int(n.level) != level-1 || n.bytes != r.len {
		return nil, fmt.Errorf("%w: node %s does not cover what its parent says", ErrCorrupt, r.id)
	}
	return n, nil
}
