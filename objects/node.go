package objects

import (
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	nodeMagic   = "DFSN"
	nodeVersion = 1
	nodeHeader  = len(nodeMagic) + 3

	kindContent = 1
	kindListing = 2
	kindRoot    = 3

	maxNodeSize  = 1 << 20
	maxNodeLevel = 8

	nodeMinItems = 32
	nodeMaxItems = 4096
	nodeMaxBytes = 256 << 10
	nodeBoundary = 256 // on average a node has this many items beyond the minimum

	maxInline  = 8
	maxPathLen = 64 << 10
)

// ref names a chunk or a content node, and how many bytes of a file it covers.
type ref struct {
	id  ID
	len int64
}

// node is a decoded node: one of refs, entries and children is set.
type node struct {
	kind, level uint8
	files       int64 // of a root
	bytes       int64 // of a root, or covered by content
	refs        []ref
	entries     []Entry
	children    []child
}

// child is a listing below a listing, with the first path that it holds.
type child struct {
	id    ID
	first string
}

func nodePrefix(kind, level uint8) []byte {
	return append([]byte(nodeMagic), nodeVersion, kind, level)
}

func appendRef(b []byte, r ref) []byte {
	b = append(b, r.id[:]...)
	return binary.AppendUvarint(b, uint64(r.len))
}

func appendChild(b []byte, c child) []byte {
	b = append(b, c.id[:]...)
	return appendString(b, c.first)
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

var errShort = errors.New("ends in the middle of an item")

// cursor reads the fields of a node. After the first error all further reads
// give zero values.
type cursor struct {
	b   []byte
	err error
}

func (c *cursor) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(c.b)
	switch {
	case c.err != nil:
		return 0
	case n <= 0:
		c.err = errShort
		return 0
	case v > limit:
		c.err = fmt.Errorf("value %d is over the limit of %d", v, limit)
		return 0
	case n > 1 && c.b[n-1] == 0:
		c.err = errors.New("a number is not in its shortest form")
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *cursor) bytes(n int) []byte {
	if c.err == nil && n > len(c.b) {
		c.err = errShort
	}
	if c.err != nil {
		return nil
	}
	out := c.b[:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) byte() uint8 {
	if b := c.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (c *cursor) id() (id ID) {
	copy(id[:], c.bytes(len(id)))
	return id
}

func (c *cursor) string() string { return string(c.bytes(int(c.uvarint(maxPathLen)))) }

const maxLength = 1 << 62 // of a file or of a tree

func (c *cursor) ref() ref {
	r := ref{id: c.id(), len: int64(c.uvarint(maxLength))}
	if c.err == nil && r.len == 0 {
		c.err = errors.New("an item covers no bytes")
	}
	return r
}

// decodeNode reads a node and checks all that can be checked without others.
func decodeNode(b []byte) (*node, error) {
	if len(b) < nodeHeader || string(b[:4]) != nodeMagic {
		return nil, errors.New("not a node")
	}
	if b[4] != nodeVersion {
		return nil, fmt.Errorf("node version %d is not known to this program", b[4])
	}
	n := &node{kind: b[5], level: b[6]}
	if n.level > maxNodeLevel || len(b) > maxNodeSize {
		return nil, errors.New("node too deep or too large")
	}
	c := &cursor{b: b[nodeHeader:]}
	switch n.kind {
	case kindContent:
		for len(c.b) > 0 && c.err == nil {
			n.content(c)
		}
	case kindRoot:
		n.files, n.bytes = int64(c.uvarint(maxLength)), int64(c.uvarint(maxLength))
		n.listing(c)
	case kindListing:
		n.listing(c)
	default:
		return nil, fmt.Errorf("unknown kind of node %d", n.kind)
	}
	empty := len(n.refs)+len(n.entries)+len(n.children) == 0
	if c.err == nil && empty && (n.kind != kindRoot || n.level > 0) {
		c.err = errors.New("empty node")
	}
	return n, c.err
}

func (n *node) content(c *cursor) {
	r := c.ref()
	if r.len > maxLength-n.bytes {
		c.fail(errors.New("items cover too many bytes"))
	}
	n.bytes += r.len
	n.refs = append(n.refs, r)
}

func (n *node) listing(c *cursor) {
	for len(c.b) > 0 && c.err == nil {
		if n.level > 0 {
			n.child(c)
			continue
		}
		e := c.entry()
		if c.err == nil && len(n.entries) > 0 {
			c.err = checkOrder(&n.entries[len(n.entries)-1], &e)
		}
		n.entries = append(n.entries, e)
	}
}

func (n *node) child(c *cursor) {
	x := child{id: c.id(), first: c.string()}
	if last := len(n.children) - 1; c.err == nil && last >= 0 && ComparePaths(n.children[last].first, x.first) >= 0 {
		c.err = fmt.Errorf("listings at %q and %q are not in order", n.children[last].first, x.first)
	}
	n.children = append(n.children, x)
}
