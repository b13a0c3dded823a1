package objects

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"github.com/datafs/datafs/index"
)

// kinds makes n bytes of each kind of data that the encoder tells apart.
func kinds(n int) map[string][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	text, f32, f64, i16 := make([]byte, 0, n+64), make([]byte, 0, n+8), make([]byte, 0, n+8), make([]byte, 0, n+8)
	for len(text) < n {
		text = fmt.Appendf(text, "2026-%02d-%02d,station-%d,%.1f\n", 1+rnd.IntN(12), 1+rnd.IntN(28), rnd.IntN(40), 20*rnd.Float64())
	}
	for i := 0; len(f32) < n; i++ {
		f32 = binary.LittleEndian.AppendUint32(f32, math.Float32bits(280+20*float32(math.Sin(float64(i)/300))+rnd.Float32()/50))
	}
	for i := 0; len(f64) < n; i++ {
		f64 = binary.LittleEndian.AppendUint64(f64, math.Float64bits(1000+math.Cos(float64(i)/70)+rnd.Float64()/1e4))
	}
	for i := 0; len(i16) < n; i++ {
		i16 = binary.LittleEndian.AppendUint16(i16, uint16(3000+i%200+rnd.IntN(40)))
	}
	block := random(3, 512)
	return map[string][]byte{
		"random": random(2, n), "zeros": make([]byte, n), "text": text[:n], "float32": f32[:n], "float64": f64[:n], "int16": i16[:n],
		"a random block again and again": bytes.Repeat(block, n/len(block)+1)[:n],
	}
}

func TestEveryKindOfDataComesBack(t *testing.T) {
	t.Parallel()
	var d decoder
	var e encoder
	for _, n := range []int{0, 1, 31, 32, 33, 255, 256, 257, 4095, 4097, 65537, 256 << 10, 3 << 20} {
		for kind, raw := range kinds(n) {
			out, codec, filter := e.encode([]byte("before"), raw)
			stored := out[len("before"):]
			if codec == codecRaw {
				if len(stored) != 0 {
					t.Errorf("%d bytes of %s are raw and were appended", n, kind)
				}
				stored = raw
			}
			if len(stored) > len(raw) {
				t.Errorf("%d bytes of %s grew to %d", n, kind, len(stored))
			}
			if got, err := d.decode(nil, stored, codec, filter, n); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d bytes of %s came back as %d, %v", n, kind, len(got), err)
			}
		}
	}
}

// TestS2IsRead reads a codec that no encoder makes.
func TestS2IsRead(t *testing.T) {
	t.Parallel()
	var d decoder
	for _, n := range []int{1, 31, 4097, 3 << 20} {
		for kind, raw := range kinds(n) {
			if got, err := d.decode(nil, s2.Encode(nil, raw), codecS2, 0, n); err != nil || !bytes.Equal(got, raw) {
				t.Errorf("%d bytes of %s came back as %d, %v", n, kind, len(got), err)
			}
		}
	}
}

func TestChunksOfTheGreatestLengthComeBack(t *testing.T) {
	raw := kinds(maxChunkSize)["float32"]
	var d decoder
	stored, codec, filter := (&encoder{}).encode(nil, raw)
	if got, err := d.decode(nil, stored, codec, filter, len(raw)); err != nil || !bytes.Equal(got, raw) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if got, err := d.decode(nil, s2.Encode(nil, raw), codecS2, 0, len(raw)); err != nil || !bytes.Equal(got, raw) {
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
		raw := kinds(n)[c.kind]
		stored, codec, filter := (&encoder{}).encode(nil, raw)
		if (codec == codecRaw) != (c.kind == "random") || !bytes.Contains(c.words, []byte{filter & filterWidth}) || float64(len(stored)) > c.atMost*n {
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
	small := (&encoder{}).squeeze(nil, plain[:announced], 0)
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
		"zstd that announces 12 MiB":                {codecZstd, enc()},
		"zstd that announces nothing":               {codecZstd, unsized.Bytes()},
		"zstd blocks that make more than announced": {codecZstd, rle},
		"zstd, a second frame of 12 MiB":            {codecZstd, append(bytes.Clone(small), enc()...)},
		"zstd, a second frame of unknown length":    {codecZstd, append(bytes.Clone(small), unsized.Bytes()...)},
		"s2 of 12 MiB":                              {codecS2, s2.Encode(nil, plain)},
		"s2 that announces 4 GiB":                   {codecS2, append(binary.AppendUvarint(nil, math.MaxUint32), s2.Encode(nil, plain)[4:]...)},
		"raw of 12 MiB":                             {codecRaw, plain},
	}
	for _, filter := range []uint8{0, 4} {
		for name, c := range cases {
			t.Run(fmt.Sprint(name, ", filter ", filter), func(t *testing.T) {
				d := &decoder{}
				d.decode(nil, small, codecZstd, filter, announced) // makes what a decoder keeps
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				out, err := d.decode(make([]byte, 0, announced), c.stored, c.codec, filter, announced)
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

// TestAHugeLocationFailsWithoutMemory has the index say that small chunks are
// huge.
func TestAHugeLocationFailsWithoutMemory(t *testing.T) {
	d := newDamaged(t)
	for name, change := range map[string]func(*index.Entry){
		"stored": func(e *index.Entry) { e.Stored = math.MaxUint32 },
		"raw":    func(e *index.Entry) { e.Raw = math.MaxUint32 },
	} {
		d.relocate(t, change)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for _, f := range d.files {
			readFile(t.Context(), d.s, f.tree) // what it gives is another test's business
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}
