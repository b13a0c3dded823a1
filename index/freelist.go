package index

import (
	"sort"
)

// freelist is bbolt's list of free pages: after a page header, ascending page
// numbers of eight bytes; where there are 65535 or more of them, their number
// comes first. It may be long, so it is read in blocks as they are needed.
type freelist struct {
	s        *snapshot
	start    int64 // of the first number in the file, in bytes
	n        int
	overflow uint64
	blocks   map[int][]byte
}

// freePages returns the list of free pages, an empty one where it was not
// written.
func (s *snapshot) freePages() (*freelist, error) {
	if s.free != nil {
		return s.free, nil
	}
	fl := &freelist{s: s, blocks: map[int][]byte{}}
	if s.freelist != noFreelist {
		if err := fl.open(s.freelist); err != nil {
			return nil, err
		}
	}
	s.free = fl
	return fl, nil
}

// open reads the head of the list.
func (fl *freelist) open(id uint64) error {
	s := fl.s
	if id < 2 || id >= s.pages {
		return s.corrupt("there is no page %d, the list of free pages", id)
	}
	buf := make([]byte, s.pageSize)
	off := int64(id) * int64(s.pageSize)
	if err := s.readAt(buf, off); err != nil {
		return err
	}
	fl.start = off + pageHeader
	fl.overflow = uint64(native.Uint32(buf[12:]))
	n, head := uint64(native.Uint16(buf[10:])), uint64(0)
	if n == 0xFFFF {
		n, head = native.Uint64(buf[pageHeader:]), 1
		fl.start += 8
	}
	room := (fl.overflow+1)*uint64(s.pageSize) - pageHeader
	if native.Uint64(buf) != id || native.Uint16(buf[8:]) != freelistFlag ||
		fl.overflow >= s.pages-id || n > s.pages || (n+head)*8 > room {
		return s.corrupt("page %d is not a list of free pages", id)
	}
	fl.n = int(n)
	if head == 0 {
		fl.blocks[0] = buf[pageHeader:]
	}
	return nil
}

// at returns the i-th number of the list.
func (fl *freelist) at(i int) (uint64, error) {
	per := (fl.s.pageSize - pageHeader) / 8
	b, ok := fl.blocks[i/per]
	if !ok {
		b = make([]byte, 8*min(per, fl.n-i/per*per))
		if err := fl.s.readAt(b, fl.start+int64(i/per*per)*8); err != nil {
			return 0, err
		}
		fl.blocks[i/per] = b
	}
	return native.Uint64(b[i%per*8:]), nil
}

// has tells whether a page is in the list.
func (fl *freelist) has(id uint64) (bool, error) {
	var failed error
	i := sort.Search(fl.n, func(i int) bool {
		v, err := fl.at(i)
		if err != nil {
			failed = err
		}
		return v >= id
	})
	if failed != nil || i == fl.n {
		return false, failed
	}
	v, err := fl.at(i)
	return v == id, err
}

// verify reads the whole list and checks that it is in order, within the file,
// and as long as its extent says. A writer needs that: it takes its pages from
// here, and gives the extent back.
func (fl *freelist) verify() error {
	if fl.s.freelist == noFreelist {
		return nil
	}
	prev := uint64(1)
	for i := range fl.n {
		v, err := fl.at(i)
		if err != nil {
			return err
		}
		if v <= prev || v >= fl.s.pages || fl.holds(v) {
			return fl.s.corrupt("free page %d follows %d", v, prev)
		}
		prev = v
	}
	// The extent was reckoned before the pages for it were taken off the list.
	least, most := fl.extent(fl.n), fl.extent(fl.n+int(fl.overflow)+1)
	if fl.overflow < least || fl.overflow > most {
		return fl.s.corrupt("the list of %d free pages claims %d more pages", fl.n, fl.overflow)
	}
	return nil
}

// extent returns how many further pages bbolt gives to a list of n numbers.
func (fl *freelist) extent(n int) uint64 {
	if n >= 0xFFFF {
		n++
	}
	return uint64((pageHeader + 8*n) / fl.s.pageSize)
}

// holds tells whether a page is one that the list itself occupies.
func (fl *freelist) holds(id uint64) bool {
	return fl.s.freelist != noFreelist && id >= fl.s.freelist && id-fl.s.freelist <= fl.overflow
}
