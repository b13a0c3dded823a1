package codec

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
)

// sparse writes b by pieces of at most n bytes, and reads the file.
func sparse(t *testing.T, b []byte, n int) []byte {
	t.Helper()
	name := filepath.Join(t.TempDir(), "sparse")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = WriteSparse(f, func(w io.Writer) error {
		for rest := b; len(rest) > 0; {
			m, err := w.Write(rest[:min(n, len(rest))])
			if err != nil || m == 0 {
				t.Fatalf("wrote %d bytes: %v", m, err)
			}
			rest = rest[m:]
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWriteSparse(t *testing.T) {
	t.Parallel()
	none := func(n int) []byte { return make([]byte, n) }
	for name, parts := range map[string][][]byte{
		"nothing":            nil,
		"one byte":           {{7}},
		"zeros":              {none(300_000)},
		"a few zeros":        {none(100)},
		"data":               {samples.Random(1, 300_000)},
		"a hole at the end":  {samples.Random(1, 70_001), none(200_003)},
		"a hole before":      {none(200_003), samples.Random(1, 70_001)},
		"a hole inside":      {samples.Random(1, 70_001), none(200_003), samples.Random(2, 70_001)},
		"zeros too few":      {samples.Random(1, 70_001), none(minHole - 1), samples.Random(2, 70_001)},
		"data between holes": {none(100_000), {1}, none(100_000), {2}, none(100_000)},
	} {
		want := bytes.Join(parts, nil)
		for _, n := range []int{1 << 20, 100_000, 4097, 999} {
			if got := sparse(t, want, n); !bytes.Equal(got, want) {
				t.Errorf("%s, by %d bytes: not what was written", name, n)
			}
		}
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var want []byte
		for range rnd.IntN(10) {
			want = append(append(want, samples.Random(rnd.Uint64(), rnd.IntN(50_000))...), none(rnd.IntN(100_000))...)
		}
		if got := sparse(t, want, 1+rnd.IntN(200_000)); !bytes.Equal(got, want) {
			t.Error("not what was written")
		}
	}
}

func TestWriteSparseFails(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name) // to read
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for what, b := range map[string][]byte{"data": {1}, "a hole": make([]byte, 1<<20)} {
		err := WriteSparse(f, func(w io.Writer) error {
			_, err := w.Write(b)
			return err
		})
		if err == nil {
			t.Errorf("%s into a file that is open for reading: no error", what)
		}
	}
	sorry := errors.New("sorry")
	if err := WriteSparse(f, func(io.Writer) error { return sorry }); err != sorry {
		t.Errorf("got %v", err)
	}
}
