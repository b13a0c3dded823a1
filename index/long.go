package index

import (
	"bytes"
)

// longAt is where the value of a long record begins in its page: behind the
// page's header, one element and a key of four bytes.
const longAt = pageHeader + elementSize + 4

// long is a long record that is the only one of its bucket, so that a part of
// it can be read without the rest. Its parts need checksums of their own: the
// record's covers the whole.
type long struct {
	s     *snapshot
	at    int64  // of the value in the file
	size  int    // of the value with its checksum, in bytes
	first []byte // what the first page holds of the value
}

// long returns the record of a bucket that has only one, and its key is this
// number. The first page is checked as parsePage does it.
func (tx *Tx) long(name string, key uint32) (*long, error) {
	if tx.root == nil {
		return nil, corrupt(name, "a bucket of an empty database")
	}
	entry, found, err := tx.root.get([]byte(name))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, tx.s.corrupt("bucket %q is missing", name)
	}
	k := number(key)
	if newSummer(name).sealBucket(k, k) != native.Uint64(entry[8:]) {
		return nil, tx.s.corrupt("bucket %q does not match its checksum", name)
	}
	return tx.s.long(native.Uint64(entry), k)
}

func (s *snapshot) long(id uint64, key []byte) (*long, error) {
	if err := s.inUse(id); err != nil {
		return nil, err
	}
	buf := make([]byte, s.pageSize)
	off := int64(id) * int64(s.pageSize)
	if err := s.readAt(buf, off); err != nil {
		return nil, err
	}
	more := uint64(native.Uint32(buf[12:]))
	p := &page{id: id, leaf: true, n: 1, overflow: more, buf: buf}
	pos, k, size := p.sizes(pageHeader)
	whole := (int(min(more, s.pages)) + 1) * s.pageSize
	sound := native.Uint64(buf) == id && native.Uint16(buf[8:]) == leafFlag && native.Uint16(buf[10:]) == 1 &&
		more < s.pages-id && p.flags(0) == 0 && pos == elementSize && k == longAt-pageHeader-elementSize &&
		bytes.Equal(buf[longAt-k:longAt], key) && size <= whole-longAt && fits(longAt+size, more, whole, s.pageSize)
	if !sound {
		return nil, s.corrupt("page %d is not the record that leads to it", id)
	}
	return &long{s: s, at: off + longAt, size: size, first: buf[longAt:min(len(buf), longAt+size)]}, nil
}

// read fills b with what begins at an offset of the value.
func (l *long) read(b []byte, off int) error {
	if off+len(b) > l.size {
		return l.s.corrupt("a record of %d bytes ends before byte %d", l.size, off+len(b))
	}
	if off+len(b) <= len(l.first) {
		copy(b, l.first[off:])
		return nil
	}
	return l.s.readAt(b, l.at+int64(off))
}
