package codec

import (
	"bytes"
	"encoding/binary"

	"github.com/klauspost/compress/s2"
)

const (
	zstdMagic    = 0xFD2FB528
	zstdMaxBlock = 128 << 10

	zstdBlockRaw        = 0
	zstdBlockRLE        = 1
	zstdBlockCompressed = 2
)

// planes appends the zstd frames of shuffled words: one for each plane, the last
// with what is left over. In one frame the planes would share their tables, and
// the noise of the low bytes would drown what is regular in the high ones.
func (e *Encoder) planes(dst, src []byte, width int) []byte {
	n := len(src) / width
	for k := range width {
		plane := src[k*n : (k+1)*n]
		if k == width-1 {
			plane = src[k*n:]
		}
		dst = e.plane(dst, plane)
	}
	return dst
}

const planeNoise = 7.6 // bits of entropy per byte from which Huffman codes are not worth their time

// planeSample is how many bytes of a plane say what becomes of it.
const planeSample = 2 << 10

// plane appends the frame of one plane. Noise stays as it is. Where matches bring
// about as much as that some bytes are rarer than others it is left to zstd, which
// has both (the estimate of the matches codes no literals); elsewhere the search
// for matches costs three times as much as it brings, and the plane becomes a
// frame of Huffman codes only. One value all over (differences have another at the
// beginning) is named once: as a match, the usual form, it takes decoders longer
// than all the rest.
func (e *Encoder) plane(dst, plane []byte) []byte {
	if len(plane) < planeSample {
		return e.zstdEncoder().EncodeAll(plane, dst)
	}
	var sample [planeSample]byte
	s := takeSample(sample[:], plane)
	var count [256]uint32
	countBytes(&count, s)
	bits, n := entropy(&count)
	matched := s2.EstimateBlockSize(s)
	switch {
	case oneValue(plane[1:]):
		return appendFrame(dst, plane, nil)
	case matched >= 0 && float64(matched)*8 < max(bits, float64(n))*1.3: // no code is shorter than a bit
		return e.zstdEncoder().EncodeAll(plane, dst)
	case bits > planeNoise*float64(n):
		return appendFrame(dst, plane, nil)
	}
	return appendFrame(dst, plane, &e.huffman)
}

// appendFrame appends a zstd frame (RFC 8878) whose blocks are one value or have
// literals only, in Huffman codes where h is given and they pay.
func appendFrame(dst, src []byte, h *huffman) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, zstdMagic)
	const single = 1 << 5 // one segment: the window is the content
	switch n := len(src); {
	case n < 256:
		dst = append(dst, single, byte(n))
	case n < 256+1<<16:
		dst = binary.LittleEndian.AppendUint16(append(dst, single|1<<6), uint16(n-256))
	default:
		dst = binary.LittleEndian.AppendUint32(append(dst, single|2<<6), uint32(n))
	}
	for {
		n := min(len(src), zstdMaxBlock)
		if len(src) > 2 && src[0] != src[1] && oneValue(src[1:]) {
			n = 1
		}
		dst = appendBlock(dst, src[:n], n == len(src), h)
		if src = src[n:]; len(src) == 0 {
			return dst
		}
	}
}

// oneValue says that all bytes are alike.
func oneValue(b []byte) bool { return len(b) > 1 && bytes.Equal(b[1:], b[:len(b)-1]) }

func appendBlock(dst, src []byte, last bool, h *huffman) []byte {
	if oneValue(src) {
		return append(appendBlockHeader(dst, zstdBlockRLE, len(src), last), src[0])
	}
	if h != nil {
		if codes := h.compress(src); codes != nil {
			var header [5]byte
			literals := appendLiteralsHeader(header[:0], len(src), len(codes))
			dst = appendBlockHeader(dst, zstdBlockCompressed, len(literals)+len(codes)+1, last)
			dst = append(append(dst, literals...), codes...)
			return append(dst, 0) // no sequences
		}
	}
	return append(appendBlockHeader(dst, zstdBlockRaw, len(src), last), src...)
}

func appendBlockHeader(dst []byte, kind, size int, last bool) []byte {
	h := kind<<1 | size<<3
	if last {
		h |= 1
	}
	return append(dst, byte(h), byte(h>>8), byte(h>>16))
}

// appendLiteralsHeader appends the header of literals in four streams of Huffman
// codes, by the shortest form that holds their lengths.
func appendLiteralsHeader(dst []byte, raw, codes int) []byte {
	const compressed = 2
	form, width := 3, 18
	switch {
	case raw < 1<<10:
		form, width = 1, 10
	case raw < 1<<14:
		form, width = 2, 14
	}
	h := uint64(compressed | form<<2 | raw<<4 | codes<<(4+width))
	for range (4 + 2*width + 7) / 8 {
		dst, h = append(dst, byte(h)), h>>8
	}
	return dst
}
