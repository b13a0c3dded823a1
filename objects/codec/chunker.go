package codec

import (
	"fmt"
	"math/bits"
	"sync"

	"github.com/datafs/datafs/index"
)

// Params are the chunker's sizes in bytes. They are part of a repository's
// identity: with other sizes the same file has other chunks and another tree id.
type Params struct {
	Algorithm string `json:"algorithm"`
	Min       int    `json:"min"`
	Avg       int    `json:"avg"`
	Max       int    `json:"max"`
}

// DefaultParams are the sizes of a new repository.
var DefaultParams = Params{Algorithm: "gear-v1", Min: 16 << 10, Avg: 64 << 10, Max: 256 << 10}

const (
	gearWindow = 64       // bytes that a hash of 64 bits remembers
	MaxChunk   = 16 << 20 // no decoder allocates more for a chunk
)

// Validate refuses parameters that the format does not allow.
func (p Params) Validate() error {
	switch {
	case p.Algorithm != DefaultParams.Algorithm:
		return fmt.Errorf("unknown chunker %q", p.Algorithm)
	case p.Min < gearWindow, p.Avg <= p.Min, p.Max <= p.Avg, p.Max > MaxChunk, p.Avg&(p.Avg-1) != 0:
		return fmt.Errorf("chunk sizes %d/%d/%d: want 64 <= min < avg < max <= %d and avg a power of two", p.Min, p.Avg, p.Max, MaxChunk)
	}
	return nil
}

// Chunker finds the ends of chunks. It has no state: any number of goroutines
// may use one. The algorithm is FastCDC (Xia et al., USENIX ATC 2016) with
// normalised chunking of level 2; doc.go has the exact rules.
type Chunker struct {
	gear          *[256]uint64
	min, avg, max int
	strict, loose uint64
}

// NewChunker makes a chunker with valid parameters.
func NewChunker(p Params) *Chunker {
	n := bits.Len(uint(p.Avg)) - 1
	return &Chunker{
		gear: gearTable(), min: p.Min, avg: p.Avg, max: p.Max,
		strict: topBits(n + 2), loose: topBits(n - 2),
	}
}

func topBits(n int) uint64 { return ^uint64(0) << (64 - n) }

var gearTable = sync.OnceValue(func() *[256]uint64 {
	var t [256]uint64
	seed := append([]byte("datafs gear v1"), 0)
	for i := range t {
		seed[len(seed)-1] = byte(i)
		id := index.Hash(seed)
		for j := 7; j >= 0; j-- {
			t[i] = t[i]<<8 | uint64(id[j])
		}
	}
	return &t
})

// Min returns the length in bytes from which on a chunk may end before its file does.
func (c *Chunker) Min() int { return c.min }

// Max returns the greatest length of a chunk in bytes.
func (c *Chunker) Max() int { return c.max }

// Cut returns the length of the chunk at the beginning of b, which must hold
// at least Max bytes or all that is left of the file. Cut of nothing is 0.
func (c *Chunker) Cut(b []byte) int {
	if len(b) <= c.min {
		return len(b)
	}
	if len(b) > c.max {
		b = b[:c.max]
	}
	var h uint64
	for _, x := range b[c.min-gearWindow : c.min] {
		h = h<<1 + c.gear[x]
	}
	strictEnd := min(c.avg, len(b))
	if n, ok := scan(b, c.min, strictEnd, &h, c.gear, c.strict); ok {
		return n
	}
	if n, ok := scan(b, strictEnd, len(b), &h, c.gear, c.loose); ok {
		return n
	}
	return len(b)
}

// lane is how many bytes scan goes through at two places at a time. A cut within
// the first of them makes the work on the other one vain.
const lane = 4 << 10

// scan feeds b[from:to] to the hash until a cut is found after a byte. The hash
// is a chain in which each byte waits for the one before it, but remembers no
// more than gearWindow bytes: a processor that works on two chains at a time is
// done sooner.
func scan(b []byte, from, to int, hash *uint64, gear *[256]uint64, mask uint64) (int, bool) {
	h := *hash
	i := from
	for ; i+2*lane <= to; i += 2 * lane {
		first, second := (*[lane]byte)(b[i:]), (*[lane]byte)(b[i+lane:])
		var g uint64
		for _, x := range first[lane-gearWindow:] {
			g = g<<1 + gear[x]
		}
		k := 0
		for k < lane {
			h = h<<1 + gear[first[k]]
			g = g<<1 + gear[second[k]]
			k++
			if h&mask == 0 {
				return i + k, true
			}
			if g&mask == 0 {
				break
			}
		}
		if g&mask == 0 { // a cut, if there is none before in what is left of the first
			for j, x := range first[k:] {
				h = h<<1 + gear[x]
				if h&mask == 0 {
					return i + k + j + 1, true
				}
			}
			return i + lane + k, true
		}
		h = g
	}
	for ; i < to; i++ {
		h = h<<1 + gear[b[i]]
		if h&mask == 0 {
			return i + 1, true
		}
	}
	*hash = h
	return 0, false
}
