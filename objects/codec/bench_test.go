package codec

import (
	"fmt"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
)

func BenchmarkChunker(b *testing.B) {
	c := NewChunker(DefaultParams)
	samples.EachKind(b, 16<<20, func(b *testing.B, raw []byte) {
		for b.Loop() {
			for rest := raw; len(rest) > 0; {
				rest = rest[c.Cut(rest):]
			}
		}
	})
}

func BenchmarkHash(b *testing.B) {
	for _, n := range []int{1 << 10, 16 << 10, 64 << 10, 256 << 10} {
		b.Run(fmt.Sprint(n>>10, "KiB"), func(b *testing.B) {
			raw := samples.Random(1, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				index.Hash(raw)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	var e Encoder
	var out []byte
	samples.EachKind(b, 64<<10, func(b *testing.B, raw []byte) {
		codec := uint8(Raw)
		for b.Loop() {
			out, codec, _ = e.Encode(out[:0], raw)
		}
		ratio := 1.0
		if codec != Raw {
			ratio = float64(len(raw)) / float64(len(out))
		}
		b.ReportMetric(ratio, "ratio")
	})
}

func BenchmarkDecode(b *testing.B) {
	samples.EachKind(b, 64<<10, func(b *testing.B, raw []byte) {
		stored, codec, filter := (&Encoder{}).Encode(nil, raw)
		if codec == Raw {
			stored = raw
		}
		var d Decoder
		var out []byte
		var err error
		for b.Loop() {
			if out, err = d.Decode(out[:0], stored, codec, filter, len(raw)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkShuffle(b *testing.B) {
	raw, out := samples.Random(1, 64<<10), make([]byte, 64<<10)
	for _, width := range []int{2, 4, 8} {
		b.Run(fmt.Sprint(width), func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				shuffle(out, raw, width)
			}
		})
	}
}
