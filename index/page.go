package index

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// The layout of bbolt's pages, format version 2. Numbers are in the machine's
// own byte order, as bbolt writes them; the file never leaves the machine.
//
//	page header:    id u64, flags u16, count u16, overflow u32
//	branch element: pos u32, key size u32, page id u64
//	leaf element:   flags u32, pos u32, key size u32, value size u32
//
// pos counts from the start of its element. Keys and values follow the elements
// without gaps, in order; that is what lets verify notice any change to them.
const (
	pageHeader  = 16
	elementSize = 16

	branchFlag   = 0x01
	leafFlag     = 0x02
	metaFlag     = 0x04
	freelistFlag = 0x10

	bucketEntry = 0x01
)

var native = binary.NativeEndian

// page is a branch or a leaf that has been verified. Its bytes are never
// written to and never reused.
type page struct {
	id       uint64
	overflow uint64
	leaf     bool
	n        int
	buf      []byte
}

// parsePage verifies the page that starts buf. size is the page size of the
// file, 0 for the page of an inline bucket, which fills buf exactly.
func parsePage(buf []byte, id uint64, size int) (*page, error) {
	if len(buf) < pageHeader {
		return nil, fmt.Errorf("page %d has only %d bytes", id, len(buf))
	}
	p := &page{id: native.Uint64(buf), n: int(native.Uint16(buf[10:])), overflow: uint64(native.Uint32(buf[12:])), buf: buf}
	flags := native.Uint16(buf[8:])
	p.leaf = flags == leafFlag
	switch {
	case p.id != id:
		return nil, fmt.Errorf("page %d calls itself page %d", id, p.id)
	case !p.leaf && flags != branchFlag:
		return nil, fmt.Errorf("page %d is of kind %#x", id, flags)
	case !p.leaf && p.n == 0:
		return nil, fmt.Errorf("branch page %d is empty", id)
	}
	end, err := p.verify()
	if err != nil {
		return nil, fmt.Errorf("page %d: %w", id, err)
	}
	if !fits(end, p.overflow, len(buf), size) {
		return nil, fmt.Errorf("page %d holds %d bytes and claims %d more pages", id, end, p.overflow)
	}
	return p, nil
}

// fits tells whether a page whose content ends at end has the extent that bbolt
// gives it: too long an extent would make bbolt free pages of others. Versions
// of bbolt differ when the content fills its last page exactly.
func fits(end int, overflow uint64, have, size int) bool {
	if size == 0 {
		return overflow == 0 && end == have
	}
	return overflow == uint64((end-1)/size) || overflow == uint64(end/size)
}

// verify checks that the elements, keys and values lie where bbolt puts them
// and that the keys ascend. It returns where the content ends.
func (p *page) verify() (int, error) {
	end := pageHeader + p.n*elementSize
	var prev []byte
	for i := range p.n {
		at := pageHeader + i*elementSize
		if at+elementSize > len(p.buf) {
			return 0, fmt.Errorf("element %d lies outside the page", i)
		}
		pos, key, value := p.sizes(at)
		if at+pos != end || key == 0 || key > len(p.buf)-end || value > len(p.buf)-end-key {
			return 0, fmt.Errorf("element %d is misplaced", i)
		}
		k := p.buf[end : end+key]
		if i > 0 && bytes.Compare(prev, k) >= 0 {
			return 0, fmt.Errorf("element %d is out of order", i)
		}
		prev, end = k, end+key+value
	}
	return end, nil
}

// sizes returns the numbers of the element at the given offset.
func (p *page) sizes(at int) (pos, key, value int) {
	e := p.buf[at : at+elementSize]
	if p.leaf {
		return int(native.Uint32(e[4:])), int(native.Uint32(e[8:])), int(native.Uint32(e[12:]))
	}
	return int(native.Uint32(e)), int(native.Uint32(e[4:])), 0
}

func (p *page) key(i int) []byte {
	at := pageHeader + i*elementSize
	pos, key, _ := p.sizes(at)
	return p.buf[at+pos : at+pos+key : at+pos+key]
}

func (p *page) value(i int) []byte {
	at := pageHeader + i*elementSize
	pos, key, value := p.sizes(at)
	at += pos + key
	return p.buf[at : at+value : at+value]
}

// flags returns the flags of a leaf's element.
func (p *page) flags(i int) uint32 { return native.Uint32(p.buf[pageHeader+i*elementSize:]) }

// child returns the page that a branch's element points to.
func (p *page) child(i int) uint64 { return native.Uint64(p.buf[pageHeader+i*elementSize+8:]) }

// search returns the index of the first element whose key is not less than
// key, n when there is none, and whether it is equal.
func (p *page) search(key []byte) (int, bool) {
	lo, hi := 0, p.n
	for lo < hi {
		mid := int(uint(lo+hi) >> 1)
		switch c := bytes.Compare(p.key(mid), key); {
		case c == 0:
			return mid, true
		case c < 0:
			lo = mid + 1
		default:
			hi = mid
		}
	}
	return lo, false
}

// descend returns the index of the branch element below which key belongs.
func (p *page) descend(key []byte) int {
	i, exact := p.search(key)
	if !exact && i > 0 {
		i--
	}
	return i
}

// slim returns a branch, or the number of a leaf without its content: there may
// be many leaves to remember.
func (p *page) slim() *page {
	if !p.leaf {
		return p
	}
	return &page{id: p.id, leaf: true}
}
