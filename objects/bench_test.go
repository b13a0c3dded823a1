package objects

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/datafs/datafs/fixtures"
	"github.com/datafs/datafs/index"
)

const benchSize = 16 << 20

// eachKind runs a benchmark for each kind of data: those that the tests of codecs
// make, and those that are measured as a whole (make bench).
func eachKind(b *testing.B, size int, run func(b *testing.B, raw []byte)) {
	all := kinds(size)
	for kind, write := range map[string]func(io.Writer, int64, uint64) error{"grid": fixtures.Grid, "gridfill": fixtures.GridFill, "csv": fixtures.CSV} {
		var data bytes.Buffer
		if err := write(&data, int64(size), 1); err != nil {
			b.Fatal(err)
		}
		all[kind] = data.Bytes()
	}
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		b.Run(kind, func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			run(b, all[kind])
		})
	}
}

func BenchmarkChunker(b *testing.B) {
	c := NewChunker(DefaultParams)
	eachKind(b, benchSize, func(b *testing.B, raw []byte) {
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
			raw := random(1, n)
			b.SetBytes(int64(n))
			for b.Loop() {
				Hash(raw)
			}
		})
	}
}

func BenchmarkEncode(b *testing.B) {
	var e encoder
	var out []byte
	eachKind(b, 64<<10, func(b *testing.B, raw []byte) {
		codec := uint8(codecRaw)
		for b.Loop() {
			out, codec, _ = e.encode(out[:0], raw)
		}
		ratio := 1.0
		if codec != codecRaw {
			ratio = float64(len(raw)) / float64(len(out))
		}
		b.ReportMetric(ratio, "ratio")
	})
}

func BenchmarkDecode(b *testing.B) {
	eachKind(b, 64<<10, func(b *testing.B, raw []byte) {
		stored, codec, filter := (&encoder{}).encode(nil, raw)
		if codec == codecRaw {
			stored = raw
		}
		var d decoder
		var out []byte
		var err error
		for b.Loop() {
			if out, err = d.decode(out[:0], stored, codec, filter, len(raw)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkShuffle(b *testing.B) {
	raw, out := random(1, 64<<10), make([]byte, 64<<10)
	for _, width := range []int{2, 4, 8} {
		b.Run(fmt.Sprint(width), func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			for b.Loop() {
				shuffle(out, raw, width)
			}
		})
	}
}

func BenchmarkPackWrite(b *testing.B) {
	s := newStore(b)
	buf := bufio.NewWriterSize(nil, 256<<10)
	raw := random(1, 64<<10)
	id := Hash(raw)
	b.SetBytes(benchSize)
	for b.Loop() {
		p, err := newPackWriter(s.dir, buf)
		if err != nil {
			b.Fatal(err)
		}
		for i := range benchSize / len(raw) {
			e := index.Entry{ID: id, Raw: uint32(len(raw))}
			e.ID[0], e.ID[1] = byte(i), byte(i>>8)
			if err := p.add(e, raw); err != nil {
				b.Fatal(err)
			}
		}
		if err := errors.Join(p.w.Flush(), p.f.Sync()); err != nil {
			b.Fatal(err)
		}
		p.discard()
	}
}

// BenchmarkUpdate takes a stream into an empty store, syncs included.
func BenchmarkUpdate(b *testing.B) {
	const size = 4 * benchSize
	eachKind(b, size, func(b *testing.B, raw []byte) {
		for b.Loop() {
			b.StopTimer()
			dir := b.TempDir()
			s := openStore(b, dir, Params{})
			b.StartTimer()
			takeBytes(b, s, raw)
			b.StopTimer()
			s.Close()
			os.RemoveAll(dir)
			b.StartTimer()
		}
	})
}

// BenchmarkUpdateKnown takes in a stream that is in the store already.
func BenchmarkUpdateKnown(b *testing.B) {
	s, raw := newStore(b), random(1, 4*benchSize)
	takeBytes(b, s, raw)
	b.SetBytes(int64(len(raw)))
	for b.Loop() {
		takeBytes(b, s, raw)
	}
}

// BenchmarkUpdateUnchanged looks at 1,000 files that have not changed.
func BenchmarkUpdateUnchanged(b *testing.B) {
	s, dir := newStore(b), b.TempDir()
	for i := range 1000 {
		writeFile(b, dir, fmt.Sprintf("%02d/%d", i/100, i), 0o644, random(uint64(i), 1000))
	}
	path := func(before *Tree) Result {
		r, _ := takeNew(b, s, &WriterOptions{Now: later}, func(w *Writer) (*Result, error) { return w.Path(dir, before) })
		return r
	}
	before := openTree(b, s, path(nil).Tree)
	for b.Loop() {
		path(before)
	}
}

func BenchmarkStream(b *testing.B) {
	const size = 4 * benchSize
	eachKind(b, size, func(b *testing.B, raw []byte) {
		s := newStore(b)
		f := openFile(b, s, takeBytes(b, s, raw).Tree)
		for b.Loop() {
			f.Seek(0, io.SeekStart)
			if _, err := f.WriteTo(io.Discard); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReadAt(b *testing.B) {
	eachKind(b, 4*benchSize, func(b *testing.B, raw []byte) {
		s := newStore(b)
		f := openFile(b, s, takeBytes(b, s, raw).Tree)
		for _, n := range []int{4 << 10, 64 << 10, 1 << 20} {
			b.Run(fmt.Sprint(n>>10, "KiB"), func(b *testing.B) {
				rnd, p := rand.New(rand.NewPCG(1, 2)), make([]byte, n)
				b.SetBytes(int64(n))
				for b.Loop() {
					if _, err := f.ReadAt(p, rnd.Int64N(int64(len(raw)-n))); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}

func BenchmarkExtract(b *testing.B) {
	s, src := newStore(b), b.TempDir()
	for i := range 1000 {
		writeFile(b, src, fmt.Sprintf("%02d/%d", i/100, i), 0o644, bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 5000))
	}
	tree := openTree(b, s, takePath(b, s, src).Tree)
	for i := 0; b.Loop(); i++ {
		dir := filepath.Join(b.TempDir(), fmt.Sprint(i))
		mkdir(b, dir, ".")
		if err := tree.Extract(b.Context(), dir, &ExtractOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
