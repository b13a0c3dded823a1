package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/datafs/datafs/index"
)

// Child is what a node names: a chunk, or another node.
type Child struct {
	ID   index.ID
	Node bool
	Raw  uint32 // length of a chunk in bytes; 0 for a node
}

// A located node is stored at an authority with the places of its children
// there, so that who has read a node can go on to what it names without a list
// of all that the authority has. It is a codec of its own:
//
//	inner codec u8, inner filter u8, inner stored length u32, inner stored bytes,
//	uvarint count of packs, that many pack ids (32),
//	then for each child: uvarint pack (0: the pack of this very node, n: the n-th of
//	the list), zigzag varint of offset minus the end of the child before it in the same
//	pack (at first 0), uvarint stored length, codec u8, filter u8, and for a
//	node uvarint raw length
//
// The places are hints: what is read there is verified by its id.
const (
	Located       = 4
	locatedHeader = 6

	MaxNode = 1 << 20 // bytes of a node
)

// EncodeLocated returns a node's entry and its stored form as a located node:
// stored is its form in an ordinary pack, and places has one place for each
// child, with the zero pack for the pack that the node itself goes to.
func EncodeLocated(e index.Entry, stored []byte, children []Child, places []index.Loc) (index.Entry, []byte) {
	out := make([]byte, 0, locatedHeader+len(stored)+64+12*len(places))
	out = append(out, e.Codec, e.Filter)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(stored)))
	out = append(out, stored...)
	var packs []index.ID
	number := map[index.ID]uint64{{}: 0}
	for i := range places {
		if _, ok := number[places[i].Pack]; !ok {
			packs = append(packs, places[i].Pack)
			number[places[i].Pack] = uint64(len(packs))
		}
	}
	out = binary.AppendUvarint(out, uint64(len(packs)))
	for _, id := range packs {
		out = append(out, id[:]...)
	}
	ends := make([]uint64, len(packs)+1)
	for i := range places {
		p := &places[i]
		n := number[p.Pack]
		out = binary.AppendUvarint(out, n)
		out = binary.AppendVarint(out, int64(p.Offset-ends[n]))
		out = binary.AppendUvarint(out, uint64(p.Stored))
		out = append(out, p.Codec, p.Filter)
		if children[i].Node {
			out = binary.AppendUvarint(out, uint64(p.Raw))
		}
		ends[n] = p.Offset + uint64(p.Stored)
	}
	e.Codec, e.Filter, e.Stored = Located, 0, uint32(len(out))
	return e, out
}

// splitLocated takes a located node's stored form apart.
func splitLocated(b []byte) (codec, filter uint8, inner, places []byte, err error) {
	if len(b) < locatedHeader {
		return 0, 0, nil, nil, errShort
	}
	n := uint64(binary.LittleEndian.Uint32(b[2:]))
	if n > uint64(len(b)-locatedHeader) || b[0] == Located {
		return 0, 0, nil, nil, errors.New("not a located node")
	}
	b, places = b[:locatedHeader+n], b[locatedHeader+n:]
	return b[0], b[1], b[locatedHeader:], places, nil
}

// Unlocate returns the ordinary stored form of a stored chunk: that of a
// located node without the places, any other as it is.
func Unlocate(e index.Entry, stored []byte) (index.Entry, []byte, error) {
	if e.Codec != Located {
		return e, stored, nil
	}
	codec, filter, inner, _, err := splitLocated(stored)
	if err != nil {
		return e, nil, fmt.Errorf("%w: node %s: %w", index.ErrCorrupt, e.ID, err)
	}
	e.Codec, e.Filter, e.Stored = codec, filter, uint32(len(inner))
	return e, inner, nil
}

// IsLocated says whether a chunk is stored as a located node.
func IsLocated(e index.Entry) bool { return e.Codec == Located }

// IsDelta says whether a chunk is stored as the difference from others.
func IsDelta(e index.Entry) bool { return e.Codec == Delta }

// DecodePlaces reads the places of the children of a located node that lies in
// pack self. The error wraps index.ErrCorrupt.
func DecodePlaces(stored []byte, self index.ID, children []Child) ([]index.Loc, error) {
	_, _, _, b, err := splitLocated(stored)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", index.ErrCorrupt, err)
	}
	c := &Cursor{B: b}
	packs := []index.ID{self}
	for range c.Uvarint(uint64(len(children))) {
		packs = append(packs, c.ID())
	}
	ends := make([]uint64, len(packs))
	places := make([]index.Loc, len(children))
	for i := range places {
		p := &places[i]
		n := c.Uvarint(uint64(len(packs) - 1))
		p.ID, p.Found = children[i].ID, true
		p.Pack = packs[n]
		p.Offset = ends[n] + uint64(c.Varint())
		p.Stored = uint32(c.Uvarint(2 * MaxChunk))
		p.Codec, p.Filter = c.Byte(), c.Byte()
		p.Raw = children[i].Raw
		if children[i].Node {
			p.Raw = uint32(c.Uvarint(MaxNode))
		}
		ends[n] = p.Offset + uint64(p.Stored)
		if c.Err == nil && ends[n] > MaxLength {
			c.Fail(errors.New("a place beyond all lengths"))
		}
	}
	if c.Err == nil && len(c.B) != 0 {
		c.Fail(errors.New("bytes behind the places"))
	}
	if c.Err != nil {
		return nil, fmt.Errorf("%w: places of children: %w", index.ErrCorrupt, c.Err)
	}
	return places, nil
}
