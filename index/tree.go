package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
)

// maxDepth bounds the height of a tree; bbolt's are below ten.
const maxDepth = 64

// tree is one of the file's B+trees: the records of a bucket, or, at the root
// of the file, the buckets. Every page is checked against the branch that led
// to it, so that a damaged pointer is noticed even where it leads to a page
// that is sound in itself.
type tree struct {
	s      *snapshot
	root   uint64 // 0: inline
	inline *page
	depth  int // of all leaves, once one is known

	// seal proves the first and last key of a bucket; nil at the root of the
	// file, which a meta page proves.
	seal  func(first, last []byte) bool
	whole bool // known to begin and end where it should

	// check proves the i-th element of a leaf, and returns its value.
	check func(p *page, i int) ([]byte, error)
}

// buckets returns the tree of the file's buckets.
func (s *snapshot) buckets() *tree {
	t := &tree{s: s, root: s.root}
	t.check = func(p *page, i int) ([]byte, error) {
		v := p.value(i)
		if p.flags(i) != bucketEntry || len(v) < 16 {
			return nil, s.corrupt("page %d: %q is not a bucket", p.id, p.key(i))
		}
		if err := newSummer(string(p.key(i))).openName(native.Uint64(v[8:])); err != nil {
			return nil, s.corrupt("page %d: bucket %q %v", p.id, p.key(i), err)
		}
		return v, nil
	}
	return t
}

// bucket returns the tree of a bucket's records, given its entry.
func (s *snapshot) bucket(sum summer, entry []byte) (*tree, error) {
	t := &tree{s: s, root: native.Uint64(entry)}
	t.seal = func(first, last []byte) bool { return sum.sealBucket(first, last) == native.Uint64(entry[8:]) }
	t.check = func(p *page, i int) ([]byte, error) {
		if p.flags(i) != 0 {
			return nil, s.corrupt("page %d: %q is not a record", p.id, p.key(i))
		}
		v, err := sum.open(p.key(i), p.value(i))
		if err != nil {
			return nil, s.corrupt("page %d: %v", p.id, err)
		}
		return v, nil
	}
	inline := entry[16:]
	if t.root != 0 {
		if len(inline) != 0 {
			return nil, s.corrupt("a bucket is both inline and at page %d", t.root)
		}
		return t, nil
	}
	p, err := parsePage(inline, 0, 0)
	if err == nil && !p.leaf {
		err = errors.New("a branch")
	}
	if err != nil {
		return nil, s.corrupt("inline bucket: %v", err)
	}
	t.inline = p
	return t, nil
}

// top returns the root page.
func (t *tree) top() (*page, error) {
	if t.inline != nil {
		return t.inline, nil
	}
	return t.s.page(t.root)
}

// child follows a branch. A branch's key is the first key below it: bbolt keeps
// that so whenever it writes a page.
func (t *tree) child(p *page, i int) (*page, error) {
	q, err := t.s.page(p.child(i))
	if err != nil {
		return nil, err
	}
	if q.n == 0 || !bytes.Equal(q.key(0), p.key(i)) {
		return nil, t.s.corrupt("page %d is not the one that page %d points to", q.id, p.id)
	}
	return q, nil
}

// level notes at which depth a leaf was found; all lie at the same.
func (t *tree) level(depth int) error {
	if t.depth == 0 {
		t.depth = depth
	}
	if t.depth != depth {
		return t.s.corrupt("leaves at depths %d and %d", t.depth, depth)
	}
	return nil
}

// cursor walks a tree in the order of its keys.
type cursor struct {
	t     *tree
	stack []ref // from the root to a leaf; empty at either end
}

type ref struct {
	p *page
	i int
}

func (t *tree) cursor() *cursor { return &cursor{t: t, stack: make([]ref, 0, 8)} }

// leaves is the depth for those that want a leaf, however deep.
const leaves = -1

func first(*page) int  { return 0 }
func last(p *page) int { return p.n - 1 }

// descend goes from p down to a leaf, or to a branch at the given depth,
// choosing an element on each page. It fails where it finds a leaf above.
func (c *cursor) descend(p *page, choose func(*page) int, depth int) error {
	for {
		if len(c.stack) == maxDepth {
			return c.t.s.corrupt("a tree deeper than %d pages", maxDepth)
		}
		i := choose(p)
		c.stack = append(c.stack, ref{p, i})
		if p.leaf {
			return c.t.level(len(c.stack))
		}
		if len(c.stack) == depth {
			return nil
		}
		q, err := c.t.child(p, i)
		if err != nil {
			return err
		}
		p = q
	}
}

// toEnd goes to the first or the last record, if there is any.
func (c *cursor) toEnd(choose func(*page) int) error {
	c.stack = c.stack[:0]
	p, err := c.t.top()
	if err != nil {
		return err
	}
	if err := c.descend(p, choose, leaves); err != nil {
		return err
	}
	if p.n == 0 {
		c.stack = c.stack[:0]
	}
	return nil
}

func (c *cursor) valid() bool { return len(c.stack) > 0 }

// page returns the page that the cursor is at.
func (c *cursor) page() *page { return c.stack[len(c.stack)-1].p }

// key returns the key under the cursor, unproved.
func (c *cursor) key() []byte {
	r := c.stack[len(c.stack)-1]
	return r.p.key(r.i)
}

// value proves the record under the cursor and returns its value.
func (c *cursor) value() ([]byte, error) {
	r := c.stack[len(c.stack)-1]
	return c.t.check(r.p, r.i)
}

func (c *cursor) next() error {
	r := &c.stack[len(c.stack)-1]
	if r.i++; r.i < r.p.n {
		return nil
	}
	return c.step(1, first, leaves)
}

func (c *cursor) prev() error {
	r := &c.stack[len(c.stack)-1]
	if r.i--; r.i >= 0 {
		return nil
	}
	return c.step(-1, last, leaves)
}

// step goes to the neighbour, at the given depth, of the page that the cursor is
// at. Where there is none the cursor is at an end.
func (c *cursor) step(by int, choose func(*page) int, depth int) error {
	for l := len(c.stack) - 2; l >= 0; l-- {
		r := &c.stack[l]
		j := r.i + by
		if j < 0 || j >= r.p.n {
			continue
		}
		r.i = j
		c.stack = c.stack[:l+1]
		q, err := c.t.child(r.p, j)
		if err != nil {
			return err
		}
		return c.descend(q, choose, depth)
	}
	c.stack = c.stack[:0]
	return nil
}

// seek goes to the first record whose key is not less than key, and tells
// whether it is equal. An equal one is not proved yet: value does that. That
// there is no equal one is proved by its neighbours.
func (c *cursor) seek(key []byte) (bool, error) {
	if err := c.approach(key); err != nil {
		return false, err
	}
	if c.valid() && bytes.Equal(c.key(), key) {
		return true, nil
	}
	return false, c.proveAbsent(key)
}

func (c *cursor) approach(key []byte) error {
	c.stack = c.stack[:0]
	p, err := c.t.top()
	if err != nil {
		return err
	}
	err = c.descend(p, func(p *page) int {
		if p.leaf {
			i, _ := p.search(key)
			return i
		}
		return p.descend(key)
	}, leaves)
	if err != nil {
		return err
	}
	if r := &c.stack[len(c.stack)-1]; r.i == r.p.n {
		r.i--
		return c.next()
	}
	return nil
}

// before returns a cursor at the record before this one's.
func (c *cursor) before() (*cursor, error) {
	d := &cursor{t: c.t, stack: slices.Clone(c.stack)}
	if !d.valid() {
		return d, d.toEnd(last)
	}
	return d, d.prev()
}

// get returns the value of a key, and whether there is one.
func (t *tree) get(key []byte) ([]byte, bool, error) {
	c := t.cursor()
	exact, err := c.seek(key)
	if err != nil || !exact {
		return nil, false, err
	}
	v, err := c.value()
	return v, true, err
}

// after returns the smallest key behind key.
func after(key []byte) []byte { return append(bytes.Clone(key), 0) }

// behind returns the smallest key behind all keys with the prefix, nil when
// there is none.
func behind(prefix []byte) []byte {
	b := bytes.Clone(prefix)
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] < 0xFF {
			b[i]++
			return b[:i+1]
		}
	}
	return nil
}

// number is a big-endian key, so that byte order is the order of numbers.
func number(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
