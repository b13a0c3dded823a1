package codec

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/huff0"

	"github.com/datafs/datafs/fixtures"
	"github.com/datafs/datafs/fixtures/samples"
)

// TestFramesOfPlanesAreZstd has lengths on both sides of each limit of the
// format: of the content size, of a literals header, and of a block.
func TestFramesOfPlanesAreZstd(t *testing.T) {
	dec := newZstdDecoder()
	huff := new(huffman)
	for _, n := range []int{0, 1, 255, 256, 1023, 1024, 16383, 16384, 65791, 65792, 128 << 10, 128<<10 + 1, 300 << 10} {
		few := samples.Random(7, n)
		for i := range few {
			few[i] &= 0x13
		}
		skewed, near := samples.Random(9, n), samples.Random(10, n)
		for i := range skewed {
			skewed[i] = byte(17 * bits.TrailingZeros8(skewed[i])) // codes would be longer than they may be
			near[i] = byte(int8(near[i]) >> 5)                    // both ends of all values
		}
		second := make([]byte, n)
		if n > 0 {
			second[0] = 1
		}
		for name, raw := range map[string][]byte{"one value but the first": second, "noise": samples.Random(8, n), "few values": few, "skewed": skewed, "near zero": near, "one value": make([]byte, n)} {
			for _, h := range []*huffman{nil, huff} {
				frame := appendFrame(nil, raw, h)
				got, err := dec.DecodeAll(frame, make([]byte, 0, n+1))
				if err != nil || !bytes.Equal(got, raw) {
					t.Errorf("%d bytes of %s came back as %d, %v", n, name, len(got), err)
				}
				if name[:3] == "one" && n > 2 && len(frame) > 50 {
					t.Errorf("%d bytes of %s became %d", n, name, len(frame))
				}
				if name == "few values" && h != nil && n > 1000 && len(frame) > n/2 {
					t.Errorf("%d bytes of %s became %d", n, name, len(frame))
				}
			}
		}
	}
}

// TestPlanesOfAGrid holds what a smooth field takes to what its noise leaves:
// a step of 1/512 K in 1 K has 9 bits, and the rest of a word is nearly known.
func TestPlanesOfAGrid(t *testing.T) {
	var grid bytes.Buffer
	if err := fixtures.Grid(&grid, 64<<10, 1); err != nil {
		t.Fatal(err)
	}
	enc := &Encoder{}
	stored, codec, filter := enc.Encode(nil, grid.Bytes())
	if codec != Zstd || filter != 4|filterDelta || len(stored) > 24000 {
		t.Errorf("codec %d, filter %d, %d bytes", codec, filter, len(stored))
	}
	shuffled := make([]byte, grid.Len())
	shuffle(shuffled, grid.Bytes(), 4)
	if one := enc.zstdEncoder().EncodeAll(shuffled, nil); len(one) < len(stored)*11/10 {
		t.Errorf("%d bytes, and %d as one frame", len(stored), len(one))
	}
}

func TestDifferencesOfCountersAreOneValue(t *testing.T) {
	var raw []byte
	for i := range uint16(8 << 10) {
		raw = binary.LittleEndian.AppendUint16(raw, 3*i)
	}
	stored, _, filter := (&Encoder{}).Encode(nil, raw)
	if filter&filterDelta == 0 || len(stored) > 1000 {
		t.Errorf("filter %d, %d bytes", filter, len(stored))
	}
}

// TestHuffmanCodesAreAsShortAsTheyCanBe compares with huff0 as a whole.
func TestHuffmanCodesAreAsShortAsTheyCanBe(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var own huffman
	var all huff0.Scratch
	for range 300 {
		raw := samples.Random(rnd.Uint64(), 256+rnd.IntN(128<<10-256))
		shape := 1 + 9*rnd.Float64()
		for i, x := range raw { // the more the shape, the fewer are most of the values
			raw[i] = byte(255 * math.Pow(float64(x)/255, shape))
		}
		got := own.compress(raw)
		all.Reuse = huff0.ReusePolicyNone
		want, _, err := huff0.Compress4X(raw, &all)
		if err != nil || len(want) > len(raw)-minSave {
			if got != nil {
				t.Errorf("%d bytes, shape %.1f: %d bytes of codes, huff0 says %v", len(raw), shape, len(got), err)
			}
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes, shape %.1f: not the codes of huff0", len(raw), shape)
		}
	}
}
