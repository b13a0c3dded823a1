package objects

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
)

// newStore makes a repository for a test, and checks it deeply when the test
// ends.
func newStore(t *testing.T) *Store {
	t.Helper()
	s := openStore(t, t.TempDir(), Params{})
	t.Cleanup(func() { checkStore(t, s) })
	return s
}

func openStore(t *testing.T, dir string, p Params) *Store {
	t.Helper()
	if err := Create(dir, &CreateOptions{ID: "test", Chunker: p}); err != nil {
		t.Fatal(err)
	}
	return reopen(t, dir)
}

func reopen(t *testing.T, dir string) *Store {
	t.Helper()
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(dir, &Options{Index: db})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		db.Close()
	})
	return s
}

func checkStore(t *testing.T, s *Store) {
	t.Helper()
	_, err := s.CheckPacks(context.Background(), true, func(p Problem) { t.Errorf("check: %s", p.What) })
	if err != nil {
		t.Errorf("check: %v", err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, "tmp")); len(left) > 0 {
		t.Errorf("left behind in tmp: %v", left)
	}
}

func take(t *testing.T, s *Store, add func(*Writer) (*Result, error)) Result {
	t.Helper()
	w, err := s.Writer(t.Context(), &WriterOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r, err := add(w)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	return *r
}

func takeBytes(t *testing.T, s *Store, b []byte) Result {
	t.Helper()
	return take(t, s, func(w *Writer) (*Result, error) { return w.File(bytes.NewReader(b)) })
}

func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	r.Read(b)
	return b
}

func TestAFileComesBackByteForByte(t *testing.T) {
	zeros := make([]byte, 3<<20)
	text := bytes.Repeat([]byte("2026-01-01,12.5,0.0,station-7\n"), 40000)
	cases := map[string][]byte{
		"empty": nil, "one byte": {7}, "just the minimum": random(1, 16<<10), "one more": random(2, 16<<10+1),
		"random 5 MiB": random(3, 5<<20), "zeros": zeros, "text": text,
		"zeros between random": append(append(random(4, 1<<20), zeros...), random(5, 1<<20)...),
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			s := newStore(t)
			r := takeBytes(t, s, want)
			if r.Hash != Hash(want) || r.Size != int64(len(want)) || r.Files != 1 {
				t.Errorf("result %+v", r)
			}
			tree, err := s.Tree(t.Context(), r.Tree)
			if err != nil {
				t.Fatal(err)
			}
			f, err := tree.Open(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if n, err := f.WriteTo(&out); err != nil || n != int64(len(want)) || !bytes.Equal(out.Bytes(), want) {
				t.Fatalf("WriteTo gave %d bytes, %v; want %d", n, err, len(want))
			}
			f.Seek(0, io.SeekStart)
			if got, err := io.ReadAll(struct{ io.Reader }{f}); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("Read gave %d bytes, %v", len(got), err)
			}
		})
	}
}
