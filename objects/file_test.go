package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/objects/codec"
)

// contents are files that read in different ways: a few large chunks, chunks in
// place, and many small chunks at two levels of nodes.
func contents(t testing.TB) map[string]struct {
	s    *Store
	want []byte
} {
	type file = struct {
		s    *Store
		want []byte
	}
	s, small := newStore(t), newStoreWith(t, smallChunks)
	return map[string]file{
		"large chunks":  {s, samples.Random(1, 3<<20)},
		"one chunk":     {s, samples.Random(2, 10_000)},
		"a few chunks":  {s, samples.Kinds(300_000)["text"]},
		"small chunks":  {small, append(samples.Random(3, 400_000), samples.Kinds(100_000)["float32"]...)},
		"nothing":       {s, nil},
		"zeros":         {s, make([]byte, 1<<20)},
		"a single byte": {small, []byte{1}},
	}
}

func TestReadAtGivesTheBytesAtAnyOffset(t *testing.T) {
	t.Parallel()
	for name, c := range contents(t) {
		t.Run(name, func(t *testing.T) {
			id := takeBytes(t, c.s, c.want).Tree
			checkFile(t, c.s, id, c.want)
			f := openFile(t, c.s, id)
			rnd := rand.New(rand.NewPCG(1, 2))
			for range 400 {
				readAtRandom(t, rnd, f, c.want)
			}
		})
	}
}

func readAtRandom(t *testing.T, rnd *rand.Rand, f *File, want []byte) {
	t.Helper()
	off := rnd.IntN(len(want) + 2)
	n := rnd.IntN(1 + min(len(want)+2, 1<<rnd.IntN(22)))
	p := make([]byte, n+1)
	p[n] = 0xAA
	got, err := f.ReadAt(p[:n], int64(off))
	left := want[min(off, len(want)):]
	if m := min(n, len(left)); got != m || !bytes.Equal(p[:m], left[:m]) || (err == io.EOF) != (m < n) || (err != nil && err != io.EOF) {
		t.Errorf("ReadAt of %d bytes at %d of %d gave %d, %v", n, off, len(want), got, err)
	}
	if p[n] != 0xAA {
		t.Errorf("ReadAt of %d bytes at %d wrote behind its buffer", n, off)
	}
}

func TestReadAtByManyAtOnce(t *testing.T) {
	s := newStoreWith(t, smallChunks)
	want := samples.Random(9, 1<<20)
	f := openFile(t, s, takeBytes(t, s, want).Tree)
	var wg sync.WaitGroup
	for i := range uint64(8) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(i, 7))
			for range 50 {
				readAtRandom(t, rnd, f, want)
			}
		})
	}
	wg.Wait()
}

func TestAFileReadsAsTheInterfacesDemand(t *testing.T) {
	s := newStoreWith(t, smallChunks)
	for _, want := range [][]byte{samples.Random(1, 5000), samples.Random(2, 100), nil} {
		id := takeBytes(t, s, want).Tree
		if err := iotest.TestReader(openFile(t, s, id), want); err != nil {
			t.Errorf("%d bytes: %v", len(want), err)
		}
	}
}

func TestReadingPastTheEndAndSeeking(t *testing.T) {
	s := newStore(t)
	want := samples.Random(1, 100_000)
	f := openFile(t, s, takeBytes(t, s, want).Tree)
	for _, off := range []int64{100_000, 100_001, 1 << 40, math.MaxInt64} {
		if n, err := f.ReadAt(make([]byte, 10), off); n != 0 || err != io.EOF {
			t.Errorf("ReadAt %d: %d, %v", off, n, err)
		}
		if at, err := f.Seek(off, io.SeekStart); at != off || err != nil {
			t.Errorf("Seek %d: %d, %v", off, at, err)
		}
		if n, err := f.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			t.Errorf("Read at %d: %d, %v", off, n, err)
		}
		if n, err := f.WriteTo(io.Discard); n != 0 || err != nil {
			t.Errorf("WriteTo at %d: %d, %v", off, n, err)
		}
	}
	for _, c := range []struct {
		off    int64
		whence int
	}{{-1, io.SeekStart}, {-100_001, io.SeekEnd}, {0, 3}, {0, -1}, {math.MinInt64, io.SeekCurrent}} {
		if at, err := f.Seek(c.off, c.whence); err == nil {
			t.Errorf("Seek(%d, %d) gave %d", c.off, c.whence, at)
		}
	}
	if _, err := f.ReadAt(make([]byte, 1), -1); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("ReadAt -1: %v", err)
	}
	if n, err := f.ReadAt(nil, 50); n != 0 || err != nil {
		t.Errorf("ReadAt of nothing: %d, %v", n, err)
	}
	for _, off := range []int64{0, 1, 65_536, 99_999} {
		var out bytes.Buffer
		f.Seek(off-100_000, io.SeekEnd)
		if n, err := f.WriteTo(&out); err != nil || n != 100_000-off || !bytes.Equal(out.Bytes(), want[off:]) {
			t.Errorf("WriteTo from %d: %d, %v", off, n, err)
		}
		if at, _ := f.Seek(0, io.SeekCurrent); at != 100_000 {
			t.Errorf("after WriteTo the offset is %d", at)
		}
	}
}

func TestAClosedFileIsNotRead(t *testing.T) {
	s := newStore(t)
	f := openFile(t, s, takeBytes(t, s, samples.Random(1, 1000)).Tree)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("Read: %v", err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("ReadAt: %v", err)
	}
	if _, err := f.WriteTo(io.Discard); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("WriteTo: %v", err)
	}
}

func TestAReadThatIsCancelledEnds(t *testing.T) {
	s := newStore(t)
	id := takeBytes(t, s, samples.Random(1, 5<<20)).Tree
	ctx, cancel := context.WithCancel(t.Context())
	f, err := openTree(t, s, id).Open(ctx, "")
	if err != nil {
		t.Fatal(err)
	}
	n, err := f.WriteTo(writerFunc(func(p []byte) (int, error) {
		cancel()
		return len(p), nil
	}))
	if !errors.Is(err, context.Canceled) || n == 5<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := f.ReadAt(make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("ReadAt: %v", err)
	}
	full := errors.New("full")
	f = openFile(t, s, id)
	n, err = f.WriteTo(writerFunc(func(p []byte) (int, error) { return 7, full }))
	if n != 7 || err != full {
		t.Errorf("a writer that fails: %d, %v", n, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// TestTheTreeDoesNotDependOnTheReads gives the same bytes in reads of all sizes.
func TestTheTreeDoesNotDependOnTheReads(t *testing.T) {
	t.Parallel()
	for name, c := range contents(t) {
		want := c.want[:min(len(c.want), 1<<20)]
		id := takeBytes(t, c.s, want).Tree
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"one byte":           iotest.OneByteReader,
			"half":               iotest.HalfReader,
			"the end with bytes": iotest.DataErrReader,
			"odd lengths":        func(r io.Reader) io.Reader { return &oddReader{r: r} },
			"nothing now and then": func(r io.Reader) io.Reader {
				return &oddReader{r: r, idle: true}
			},
		} {
			if got := takeReader(t, c.s, wrap(bytes.NewReader(want))).Tree; got != id {
				t.Errorf("%s, %s: tree %s, want %s", name, how, got, id)
			}
		}
	}
}

// oddReader reads 1, 3, 5, ... bytes.
type oddReader struct {
	r    io.Reader
	n    int
	idle bool
}

func (o *oddReader) Read(p []byte) (int, error) {
	o.n++
	if o.idle && o.n%3 != 0 {
		return 0, nil
	}
	return o.r.Read(p[:min(len(p), 2*o.n-1)])
}

func TestAReaderThatGivesNothingIsGivenUp(t *testing.T) {
	s := newStore(t)
	w := newWriter(t, s, &WriterOptions{})
	if _, err := w.File(readerFunc(func([]byte) (int, error) { return 0, nil })); err != io.ErrNoProgress {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestALocalChangeInAFileIsSmall edits a file of 4 MiB in some places.
func TestALocalChangeInAFileIsSmall(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	base := samples.Random(1, 4<<20)
	takeBytes(t, s, base)
	for _, at := range []int{0, 1, 1 << 20, 4<<20 - 1} {
		for how, changed := range map[string][]byte{
			"overwritten": append(append(bytes.Clone(base[:at]), base[at]^1), base[at+1:]...),
			"inserted":    append(append(bytes.Clone(base[:at]), fmt.Appendf(nil, "new at %d", at)...), base[at:]...),
			"removed":     append(bytes.Clone(base[:at]), base[min(at+3, len(base)):]...),
		} {
			_, fresh := takeNew(t, s, &WriterOptions{}, func(w *Writer) (*Result, error) { return w.File(bytes.NewReader(changed)) })
			if limit := int64(4 * 256 << 10); fresh == 0 || fresh > limit {
				t.Errorf("%s at %d: %d new bytes", how, at, fresh)
			}
		}
	}
}

func TestChunkLengthsAreWithinTheirBounds(t *testing.T) {
	for _, p := range []codec.Params{codec.DefaultParams, smallChunks, {Algorithm: "gear-v1", Min: 64, Avg: 128, Max: 129}} {
		c, b := codec.NewChunker(p), samples.Random(1, 200*p.Avg)
		cuts := samples.CutAll(c, b)
		for i, n := range cuts {
			if n > p.Max || (n <= p.Min && i < len(cuts)-1) {
				t.Errorf("%+v: chunk %d has %d bytes", p, i, n)
			}
		}
		// Normalised chunking keeps the mean near the average.
		if mean := len(b) / len(cuts); p.Max > 2*p.Avg && (mean < p.Avg*3/4 || mean > p.Avg*3/2) {
			t.Errorf("%+v: a mean of %d bytes", p, mean)
		}
	}
}

// TestACutDependsOnFewBytes cuts a stream from a chunk's beginning with other
// bytes before it.
func TestACutDependsOnFewBytes(t *testing.T) {
	c, b := codec.NewChunker(smallChunks), samples.Random(1, 100_000)
	cuts := samples.CutAll(c, b)
	at := 0
	for i, n := range cuts {
		if got := samples.CutAll(c, b[at:]); i%10 == 0 && fmt.Sprint(got) != fmt.Sprint(cuts[i:]) {
			t.Fatalf("from chunk %d on the cuts differ", i)
		}
		at += n
	}
}
