package objects

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/objects/codec"
)

const benchSize = 16 << 20

// BenchmarkUpdate takes a stream into an empty store, syncs included.
func BenchmarkUpdate(b *testing.B) {
	const size = 4 * benchSize
	samples.EachKind(b, size, func(b *testing.B, raw []byte) {
		for b.Loop() {
			b.StopTimer()
			dir := b.TempDir()
			s := openStore(b, dir, codec.Params{})
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
	s, raw := newStore(b), samples.Random(1, 4*benchSize)
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
		writeFile(b, dir, fmt.Sprintf("%02d/%d", i/100, i), 0o644, samples.Random(uint64(i), 1000))
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
	samples.EachKind(b, size, func(b *testing.B, raw []byte) {
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
	samples.EachKind(b, 4*benchSize, func(b *testing.B, raw []byte) {
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
