package transfer

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

// A place says in a version's record where the root of its tree lies at the
// authority, so that a reader need not ask: pack id, offset, stored length, raw
// length and codec, separated by colons, in decimal but for the id.

// EncodePlace writes a place.
func EncodePlace(l index.Loc) string {
	return fmt.Sprintf("%s:%d:%d:%d:%d", l.Pack, l.Offset, l.Stored, l.Raw, l.Codec)
}

// DecodePlace reads the place of a tree. What is wrong with it makes it no
// place: the tree is then looked for in the authority's tables.
func DecodePlace(tree objects.ID, s string) (l index.Loc, ok bool) {
	part := strings.Split(s, ":")
	if len(part) != 5 {
		return l, false
	}
	pack, err := objects.ParseID(part[0])
	if err != nil {
		return l, false
	}
	var n [4]uint64
	for i, bits := range [...]int{62, 32, 32, 8} {
		if n[i], err = strconv.ParseUint(part[i+1], 10, bits); err != nil {
			return l, false
		}
	}
	e := index.Entry{ID: tree, Offset: n[0], Stored: uint32(n[1]), Raw: uint32(n[2]), Codec: uint8(n[3])}
	return index.Loc{Entry: e, Pack: pack, Found: true}, true
}
