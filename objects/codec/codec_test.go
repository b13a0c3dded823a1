package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"runtime"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/datafs/datafs/fixtures/samples"
)

func TestEveryKindOfDataComesBack(t *testing.T) {
	t.Parallel()
	var d Decoder
	var e Encoder
	for _, n := range []int{0, 1, 31, 32, 33, 255, 256, 257, 4095, 4097, 65537, 256 << 10, 3 << 20} {
		for kind, raw := range samples.Kinds(n) {
			out, codec, filter := e.Encode([]byte("before"), raw)
			stored := out[len("before"):]
			if codec == Raw {
				if len(stored) != 0 {
					t.Errorf("%d bytes of %s are raw and were appended", n, kind)
				}
				stored = raw
			}
			if len(stored) > len(raw) {
				t.Errorf("%d bytes of %s grew to %d", n, kind, len(stored))
			}
			if got, err := d.Decode(nil, stored, codec, filter, n); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d bytes of %s came back as %d, %v", n, kind, len(got), err)
			}
		}
	}
}

// TestS2IsRead reads a codec that no encoder makes.
func TestS2IsRead(t *testing.T) {
	t.Parallel()
	var d Decoder
	for _, n := range []int{1, 31, 4097, 3 << 20} {
		for kind, raw := range samples.Kinds(n) {
			if got, err := d.Decode(nil, s2.Encode(nil, raw), S2, 0, n); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d bytes of %s came back as %d, %v", n, kind, len(got), err)
			}
		}
	}
}

func TestChunksOfTheGreatestLengthComeBack(t *testing.T) {
	raw := samples.Kinds(MaxChunk)["float32"]
	var d Decoder
	stored, codec, filter := (&Encoder{}).Encode(nil, raw)
	if got, err := d.Decode(nil, stored, codec, filter, len(raw)); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := d.Decode(nil, s2.Encode(nil, raw), S2, 0, len(raw)); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("s2: %d bytes, %v", len(got), err)
	}
}

// TestCompressionFitsTheData asserts shares that are far from what any version
// of a codec could come near.
func TestCompressionFitsTheData(t *testing.T) {
	const n = 64 << 10
	cases := []struct {
		kind   string
		words  []uint8
		atMost float64 // of the raw length
	}{
		{"random", []uint8{0}, 1}, {"zeros", []uint8{0, 2, 4, 8}, 0.05}, {"text", []uint8{0}, 0.6}, {"a random block again and again", []uint8{0, 2, 4, 8}, 0.1},
		{"float32", []uint8{4, 8}, 0.8}, {"float64", []uint8{8}, 0.8}, {"int16", []uint8{2, 4, 8}, 0.75},
	}
	for _, c := range cases {
		raw := samples.Kinds(n)[c.kind]
		stored, codec, filter := (&Encoder{}).Encode(nil, raw)
		if (codec == Raw) != (c.kind == "random") || !bytes.Contains(c.words, []byte{filter & filterWidth}) || float64(len(stored)) > c.atMost*n {
			t.Errorf("%s: codec %d, filter %d, %d bytes of %d", c.kind, codec, filter, len(stored), n)
		}
	}
}

// TestABombFailsWithoutMemory decodes stored chunks that expand to far more
// than their table entry says.
func TestABombFailsWithoutMemory(t *testing.T) {
	const announced, real = 1000, 12 << 20
	plain := make([]byte, real)
	enc := func(opts ...zstd.EOption) []byte {
		e, err := zstd.NewWriter(nil, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return e.EncodeAll(plain, nil)
	}
	small := (&Encoder{}).squeeze(nil, plain[:announced], 0)
	var unsized bytes.Buffer
	e, err := zstd.NewWriter(&unsized)
	if err != nil {
		t.Fatal(err)
	}
	e.Write(plain)
	e.Close()
	rle := []byte{0x28, 0xb5, 0x2f, 0xfd, 0x60} // one segment, a length of two bytes
	rle = binary.LittleEndian.AppendUint16(rle, announced-256)
	for i := range uint32(64) {
		block := binary.LittleEndian.AppendUint32(nil, 128<<10<<3|1<<1|i/63) // 128 KiB of one byte; the last is marked
		rle = append(rle, block[0], block[1], block[2], 0)
	}
	cases := map[string]struct {
		codec  uint8
		stored []byte
	}{
		"zstd that announces 12 MiB":                {Zstd, enc()},
		"zstd that announces nothing":               {Zstd, unsized.Bytes()},
		"zstd blocks that make more than announced": {Zstd, rle},
		"zstd, a second frame of 12 MiB":            {Zstd, append(bytes.Clone(small), enc()...)},
		"zstd, a second frame of unknown length":    {Zstd, append(bytes.Clone(small), unsized.Bytes()...)},
		"s2 of 12 MiB":                              {S2, s2.Encode(nil, plain)},
		"s2 that announces 4 GiB":                   {S2, append(binary.AppendUvarint(nil, math.MaxUint32), s2.Encode(nil, plain)[4:]...)},
		"raw of 12 MiB":                             {Raw, plain},
	}
	for _, filter := range []uint8{0, 4} {
		for name, c := range cases {
			t.Run(fmt.Sprint(name, ", filter ", filter), func(t *testing.T) {
				d := &Decoder{}
				d.Decode(nil, small, Zstd, filter, announced) // makes what a decoder keeps
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				out, err := d.Decode(make([]byte, 0, announced), c.stored, c.codec, filter, announced)
				runtime.ReadMemStats(&after)
				if err == nil || len(out) != 0 {
					t.Errorf("%d bytes, %v", len(out), err)
				}
				if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
					t.Errorf("%d bytes were allocated to find that out", got)
				}
			})
		}
	}
}
