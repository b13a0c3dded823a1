package objects

import (
	"encoding/binary"
	"slices"
)

// idSet is a set of ids that remembers 8 bytes of each: enough to keep what is
// needed. Two ids of 2^32 in the set have the same 8 bytes with a probability
// of one half; then one chunk too many counts as a member, which costs a little
// space and nothing else.
type idSet struct {
	sorted []uint64
	fresh  map[uint64]struct{}
}

const idSetFresh = 1 << 16

// add reports whether the id was new.
func (s *idSet) add(id ID) bool {
	if s.has(id) {
		return false
	}
	if s.fresh == nil {
		s.fresh = make(map[uint64]struct{})
	}
	s.fresh[binary.LittleEndian.Uint64(id[:])] = struct{}{}
	if len(s.fresh) > max(idSetFresh, len(s.sorted)/4) {
		for w := range s.fresh {
			s.sorted = append(s.sorted, w)
		}
		slices.Sort(s.sorted)
		clear(s.fresh)
	}
	return true
}

func (s *idSet) has(id ID) bool {
	w := binary.LittleEndian.Uint64(id[:])
	if _, ok := s.fresh[w]; ok {
		return true
	}
	_, ok := slices.BinarySearch(s.sorted, w)
	return ok
}

func (s *idSet) len() int { return len(s.sorted) + len(s.fresh) }
