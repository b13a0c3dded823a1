package codec

import (
	"encoding/binary"
	"slices"

	"github.com/klauspost/compress/huff0"
)

// huffman makes the Huffman codes of zstd's literals (RFC 8878, 4.2). The code
// itself and its description are huff0's; counting and writing are done here, as
// huff0 counts in one table, where a byte waits for the one before it if they are
// the same: in planes they often are. It is for one goroutine.
type huffman struct {
	huff  huff0.Scratch
	count [256]uint32
	codes [256]huffCode
	out   []byte
}

// huffCode is a code in the highest bits and its length in the lowest, as in the
// reference implementation of zstd: where codes are pushed in from above, what
// lies below them is of no account.
type huffCode uint64

func makeHuffCode(val uint16, bits uint) huffCode { return huffCode(val)<<(64-bits) | huffCode(bits) }

// behind is the codes in c and then those in d; n has the number of bits in d in
// its lowest six.
func (c huffCode) behind(d, n huffCode) huffCode { return c>>(n&63) | d }

const (
	huffLog   = 11 // bits of the longest code
	probed    = 7  // lengths of codes that one estimate tells
	jumpTable = 6  // bytes that say how long the first three of four streams are
	minSave   = 16 // bytes from which on codes are worth it
)

// compress returns src, of 128 KiB at most, as the description of a code and four
// streams of codes, which is good until the next call; or nothing, where that is
// not shorter.
func (h *huffman) compress(src []byte) []byte {
	if len(src) < 256 {
		return nil
	}
	if h.huff.Out == nil {
		h.huff.Out = make([]byte, 0, 512) // or it is made anew for each description
	}
	countBytes(&h.count, src)
	if h.huff.BuildCTable(&h.count) != nil {
		return nil // just one value
	}
	out, err := h.huff.AppendTable(h.out[:0])
	if err != nil || len(out)+jumpTable+h.huff.EstimateSize(&h.count) > len(src)-minSave {
		return nil
	}
	h.assign()
	at := len(out)
	out = append(out, make([]byte, jumpTable)...)
	for k, part := 0, (len(src)+3)/4; k < 4; k++ {
		n := len(out)
		out = h.stream(out, src[k*part:min((k+1)*part, len(src))])
		if k < 3 { // a quarter of 128 KiB in codes of 11 bits has less than 64 KiB
			binary.LittleEndian.PutUint16(out[at+2*k:], uint16(len(out)-n))
		}
	}
	h.out = out
	return out
}

// countBytes counts in four tables, so that equal bytes in a row do not wait for
// each other.
func countBytes(count *[256]uint32, b []byte) {
	var more [3][256]uint32
	*count = [256]uint32{}
	for ; len(b) >= 8; b = b[8:] {
		x := le64(b)
		count[byte(x)]++
		more[0][byte(x>>8)]++
		more[1][byte(x>>16)]++
		more[2][byte(x>>24)]++
		count[byte(x>>32)]++
		more[0][byte(x>>40)]++
		more[1][byte(x>>48)]++
		more[2][byte(x>>56)]++
	}
	for _, x := range b {
		count[x]++
	}
	for i := range count {
		count[i] += more[0][i] + more[1][i] + more[2][i]
	}
}

// assign takes the lengths of the codes of all values that occur and gives each
// its code: the longest first, those of one length in the order of the values.
//
// huff0 shows lengths only as the size that some counts of values come to. With
// counts of 8, 8*16, 8*16*16, ... bits each length is one digit of the size.
func (h *huffman) assign() {
	var probe [256]uint32
	var used [256]uint8
	n := 0
	for x, c := range &h.count {
		if c > 0 {
			used[n] = uint8(x)
			n++
		}
	}
	var next [huffLog + 1]uint16 // codes of each length, then the next of them
	for at := 0; at < n; at += probed {
		values := used[at:min(at+probed, n)]
		for i, x := range values {
			probe[x] = 8 << (4 * i)
		}
		size := h.huff.EstimateSize(&probe)
		for i, x := range values {
			bits := size >> (4 * i) & 15
			h.codes[x], probe[x] = huffCode(bits), 0
			next[bits]++
		}
	}
	first := uint16(0)
	for bits := huffLog; bits > 0; bits-- {
		first, next[bits] = (first+next[bits])>>1, first
	}
	for _, x := range used[:n] {
		bits := uint(h.codes[x])
		h.codes[x] = makeHuffCode(next[bits], bits)
		next[bits]++
	}
}

// stream appends the codes of src from its end to its beginning, the first in the
// lowest bits, and a bit that marks the end.
func (h *huffman) stream(dst, src []byte) []byte {
	at := len(dst)
	dst = slices.Grow(dst, len(src)*huffLog/8+16)
	out := dst[:cap(dst)]
	var held, n huffCode // n is the number of bits in held, in its lowest byte
	i := len(src)
	for ; i >= 4; i -= 4 {
		four := src[i-4 : i]
		a, b, c, d := h.codes[four[3]], h.codes[four[2]], h.codes[four[1]], h.codes[four[0]]
		last := c + d
		held = held.behind(a.behind(b, b).behind(c.behind(d, d), last), a+b+last)
		n = (n + a + b + last) & 0xff
		binary.LittleEndian.PutUint64(out[at:], uint64(held>>(-n&63)))
		at, n = at+int(n>>3), n&7
	}
	for i--; i >= 0; i-- {
		c := h.codes[src[i]]
		held, n = held.behind(c, c), (n+c)&0xff
	}
	end := makeHuffCode(1, 1)
	held, n = held.behind(end, end), n+1
	binary.LittleEndian.PutUint64(out[at:], uint64(held>>(-n&63)))
	return out[:at+int(n+7)/8]
}
