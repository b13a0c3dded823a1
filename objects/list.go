package objects

import (
	"encoding/binary"
	"fmt"
)

// putFunc stores a node and returns its id.
type putFunc func(node []byte) (ID, error)

// builder cuts a list of items into nodes, by content, and the list of those
// nodes again, until one is left. It holds one open node a level.
type builder struct {
	kind   uint8
	put    putFunc
	levels []openNode
}

// openNode is the node that a level is filling. It is closed only when another
// item comes, so that the last node of a level is always open.
type openNode struct {
	buf   []byte
	items int
	full  bool
	first string // path of the first entry below, of a listing
	bytes int64  // covered by the items, of content
}

// add appends an encoded item at a level. word decides whether the node ends
// behind it; first and n describe what the item covers.
func (b *builder) add(level int, item []byte, word uint32, first string, n int64) error {
	if level > maxNodeLevel {
		return fmt.Errorf("content too large: more than %d levels of nodes", maxNodeLevel)
	}
	if level == len(b.levels) {
		b.levels = append(b.levels, openNode{})
	}
	if b.levels[level].full {
		if err := b.close(level); err != nil {
			return err
		}
	}
	l := &b.levels[level]
	if l.items == 0 {
		l.buf = append(l.buf[:0], nodePrefix(b.kind, uint8(level))...)
		l.first, l.bytes = first, 0
	}
	l.buf = append(l.buf, item...)
	l.items++
	l.bytes += n
	l.full = (l.items >= nodeMinItems && word%nodeBoundary == 0) || l.items >= nodeMaxItems || len(l.buf) >= nodeMaxBytes
	return nil
}

// close stores a level's open node and adds it to the level above.
func (b *builder) close(level int) error {
	l := &b.levels[level]
	id, err := b.put(l.buf)
	if err != nil {
		return err
	}
	first, n := l.first, l.bytes
	l.items, l.full = 0, false
	item := appendChild(nil, child{id, first})
	if b.kind == kindContent {
		item = appendRef(nil, ref{id, n})
	}
	return b.add(level+1, item, binary.LittleEndian.Uint32(id[:]), first, n)
}

// finish closes all nodes but the last, which it returns encoded, not stored.
func (b *builder) finish() (top []byte, level int, err error) {
	if len(b.levels) == 0 {
		return nodePrefix(b.kind, 0), 0, nil
	}
	for level < len(b.levels)-1 {
		if err := b.close(level); err != nil {
			return nil, 0, err
		}
		level++
	}
	return b.levels[level].buf, level, nil
}

// content lists the chunks of one file.
type content struct {
	list   builder
	inline []ref
	size   int64
}

func newContent(put putFunc) *content {
	return &content{list: builder{kind: kindContent, put: put}}
}

func (c *content) add(r ref) error {
	c.size += r.len
	if len(c.inline) <= maxInline {
		c.inline = append(c.inline, r)
	}
	return c.list.add(0, appendRef(nil, r), binary.LittleEndian.Uint32(r.id[:]), "", r.len)
}

// finish sets the content of an entry, its size included.
func (c *content) finish(e *Entry) error {
	e.Size = c.size
	if len(c.inline) <= maxInline {
		e.inline = c.inline
		return nil
	}
	top, level, err := c.list.finish()
	if err != nil {
		return err
	}
	e.root, err = c.list.put(top)
	e.level = uint8(level + 1)
	return err
}

// listing lists the entries of one tree.
type listing struct {
	list  builder
	last  *Entry
	files int64
	bytes int64
}

func newListing(put putFunc) *listing {
	return &listing{list: builder{kind: kindListing, put: put}}
}

func (t *listing) add(e *Entry) error {
	if err := checkPath(e); err != nil {
		return err
	}
	if t.last != nil {
		if err := checkOrder(t.last, e); err != nil {
			return err
		}
	}
	t.last = e
	if e.Kind != KindDir {
		t.files++
	}
	t.bytes += e.Size
	item := appendEntry(nil, e)
	word := Hash(item)
	return t.list.add(0, item, binary.LittleEndian.Uint32(word[:]), e.Path, e.Size)
}

// finish stores the root and returns the tree's id.
func (t *listing) finish() (ID, error) {
	top, level, err := t.list.finish()
	if err != nil {
		return ID{}, err
	}
	root := nodePrefix(kindRoot, uint8(level))
	root = binary.AppendUvarint(root, uint64(t.files))
	root = binary.AppendUvarint(root, uint64(t.bytes))
	return t.list.put(append(root, top[nodeHeader:]...))
}
