package objects

import (
	"fmt"

	"github.com/datafs/datafs/objects/codec"
)

// Children lists what a node names, in order. The error wraps ErrCorrupt where
// raw is not a node.
func Children(raw []byte) ([]codec.Child, error) {
	n, err := decodeNode(raw)
	if err != nil {
		return nil, fmt.Errorf("%w: node: %w", ErrCorrupt, err)
	}
	var list []codec.Child
	for _, r := range n.refs {
		list = appendChildRef(list, r, n.level)
	}
	for _, c := range n.children {
		list = append(list, codec.Child{ID: c.id, Node: true})
	}
	for i := range n.entries {
		e := &n.entries[i]
		if e.level > 0 {
			list = append(list, codec.Child{ID: e.root, Node: true})
		}
		for _, r := range e.inline {
			list = appendChildRef(list, r, 0)
		}
	}
	for _, c := range list {
		if c.Raw > codec.MaxChunk {
			return nil, fmt.Errorf("%w: node: a chunk of %d bytes", ErrCorrupt, c.Raw)
		}
	}
	return list, nil
}

func appendChildRef(list []codec.Child, r ref, level uint8) []codec.Child {
	if level > 0 {
		return append(list, codec.Child{ID: r.id, Node: true})
	}
	return append(list, codec.Child{ID: r.id, Raw: uint32(min(r.len, codec.MaxChunk+1))})
}
