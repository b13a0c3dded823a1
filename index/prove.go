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

// proveMerges checks the pages that bbolt may read when it deletes keys: it merges
// a page that has become too empty with a neighbour, which may make the page
// above too empty, and so on. The cursors are at the leaves that lose keys, in
// order. Each such leaf makes for one merge, at most, at each depth, and each
// merge reaches one page further; where pages that reach out meet, their reaches
// add up.
func (t *tree) proveMerges(losing []*cursor) error {
	for depth := 2; depth <= t.depth; depth++ {
		if err := t.proveReach(losing, depth, 1, first); err != nil {
			return err
		}
		slices.Reverse(losing)
		err := t.proveReach(losing, depth, -1, last)
		slices.Reverse(losing)
		if err != nil {
			return err
		}
	}
	return nil
}

// proveReach is proveMerges at one depth, in one direction.
func (t *tree) proveReach(losing []*cursor, depth, by int, choose func(*page) int) error {
	reach := 0
	for i, l := range losing {
		reach++
		met := func(p *page) bool { return i+1 < len(losing) && losing[i+1].stack[depth-1].p.id == p.id }
		c := &cursor{t: t, stack: slices.Clone(l.stack[:depth])}
		for reach > 0 && c.valid() && !met(c.stack[depth-1].p) {
			if err := c.step(by, choose, depth); err != nil {
				return err
			}
			reach--
		}
		if !c.valid() {
			reach = 0
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
