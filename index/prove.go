package index

import (
	"bytes"
	"slices"
)

// proveWhole makes sure that nothing is hidden: a damaged pointer to a bucket
// may lead to a part of its tree, which then begins or ends with another key,
// and one in the tree may skip a level, which the depth of the first leaf shows.
func (t *tree) proveWhole() error {
	if t.whole {
		return nil
	}
	var ends [2][]byte
	for i, choose := range []func(*page) int{first, last} {
		c := t.cursor()
		if err := c.toEnd(choose); err != nil {
			return err
		}
		if c.valid() {
			ends[i] = c.key()
		}
	}
	if t.seal != nil && !t.seal(ends[0], ends[1]) {
		return t.s.corrupt("page %d is not the root of its bucket", t.root)
	}
	t.whole = true
	return nil
}

// proveAbsent checks the records on both sides of where key would be.
func (c *cursor) proveAbsent(key []byte) error {
	if err := c.t.proveWhole(); err != nil {
		return err
	}
	if c.valid() {
		if _, err := c.value(); err != nil {
			return err
		}
		if bytes.Compare(c.key(), key) < 0 {
			return c.t.s.corrupt("%q is out of order", c.key())
		}
		if r := c.stack[len(c.stack)-1]; r.i > 0 {
			_, err := c.t.check(r.p, r.i-1)
			return err
		}
	}
	d, err := c.before()
	if err != nil || !d.valid() {
		return err
	}
	if bytes.Compare(d.key(), key) > 0 {
		return c.t.s.corrupt("%q is out of order", d.key())
	}
	_, err = d.value()
	return err
}

// merges finds the pages that bbolt may read when it deletes keys: it merges a
// page that has become too empty with a neighbour, which may make the page above
// too empty, and so on.
type merges struct {
	t      *tree
	losing []*cursor // at the leaves that lose keys, in order
	seen   map[uint64]*seenPage
}

type seenPage struct {
	p      *page
	parent uint64
	found  bool
}

// proveMerges checks the pages that bbolt may read when the leaves under the
// cursors lose keys.
func (t *tree) proveMerges(losing []*cursor) error {
	m := &merges{t: t, losing: losing, seen: map[uint64]*seenPage{}}
	for _, c := range losing {
		m.see(c)
	}
	for depth := 2; depth <= t.depth; depth++ {
		if err := m.reach(depth, 1, first); err != nil {
			return err
		}
		slices.Reverse(losing)
		err := m.reach(depth, -1, last)
		slices.Reverse(losing)
		if err != nil {
			return err
		}
	}
	return m.proveParents()
}

func (m *merges) see(c *cursor) {
	parent := uint64(0)
	for _, r := range c.stack {
		if m.seen[r.p.id] == nil {
			m.seen[r.p.id] = &seenPage{p: r.p.slim(), parent: parent}
		}
		parent = r.p.id
	}
}

// reach goes from each leaf that loses keys, or from the page above it at the
// given depth, as far as merges may reach in one direction. Each such leaf makes
// for one merge, at most, at each depth, and each merge reaches one page
// further; where pages that reach out meet, their reaches add up.
func (m *merges) reach(depth, by int, choose func(*page) int) error {
	far := 0
	for i, l := range m.losing {
		far++
		met := func(p *page) bool {
			return i+1 < len(m.losing) && m.losing[i+1].stack[depth-1].p.id == p.id
		}
		c := &cursor{t: m.t, stack: slices.Clone(l.stack[:depth])}
		for far > 0 && c.valid() && !met(c.page()) {
			if err := c.step(by, choose, depth); err != nil {
				return err
			}
			m.see(c)
			far--
		}
		if !c.valid() {
			far = 0
		}
	}
	return nil
}

// proveParents makes sure that nothing but its parent points to a page that was
// seen: bbolt would take such a page for a child of the wrong one.
func (m *merges) proveParents() error {
	for _, s := range m.seen {
		if s.p.leaf {
			continue
		}
		for i := range s.p.n {
			child := m.seen[s.p.child(i)]
			if child == nil {
				continue
			}
			if child.found || child.parent != s.p.id {
				return m.t.s.corrupt("page %d and another both point to page %d", s.p.id, child.p.id)
			}
			child.found = true
		}
	}
	return nil
}

// walk proves every record and calls fn with each page, in order.
func (t *tree) walk(fn func(*page) error) error {
	if err := t.proveWhole(); err != nil {
		return err
	}
	p, err := t.top()
	if err != nil {
		return err
	}
	w := &walker{t: t, fn: fn}
	return w.walk(p, 1)
}

type walker struct {
	t    *tree
	fn   func(*page) error
	prev []byte // the key before
}

func (w *walker) walk(p *page, depth int) error {
	if depth > maxDepth {
		return w.t.s.corrupt("a tree deeper than %d pages", maxDepth)
	}
	if err := w.fn(p); err != nil {
		return err
	}
	if p.leaf {
		return w.leaf(p, depth)
	}
	for i := range p.n {
		q, err := w.t.child(p, i)
		if err != nil {
			return err
		}
		if err := w.walk(q, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) leaf(p *page, depth int) error {
	for i := range p.n {
		if w.prev != nil && bytes.Compare(w.prev, p.key(i)) >= 0 {
			return w.t.s.corrupt("page %d: %q is out of order", p.id, p.key(i))
		}
		if _, err := w.t.check(p, i); err != nil {
			return err
		}
		w.prev = p.key(i)
	}
	return w.t.level(depth)
}
