package codec

import (
	"math"
	"sync"
)

const (
	sampleSlices = 4
	sampleLen    = 1 << 10

	noise = 7.9 // bits of entropy per byte from which a sample has nothing to offer
)

// trial looks at up to 4 KiB of a chunk and says which filter to use, and
// whether compressing is worth while at all. It compares the order-0 entropy of
// the bytes with that of the byte planes of words of 2, 4 and 8 bytes: arrays
// of numbers have planes (sign, exponent) that are far more regular than the
// whole; and that with the planes' differences. It depends on the bytes alone.
func trial(raw []byte) (filter uint8, worth bool) {
	var sample [sampleSlices * sampleLen]byte
	s := takeSample(sample[:], raw)
	var planes planeCounts
	planes.count(s)
	plain := planes.plain()
	if plain >= noise {
		return 0, repeats(s)
	}
	var bits [9]float64
	for _, w := range [...]int{8, 4, 2} { // entropy goes on from one to the next
		bits[w] = planes.entropy(w)
	}
	best := plain * 0.94
	for _, w := range [...]int{2, 4, 8} {
		if bits[w] < best {
			best, filter = bits[w]*0.98, uint8(w)
		}
	}
	if filter != 0 {
		if differences(s, int(filter)) < bits[filter]*0.97 {
			filter |= filterDelta
		}
		return filter, true
	}
	return 0, plain < 7.6 || repeats(s)
}

// differences is the mean entropy in bits per byte of a sample's planes when
// each byte is replaced by its difference from the one before it.
func differences(s []byte, width int) float64 {
	c := new(planeCounts)
	var total float64
	var sum int
	for k := range width {
		count := &c[k]
		for i := width + k; i < len(s); i += width {
			count[s[i]-s[i-width]]++
		}
		bits, n := entropy(count)
		total, sum = total+bits, sum+n
	}
	return total / float64(max(sum, 1))
}

// takeSample fills dst with slices from all over raw, each at a multiple of 8.
func takeSample(dst, raw []byte) []byte {
	if len(raw) <= len(dst) {
		return dst[:copy(dst, raw)]
	}
	n := len(dst) / sampleSlices
	step := (len(raw) - n) / (sampleSlices - 1)
	for i := range sampleSlices {
		at := i * step &^ 7
		copy(dst[i*n:(i+1)*n], raw[at:])
	}
	return dst
}

// planeCounts says how often each byte is at each of 8 places of a word.
type planeCounts [8][256]uint16

// count adds the bytes of s, of which the first is at the first place.
func (c *planeCounts) count(s []byte) {
	for ; len(s) >= 8; s = s[8:] {
		x := le64(s)
		c[0][byte(x)]++
		c[1][byte(x>>8)]++
		c[2][byte(x>>16)]++
		c[3][byte(x>>24)]++
		c[4][byte(x>>32)]++
		c[5][byte(x>>40)]++
		c[6][byte(x>>48)]++
		c[7][byte(x>>56)]++
	}
	for k, x := range s {
		c[k][x]++
	}
}

// plain is the entropy in bits per byte of all bytes alike.
func (c *planeCounts) plain() float64 {
	all := c[0]
	for k := 1; k < len(c); k++ {
		for i, n := range &c[k] {
			all[i] += n
		}
	}
	bits, n := entropy(&all)
	return bits / float64(max(n, 1))
}

// entropy is the mean entropy in bits per byte when bytes are told apart by
// their place in words of width bytes. It adds up what is alike at this width,
// so that it is asked for 8, 4 and 2 in turn.
func (c *planeCounts) entropy(width int) float64 {
	var total float64
	var sum int
	for k := range width {
		if width < len(c) {
			for i, n := range &c[k+width] {
				c[k][i] += n
			}
		}
		bits, n := entropy(&c[k])
		total, sum = total+bits, sum+n
	}
	return total / float64(max(sum, 1))
}

// entropy returns the entropy of all n bytes that were counted together.
func entropy[N uint16 | uint32](count *[256]N) (bits float64, n int) {
	distinct, t := 0, nlogn()
	for _, c := range count {
		if c != 0 {
			distinct++
			n += int(c)
			bits -= t[c]
		}
	}
	if n == 0 {
		return 0, 0
	}
	// A small sample shows fewer values than there are: the correction of Miller
	// and Madow, in bits.
	return bits + t[n] + float64(distinct-1)/2*math.Log2E, n
}

// nlogn is n log2 n for the counts of a sample.
var nlogn = sync.OnceValue(func() *[sampleSlices*sampleLen + 1]float64 {
	var t [sampleSlices*sampleLen + 1]float64
	for i := 2; i < len(t); i++ {
		t[i] = float64(i) * math.Log2(float64(i))
	}
	return &t
})

// repeats says whether s, although its bytes look random, holds the same 8
// bytes at several places.
func repeats(s []byte) bool {
	var seen [512]uint64
	hits := 0
	for i := 0; i+8 <= len(s); i += 4 {
		w := le64(s[i:])
		slot := &seen[w*0x9E3779B97F4A7C15>>55]
		if *slot == w {
			hits++
		}
		*slot = w
	}
	return hits > len(s)/128
}
