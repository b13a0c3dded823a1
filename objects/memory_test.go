package objects

import (
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"testing"
)

// counted gives bytes that compress and do not repeat: a number in every 64.
type counted struct {
	n, size int64
	line    [64]byte
	rest    []byte
}

func newCounted(size int64) *counted {
	c := &counted{size: size}
	copy(c.line[:], fmt.Sprintf("%64s", "the temperature of station is 12.5 degrees\n"))
	return c
}

func (c *counted) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(c.rest) == 0 {
			if c.n >= c.size {
				return n, io.EOF
			}
			binary.LittleEndian.PutUint64(c.line[:], uint64(c.n)*0x9E3779B97F4A7C15>>40)
			c.rest = c.line[:min(64, c.size-c.n)]
			c.n += int64(len(c.rest))
		}
		m := copy(p[n:], c.rest)
		c.rest = c.rest[m:]
		n += m
	}
	return n, nil
}

// TestMemoryDoesNotGrowWithTheFile writes and reads 256 MiB.
func TestMemoryDoesNotGrowWithTheFile(t *testing.T) {
	size := int64(256 << 20)
	if raceEnabled {
		size = 48 << 20
	}
	const limit = 64 << 20
	s := newStore(t)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var seen, at int64
	var heap, sys uint64
	look := func(n int64) {
		if seen += n; seen < at {
			return
		}
		at = seen + 4<<20
		runtime.ReadMemStats(&now)
		heap, sys = max(heap, now.HeapAlloc), max(sys, now.Sys)
	}
	r, _ := takeNew(t, s, &WriterOptions{Progress: look}, func(w *Writer) (*Result, error) { return w.File(newCounted(size)) })
	report := func(what string) {
		t.Logf("%s: heap grew by %d KiB, all by %d KiB", what, (int64(heap)-int64(before.HeapAlloc))>>10, (int64(sys)-int64(before.Sys))>>10)
		if heap > before.HeapAlloc+limit || sys > before.Sys+limit {
			t.Errorf("%s: the heap grew from %d to %d bytes, all from %d to %d", what, before.HeapAlloc, heap, before.Sys, sys)
		}
	}
	report("writing")
	heap, sys, seen, at = 0, 0, 0, 0
	want := newCounted(size)
	p := make([]byte, 64<<10)
	n, err := openFile(t, s, r.Tree).WriteTo(writerFunc(func(b []byte) (int, error) {
		look(int64(len(b)))
		for rest := b; len(rest) > 0; {
			m, err := io.ReadFull(want, p[:min(len(p), len(rest))])
			if err != nil || string(p[:m]) != string(rest[:m]) {
				return 0, fmt.Errorf("wrong bytes before %d: %w", seen, io.ErrUnexpectedEOF)
			}
			rest = rest[m:]
		}
		return len(b), nil
	}))
	if err != nil || n != size {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	report("reading")
}
