package objects

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/datafs/datafs/objects/codec"
)

const (
	nodeMagic   = "DFSN"
	nodeVersion = 1
	nodeHeader  = len(nodeMagic) + 3

	kindContent = 1
	kindListing = 2
	kindRoot    = 3

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

// fields reads the fields of a node.
type fields struct{ codec.Cursor }

func (c *fields) string() string { return string(c.Bytes(int(c.Uvarint(maxPathLen)))) }

func (c *fields) ref() ref {
	r := ref{id: c.ID(), len: int64(c.Uvarint(codec.MaxLength))}
	if c.Err == nil && r.len == 0 {
		c.Err = errors.New("an item covers no bytes")
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
	if n.level > maxNodeLevel || len(b) > codec.MaxNode {
		return nil, errors.New("node too deep or too large")
	}
	c := &fields{codec.Cursor{B: b[nodeHeader:]}}
	switch n.kind {
	case kindContent:
		for len(c.B) > 0 && c.Err == nil {
			n.content(c)
		}
	case kindRoot:
		n.files, n.bytes = int64(c.Uvarint(codec.MaxLength)), int64(c.Uvarint(codec.MaxLength))
		n.listing(c)
	case kindListing:
		n.listing(c)
	default:
		return nil, fmt.Errorf("unknown kind of node %d", n.kind)
	}
	empty := len(n.refs)+len(n.entries)+len(n.children) == 0
	if c.Err == nil && empty && (n.kind != kindRoot || n.level > 0) {
		c.Err = errors.New("empty node")
	}
	return n, c.Err
}

func (n *node) content(c *fields) {
	r := c.ref()
	if r.len > codec.MaxLength-n.bytes {
		c.Fail(errors.New("items cover too many bytes"))
	}
	n.bytes += r.len
	n.refs = append(n.refs, r)
}

func (n *node) listing(c *fields) {
	for len(c.B) > 0 && c.Err == nil {
		if n.level > 0 {
			n.child(c)
			continue
		}
		e := c.entry()
		if c.Err == nil && len(n.entries) > 0 {
			c.Err = checkOrder(&n.entries[len(n.entries)-1], &e)
		}
		n.entries = append(n.entries, e)
	}
}

func (n *node) child(c *fields) {
	x := child{id: c.ID(), first: c.string()}
	if last := len(n.children) - 1; c.Err == nil && last >= 0 && ComparePaths(n.children[last].first, x.first) >= 0 {
		c.Err = fmt.Errorf("listings at %q and %q are not in order", n.children[last].first, x.first)
	}
	n.children = append(n.children, x)
}
