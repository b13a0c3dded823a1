package index

import (
	"bytes"
	"iter"
)

// bucket is a bucket as a transaction sees it: the file's records under its own
// changes.
type bucket struct {
	name string
	sum  summer
	base *tree // nil where the file has none, or it was dropped
	over changes

	// had tells that the file has such a bucket, dropped that it must go,
	// wasPut that something was put into it since.
	had, dropped, wasPut bool

	// prove, when not nil, checks the bucket before it is dropped, in place of
	// proving all of it. It must check what bbolt reads for that.
	prove func() error
}

// exists tells whether something was ever put into the bucket since it was
// last dropped.
func (b *bucket) exists() bool { return b.base != nil || b.wasPut }

// get returns the value of a key, and whether there is one. It must not be
// changed.
func (b *bucket) get(key []byte) ([]byte, bool, error) {
	if c := b.over.get(string(key)); c != nil {
		return unsealed(c), c.stored != nil, nil
	}
	if b.base == nil {
		return nil, false, nil
	}
	return b.base.get(key)
}

// unsealed returns a change's value, nil for a deletion.
func unsealed(c *change) []byte {
	n := len(c.stored) - sumSize
	if n < 0 {
		return nil
	}
	return c.stored[:n:n]
}

func (b *bucket) put(key, value []byte) {
	b.over.set(string(key), b.sum.seal(key, value))
	b.wasPut = true
}

// putOwn is put of a value that nobody else uses, and that has room for its
// checksum.
func (b *bucket) putOwn(key, value []byte) {
	b.over.set(string(key), b.sum.sealIn(key, value))
	b.wasPut = true
}

func (b *bucket) delete(key []byte) error {
	_, found, err := b.get(key)
	if found {
		b.over.set(string(key), nil)
	}
	return err
}

func (b *bucket) drop() {
	b.base, b.over, b.dropped, b.wasPut = nil, changes{}, b.had, false
}

// item is a record in bytes.
type item struct{ key, value []byte }

// scan yields the records from the first whose key is not less than from.
func (b *bucket) scan(from []byte) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		m := &merge{over: &b.over}
		if err := m.start(b.base, from); err != nil {
			yield(item{}, err)
			return
		}
		for {
			it, ok, err := m.next()
			if err != nil {
				yield(item{}, err)
				return
			}
			if !ok || !yield(it, nil) {
				return
			}
		}
	}
}

// merge walks a tree and the changes over it at once.
type merge struct {
	base *cursor // nil at its end
	over *changes
	c    *change
	n    int    // of the changes when c was found
	from []byte // c is the first change from here on, or behind it
	past bool   // behind it
}

func (m *merge) start(base *tree, from []byte) error {
	m.from = from
	m.seek()
	if base == nil {
		return nil
	}
	if err := base.proveWhole(); err != nil {
		return err
	}
	m.base = base.cursor()
	_, err := m.base.seek(from)
	return err
}

func (m *merge) seek() {
	from := m.from
	if m.past {
		from = after(from)
	}
	m.n, m.c = m.over.n, m.over.first(string(from))
}

// next returns the next record that is not deleted.
func (m *merge) next() (item, bool, error) {
	for {
		if m.n != m.over.n {
			m.seek()
		}
		live := m.base != nil && m.base.valid()
		if m.c == nil && !live {
			return item{}, false, nil
		}
		if it, ok, err := m.take(live); ok || err != nil {
			return it, ok, err
		}
	}
}

// take consumes the smaller of the two; of equal ones the change counts.
func (m *merge) take(live bool) (item, bool, error) {
	order := 1
	if m.c == nil {
		order = -1
	} else if live {
		order = bytes.Compare(m.base.key(), []byte(m.c.key))
	}
	var it item
	if live && order <= 0 {
		v, err := m.base.value()
		if err != nil {
			return item{}, false, err
		}
		it = item{m.base.key(), v}
		if err := m.base.next(); err != nil {
			return item{}, false, err
		}
	}
	if order < 0 {
		m.from, m.past = it.key, true
		return it, true, nil
	}
	c := m.c
	it = item{[]byte(c.key), unsealed(c)}
	m.from, m.past, m.c = it.key, true, c.next[0]
	return it, c.stored != nil, nil
}

// last returns the last record whose key is less than bound, or, with a nil
// bound, the last of all.
func (b *bucket) last(bound []byte) (item, bool, error) {
	for {
		it, ok, err := b.lastBase(bound)
		if err != nil {
			return item{}, false, err
		}
		c := b.over.before(string(bound), bound != nil)
		if c == nil || ok && bytes.Compare(it.key, []byte(c.key)) > 0 {
			return it, ok, nil
		}
		if c.stored != nil {
			return item{[]byte(c.key), unsealed(c)}, true, nil
		}
		bound = []byte(c.key)
	}
}

func (b *bucket) lastBase(bound []byte) (item, bool, error) {
	if b.base == nil {
		return item{}, false, nil
	}
	if err := b.base.proveWhole(); err != nil {
		return item{}, false, err
	}
	c := b.base.cursor()
	if bound != nil {
		exact, err := c.seek(bound)
		if exact && err == nil {
			_, err = c.value() // its key may be a damaged one that belongs before bound
		}
		if err != nil {
			return item{}, false, err
		}
	}
	d, err := c.before()
	if err != nil || !d.valid() {
		return item{}, false, err
	}
	v, err := d.value()
	return item{d.key(), v}, err == nil, err
}
