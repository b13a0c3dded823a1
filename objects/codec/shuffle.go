package codec

import "encoding/binary"

// A filter is the width of words that are shuffled, 2, 4 or 8 bytes, or 0 for
// none. With filterDelta each byte of a plane but the first is then replaced by
// its difference from the one before it (bytedelta in Blosc2).
const (
	filterWidth = 0x0f
	filterDelta = 0x10
)

func validFilter(f uint8) bool {
	switch f &^ filterDelta {
	case 2, 4, 8:
		return true
	}
	return f == 0
}

// applyFilter writes src to dst as a filter other than 0 makes it.
func applyFilter(dst, src []byte, filter uint8) {
	width := int(filter & filterWidth)
	shuffle(dst, src, width)
	if filter&filterDelta != 0 {
		n := len(src) / width
		for k := range width {
			delta(dst[k*n : (k+1)*n])
		}
	}
}

// undoFilter undoes applyFilter; it changes src.
func undoFilter(dst, src []byte, filter uint8) {
	width := int(filter & filterWidth)
	if filter&filterDelta != 0 {
		n := len(src) / width
		for k := range width {
			undelta(src[k*n : (k+1)*n])
		}
	}
	unshuffle(dst, src, width)
}

const high = 0x8080808080808080 // the high bit of each of 8 bytes

// delta replaces each byte but the first by its difference from the one before,
// 8 bytes at a time.
func delta(b []byte) {
	var prev uint64
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		y := x<<8 | prev
		prev = x >> 56
		binary.LittleEndian.PutUint64(b, ((x|high)-(y&^high))^((x^^y)&high))
	}
	for i, x := range b {
		b[i] = x - byte(prev)
		prev = uint64(x)
	}
}

// undelta undoes delta. Sums of pairs of bytes have room in 16 bits, so that one
// multiplication adds up the four of 8 bytes.
func undelta(b []byte) {
	const even, lanes = 0x00ff00ff00ff00ff, 0x0001000100010001
	var prev uint64
	for ; len(b) >= 8; b = b[8:] {
		x := binary.LittleEndian.Uint64(b)
		first, second := x&even, x>>8&even
		sums, before := (first+second)*lanes, prev*lanes
		binary.LittleEndian.PutUint64(b, (sums<<16+before+first)&even|(sums+before)&even<<8)
		prev = (prev + sums>>48) & 0xff // all that the next bytes wait for
	}
	for i, x := range b {
		b[i] = x + byte(prev)
		prev = uint64(b[i])
	}
}

// shuffle writes src to dst with the bytes of its words of width bytes
// regrouped: all first bytes, all second bytes, and so on; what is left over at
// the end follows unchanged. It is the filter of HDF5 and Blosc. len(dst) must
// be len(src), and width 2, 4 or 8.
func shuffle(dst, src []byte, width int) {
	n := len(src) / width
	done := 0
	if width == 4 {
		done = shuffle4(dst, src, n)
	}
	for k := range width {
		plane := dst[k*n : (k+1)*n]
		for i := done; i < n; i++ {
			plane[i] = src[i*width+k]
		}
	}
	copy(dst[n*width:], src[n*width:])
}

// unshuffle undoes shuffle.
func unshuffle(dst, src []byte, width int) {
	n := len(src) / width
	done := 0
	if width == 4 {
		done = unshuffle4(dst, src, n)
	}
	for k := range width {
		plane := src[k*n : (k+1)*n]
		for i := done; i < n; i++ {
			dst[i*width+k] = plane[i]
		}
	}
	copy(dst[n*width:], src[n*width:])
}

// shuffle4 shuffles n words of 4 bytes, 8 at a time, and returns how many it
// did.
func shuffle4(dst, src []byte, n int) int {
	p0, p1, p2, p3 := dst[:n], dst[n:2*n], dst[2*n:3*n], dst[3*n:4*n]
	i := 0
	for ; i+8 <= n; i += 8 {
		w := src[4*i : 4*i+32]
		a, b, c, d := transpose(two(w, 0), two(w, 4), two(w, 8), two(w, 12))
		binary.LittleEndian.PutUint64(p0[i:], a)
		binary.LittleEndian.PutUint64(p1[i:], b)
		binary.LittleEndian.PutUint64(p2[i:], c)
		binary.LittleEndian.PutUint64(p3[i:], d)
	}
	return i
}

// unshuffle4 undoes shuffle4.
func unshuffle4(dst, src []byte, n int) int {
	p0, p1, p2, p3 := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
	i := 0
	for ; i+8 <= n; i += 8 {
		w := dst[4*i : 4*i+32]
		a, b, c, d := transpose(binary.LittleEndian.Uint64(p0[i:]), binary.LittleEndian.Uint64(p1[i:]),
			binary.LittleEndian.Uint64(p2[i:]), binary.LittleEndian.Uint64(p3[i:]))
		binary.LittleEndian.PutUint64(w, uint64(uint32(a))|b<<32)
		binary.LittleEndian.PutUint64(w[8:], uint64(uint32(c))|d<<32)
		binary.LittleEndian.PutUint64(w[16:], a>>32|b&^(1<<32-1))
		binary.LittleEndian.PutUint64(w[24:], c>>32|d&^(1<<32-1))
	}
	return i
}

// two returns the word at an offset of 8 words, and above it the one 4 words on.
func two(w []byte, at int) uint64 {
	return uint64(binary.LittleEndian.Uint32(w[at:])) | uint64(binary.LittleEndian.Uint32(w[at+16:]))<<32
}

// transpose takes the low halves of a, b, c and d for the rows of a matrix of 4
// by 4 bytes, and the high halves for those of another one, and returns both
// transposed: blocks of 2 by 2 bytes are exchanged first, then bytes in them.
func transpose(a, b, c, d uint64) (uint64, uint64, uint64, uint64) {
	const halves, bytes = 0x0000FFFF0000FFFF, 0x00FF00FF00FF00FF
	t, u := (a>>16^c)&halves, (b>>16^d)&halves
	a, b, c, d = a^t<<16, b^u<<16, c^t, d^u
	t, u = (a>>8^b)&bytes, (c>>8^d)&bytes
	return a ^ t<<8, b ^ t, c ^ u<<8, d ^ u
}
