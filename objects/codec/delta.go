package codec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/datafs/datafs/index"
)

// A delta tells the bytes of a chunk, the target, by what they copy from other
// bytes, the base, and what they add (the scheme of VCDIFF, RFC 3284, in a
// form of its own):
//
//	uvarint length of the copies in bytes, copies, literals
//	copy: uvarint literals before it, uvarint length,
//	      zigzag varint of its offset in the base minus where it is expected:
//	      at the end of the copy before it, plus the literals between the two
//
// Bytes overwritten in place so make an offset of 0. Literals that no copy
// takes follow the last copy. Every copy but one at the target's end begins and
// ends at a multiple of deltaWord in the target: words of numbers are literals
// as a whole, one behind the other, and a byte shuffle works on them.
const (
	deltaWord  = 8
	deltaBlock = 32 // bytes that must be equal for a copy; blocks of the base at multiples of it are known
	minCopy    = deltaBlock - deltaWord
	deltaReach = 16 << 10 // bytes after which a change is not taken to be one in place

	MaxBases     = 2
	maxDeltaBase = MaxBases * MaxChunk
	MaxDeltaHead = 1 + 32*MaxBases // bytes of a stored delta that tell its bases
)

// DeltaEncoder makes deltas one after another. It is for one goroutine.
type DeltaEncoder struct {
	table            []uint32 // by hash: 1 + offset of a block in the base
	shift            int
	indexed          bool // table is that of this base
	copies, literals []byte
}

// Encode appends a delta to dst. Where more than half of the target would be
// literals it gives up and appends nothing.
func (e *DeltaEncoder) Encode(dst, base, target []byte) []byte {
	if len(base) > maxDeltaBase {
		return dst
	}
	e.indexed = false
	e.copies, e.literals = e.copies[:0], e.literals[:0]
	done, expect := 0, 0 // behind the last copy, in the target and in the base
	for from := 0; ; {
		at, p := e.find(base, target, from, expect-done)
		if at < 0 || at-done+len(e.literals) > len(target)/2 {
			break
		}
		start, end := extend(base, target, done, at, p)
		if end-start < minCopy {
			from = at + 1
			continue
		}
		p += start - at
		e.copies = binary.AppendUvarint(e.copies, uint64(start-done))
		e.copies = binary.AppendUvarint(e.copies, uint64(end-start))
		e.copies = binary.AppendVarint(e.copies, int64(p-expect-(start-done)))
		e.literals = append(e.literals, target[done:start]...)
		done, expect, from = end, p+end-start, end
	}
	e.literals = append(e.literals, target[done:]...)
	if len(e.literals) > len(target)/2 {
		return dst
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.copies)))
	return append(append(dst, e.copies...), e.literals...)
}

// index notes where blocks of the base are: of equal ones the first.
func (e *DeltaEncoder) index(base []byte) {
	n := bits.Len(uint(len(base) / deltaBlock)) // at least as many slots as blocks
	if len(e.table) < 2<<n {
		e.table = make([]uint32, 2<<n)
	}
	e.shift, e.indexed = 64-(n+1), true
	table := e.table[:2<<n]
	clear(table)
	for i := 0; i+deltaBlock <= len(base); i += deltaBlock {
		if slot := &table[blockHash(base[i:])>>e.shift]; *slot == 0 {
			*slot = uint32(i + 1)
		}
	}
}

// blockHash is good in its high bits.
func blockHash(b []byte) uint64 {
	_ = b[deltaBlock-1]
	h := le64(b)*0x9E3779B97F4A7C15 ^ bits.RotateLeft64(le64(b[8:])*0xC2B2AE3D27D4EB4F, 23) ^
		bits.RotateLeft64(le64(b[16:])*0x165667B19E3779F9, 41) ^ le64(b[24:])*0x27D4EB2F165667C5
	return h * 0x9E3779B97F4A7C15
}

// find returns a place in the target, from one on, where a block is as in the
// base, and the place there; without one -1. Most changes are made in place: it
// first looks shift bytes on, and only then for a block that has moved.
func (e *DeltaEncoder) find(base, target []byte, from, shift int) (at, p int) {
	last := min(len(target), len(base)-shift, from+deltaReach) - deltaBlock
	for at = max(from, -shift); at <= last; at += deltaWord {
		if p = at + shift; le64(base[p:]) == le64(target[at:]) && bytes.Equal(base[p:p+deltaBlock], target[at:at+deltaBlock]) {
			return at, p
		}
	}
	if !e.indexed {
		e.index(base)
	}
	for at = from; at+deltaBlock <= len(target); at++ {
		block := target[at : at+deltaBlock]
		if p = int(e.table[blockHash(block)>>e.shift]) - 1; p >= 0 && bytes.Equal(base[p:p+deltaBlock], block) {
			return at, p
		}
	}
	return -1, 0
}

// extend returns how far the bytes of the target around at, as far back as
// done, are those of the base around p, in whole words.
func extend(base, target []byte, done, at, p int) (start, end int) {
	start, end = at, at+deltaBlock
	for back := p; start > done && back > 0 && target[start-1] == base[back-1]; back-- {
		start--
	}
	end += common(base[p+deltaBlock:], target[end:])
	start = (start + deltaWord - 1) &^ (deltaWord - 1)
	if end < len(target) {
		end &^= deltaWord - 1
	}
	return start, end
}

// common returns how many bytes at the beginning of a and b are the same.
func common(a, b []byte) int {
	const step = 256
	n, m := 0, min(len(a), len(b))
	for n+step <= m && bytes.Equal(a[n:n+step], b[n:n+step]) {
		n += step
	}
	for ; n+8 <= m; n += 8 {
		if x := le64(a[n:]) ^ le64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
	}
	for n < m && a[n] == b[n] {
		n++
	}
	return n
}

// splitDelta takes a delta apart.
func splitDelta(delta []byte) (copies, literals []byte, err error) {
	c := Cursor{B: delta}
	copies = c.Bytes(int(c.Uvarint(uint64(len(delta)))))
	return copies, c.B, c.Err
}

// decodeDelta appends the target of a delta to dst. It never makes more than
// rawLen bytes, which the caller has bounded.
func decodeDelta(dst, base, delta []byte, rawLen int) ([]byte, error) {
	copies, literals, err := splitDelta(delta)
	if err != nil {
		return dst, err
	}
	return applyDelta(dst, base, copies, literals, rawLen)
}

// applyDelta is decodeDelta for a delta that has been taken apart.
func applyDelta(dst, base, copies, literals []byte, rawLen int) ([]byte, error) {
	start := len(dst)
	out := Grow(dst, rawLen)
	c, expect := Cursor{B: copies}, 0
	for len(c.B) > 0 {
		add, n := c.take(rawLen-(len(out)-start), len(literals))
		p := int64(expect+add) + c.Varint()
		if c.Err == nil && (p < 0 || p > int64(len(base)-n)) {
			c.Fail(errors.New("a copy lies outside the base"))
		}
		if c.Err != nil {
			return dst, fmt.Errorf("delta: %w", c.Err)
		}
		out = append(append(out, literals[:add]...), base[p:int(p)+n]...)
		literals, expect = literals[add:], int(p)+n
	}
	if got := len(out) - start + len(literals); got != rawLen {
		return dst, fmt.Errorf("delta: %d bytes, want %d", got, rawLen)
	}
	return append(out, literals...), nil
}

// take reads the lengths of an op that may make up to room bytes.
func (c *Cursor) take(room, literals int) (add, n int) {
	add = int(c.Uvarint(uint64(min(room, literals))))
	n = int(c.Uvarint(uint64(room - add)))
	if c.Err == nil && n == 0 {
		c.Fail(errors.New("a copy of no bytes"))
	}
	return add, n
}

// literalLen returns how many literals a delta of rawLen bytes has, by its
// copies.
func literalLen(copies []byte, rawLen int) (int, error) {
	c, left := Cursor{B: copies}, rawLen
	for len(c.B) > 0 && c.Err == nil {
		c.Uvarint(uint64(rawLen))
		left -= int(c.Uvarint(uint64(left)))
		c.Varint()
	}
	return left, c.Err
}

// AppendDelta appends the stored form of a delta, codec 3, filter 0:
//
//	number of bases u8 (1 to maxDeltaBases), that many ids (32) of chunks that
//	are no deltas; the base is their bytes, one behind the other
//	codec u8 and filter u8 of the literals, uvarint length of the copies, copies,
//	literals by that codec and filter
func (e *Encoder) AppendDelta(dst []byte, bases []index.ID, delta []byte) ([]byte, error) {
	copies, literals, err := splitDelta(delta)
	if err != nil {
		return dst, err
	}
	dst = append(dst, byte(len(bases)))
	for _, id := range bases {
		dst = append(dst, id[:]...)
	}
	form := len(dst)
	dst = append(dst, Raw, 0)
	dst = binary.AppendUvarint(dst, uint64(len(copies)))
	dst = append(dst, copies...)
	out, codec, filter := e.Encode(dst, literals)
	if out[form], out[form+1] = codec, filter; codec == Raw {
		out = append(out, literals...)
	}
	return out, nil
}

// StoredDelta is the stored form of a delta, taken apart.
type StoredDelta struct {
	Bases            []index.ID
	codec, filter    uint8
	copies, literals []byte
}

// DeltaBases reads the ids of the bases at the front of a stored delta.
func DeltaBases(head []byte) ([]index.ID, error) {
	c := Cursor{B: head}
	return c.deltaBases(), c.Err
}

func (c *Cursor) deltaBases() []index.ID {
	n := int(c.Byte())
	if c.Err == nil && (n < 1 || n > MaxBases) {
		c.Fail(fmt.Errorf("the difference from %d chunks", n))
	}
	if c.Err != nil {
		return nil
	}
	ids := make([]index.ID, n)
	for i := range ids {
		ids[i] = c.ID()
	}
	return ids
}

// ParseDelta takes the stored form of a delta apart.
func ParseDelta(stored []byte) (d StoredDelta, err error) {
	c := Cursor{B: stored}
	d.Bases = c.deltaBases()
	d.codec, d.filter = c.Byte(), c.Byte()
	if c.Err == nil && (d.codec == Delta || d.codec == Located) {
		c.Fail(fmt.Errorf("literals of codec %d", d.codec))
	}
	d.copies = c.Bytes(int(c.Uvarint(uint64(len(stored)))))
	d.literals = c.B
	return d, c.Err
}

// DecodeDelta appends the raw bytes of a delta to dst. The literals are
// decoded into scratch, which is returned for the next time.
func (d *Decoder) DecodeDelta(dst, base []byte, sd StoredDelta, scratch []byte, rawLen int) (out, used []byte, err error) {
	n, err := literalLen(sd.copies, rawLen)
	if err != nil {
		return dst, scratch, err
	}
	literals := sd.literals
	if sd.codec != Raw || sd.filter != 0 {
		if scratch, err = d.Decode(scratch[:0], sd.literals, sd.codec, sd.filter, n); err != nil {
			return dst, scratch, err
		}
		literals = scratch
	}
	out, err = applyDelta(dst, base, sd.copies, literals, rawLen)
	return out, scratch, err
}
