package objects

import "encoding/binary"

// shuffle writes src to dst with the bytes of its words of width bytes
// regrouped: all first bytes, all second bytes, and so on; what is left over at
// the end follows unchanged. It is the filter of HDF5 and Blosc. len(dst) must
// be len(src), and width 2, 4 or 8.
func shuffle(dst, src []byte, width int) {
	n := len(src) / width
	switch width {
	case 4:
		a, b, c, d := dst[:n], dst[n:2*n], dst[2*n:3*n], dst[3*n:4*n]
		for i := range a {
			w := binary.LittleEndian.Uint32(src[4*i:])
			a[i], b[i], c[i], d[i] = byte(w), byte(w>>8), byte(w>>16), byte(w>>24)
		}
	default:
		for k := range width {
			plane := dst[k*n : (k+1)*n]
			for i := range plane {
				plane[i] = src[i*width+k]
			}
		}
	}
	copy(dst[n*width:], src[n*width:])
}

// unshuffle undoes shuffle.
func unshuffle(dst, src []byte, width int) {
	n := len(src) / width
	switch width {
	case 4:
		a, b, c, d := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
		for i := range a {
			w := uint32(a[i]) | uint32(b[i])<<8 | uint32(c[i])<<16 | uint32(d[i])<<24
			binary.LittleEndian.PutUint32(dst[4*i:], w)
		}
	default:
		for k := range width {
			plane := src[k*n : (k+1)*n]
			for i, x := range plane {
				dst[i*width+k] = x
			}
		}
	}
	copy(dst[n*width:], src[n*width:])
}
