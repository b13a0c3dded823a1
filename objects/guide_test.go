package objects

import (
	"bytes"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/objects/codec"
)

// guided are changes of a file of some 7,000 small chunks, and how many of 100
// chunks of the new version need not be searched for at least.
func guided() map[string]struct {
	before, after []byte
	percent       int
} {
	old := samples.Random(1, 2<<20)
	copy(old[1<<20:], make([]byte, 100_000)) // a run
	half := len(old) / 2
	put := func(at int, b []byte) []byte {
		out := bytes.Clone(old)
		copy(out[at:], b)
		return out
	}
	scattered := bytes.Clone(old)
	for i := 0; i < len(scattered); i += 2000 {
		scattered[i] ^= 1
	}
	return map[string]struct {
		before, after []byte
		percent       int
	}{
		"nothing":              {old, old, 99},
		"inserted":             {old, slices.Concat(old[:half], samples.Random(2, 70_000), old[half:]), 95},
		"inserted, very much":  {old, slices.Concat(old[:half], samples.Random(2, 1<<20), old[half:]), 40},
		"removed":              {old, slices.Concat(old[:half], old[half+10_000:]), 98},
		"removed, very much":   {old, slices.Concat(old[:half], old[half+500_000:]), 60},
		"before it":            {old, slices.Concat(samples.Random(2, 1000), old), 98},
		"behind it":            {old, slices.Concat(old, samples.Random(2, 1000)), 98},
		"cut off":              {old, old[:half+1234], 98},
		"overwritten":          {old, put(half, samples.Random(2, 2000)), 98},
		"overwritten, much":    {old, put(half, samples.Random(2, 500_000)), 70},
		"scattered":            {old, scattered, 70},
		"all else":             {old, samples.Random(2, 2<<20), 0},
		"halves swapped":       {old, slices.Concat(old[half:], old[:half]), 0},
		"nothing before":       {nil, old, 0},
		"one chunk before":     {old[:100], old, 0},
		"the end in the midst": {old[:half+1234], old, 48},
		"nothing left":         {old, nil, 0},
		"one value":            {make([]byte, 1<<20), make([]byte, 1<<20+100_000), 90},
	}
}

// TestGuidedCutsAreThoseOfTheChunker cuts a file with an earlier version as
// guide, and without.
func TestGuidedCutsAreThoseOfTheChunker(t *testing.T) {
	t.Parallel()
	for name, c := range guided() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openStore(t, t.TempDir(), smallChunks)
			earlier, _ := openTree(t, s, takeBytes(t, s, c.before).Tree).Single()
			g := s.newGuide(t.Context(), &earlier)
			defer g.end()
			checkCuts(t, g, c.after, c.percent)

			name := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(name, c.after, 0o600); err != nil {
				t.Fatal(err)
			}
			before := openTree(t, s, takeBytes(t, s, c.before).Tree)
			got := take(t, s, func(w *Writer) (*Result, error) { return w.Path(name, before) })
			fresh := openStore(t, t.TempDir(), smallChunks)
			if want := takeBytes(t, fresh, c.after); got.Tree != want.Tree || got.Hash != want.Hash {
				t.Errorf("got %+v, without the version before %+v", got, want)
			}
			checkFile(t, s, got.Tree, c.after)
		})
	}
}

// checkCuts cuts b and wants as many of 100 chunks to need no search.
func checkCuts(t *testing.T, g *guide, b []byte, percent int) {
	t.Helper()
	c := codec.NewChunker(smallChunks)
	chunks, saved := 0, 0
	for len(b) > 0 {
		n, id := g.cut(c, b)
		if want := c.Cut(b); n != want {
			t.Fatalf("chunk %d has %d bytes, want %d", chunks, n, want)
		}
		if !id.IsZero() {
			saved++
			if id != Hash(b[:n]) {
				t.Fatalf("chunk %d has the wrong id", chunks)
			}
		}
		chunks, b = chunks+1, b[n:]
	}
	if 100*saved < percent*chunks {
		t.Errorf("%d of %d chunks were not searched for, want %d %%", saved, chunks, percent)
	}
	if g != nil && len(g.chunks) > guideHeld+guideAhead {
		t.Errorf("%d chunks are held", len(g.chunks))
	}
}

// TestAGuideMayBeWrong has lengths that no chunker makes.
func TestAGuideMayBeWrong(t *testing.T) {
	t.Parallel()
	b := samples.Random(1, 100_000)
	for _, n := range []int64{0, -5, 1, 64, 1 << 40} {
		chunk := refAt{ref: ref{id: Hash(nil), len: n}}
		if n > 0 && n < 1000 {
			chunk.id = Hash(b[:n])
		}
		var list iter.Seq2[refAt, error] = func(yield func(refAt, error) bool) {
			for range 10_000 {
				if !yield(chunk, nil) {
					return
				}
				chunk.off += n
			}
		}
		g := &guide{}
		g.next, g.stop = iter.Pull2(list)
		g.expect(0)
		checkCuts(t, g, b, 0)
		g.end()
	}
}
