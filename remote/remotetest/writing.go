package remotetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/datafs/datafs/remote"
)

// errReader is what the readers of this suite fail with.
var errReader = errors.New("this reader fails, as the test wants")

// halfway is a reader that calls a function each time that the first half of
// its bytes has been read, and fails with what that returns.
type halfway struct {
	*bytes.Reader
	call func() error
}

func (h *halfway) Read(p []byte) (int, error) {
	if rest, half := int64(h.Len()), h.Size()/2; rest > half {
		return h.Reader.Read(p[:min(int64(len(p)), rest-half)])
	} else if rest == half {
		if err := h.call(); err != nil {
			return 0, err
		}
	}
	return h.Reader.Read(p)
}

// WriteTo hides that of bytes.Reader, which would pass by Read; so does ReadAt.
func (h *halfway) WriteTo(w io.Writer) (int64, error) {
	return io.Copy(w, struct{ io.Reader }{h})
}

func (h *halfway) ReadAt(p []byte, off int64) (int, error) {
	half := h.Size() / 2
	if off+int64(len(p)) > half {
		if err := h.call(); err != nil {
			return 0, err
		}
	}
	return h.Reader.ReadAt(p, off)
}

// puts gives the ways to write that a has.
func puts(a remote.Authority) map[string]func(context.Context, string, io.ReadSeeker) error {
	m := map[string]func(context.Context, string, io.ReadSeeker) error{"put": a.Put}
	if x, ok := a.(remote.Exclusive); ok {
		m["putnew"] = x.PutNew
	}
	return m
}

func testBrokenReader(t *testing.T, a remote.Authority) {
	for kind, write := range puts(a) {
		r := &halfway{bytes.NewReader(random(300 << 10)), func() error { return errReader }}
		if err := write(t.Context(), "a/"+kind, r); err == nil {
			t.Errorf("%s of a reader that fails: no error", kind)
		}
		wantMissing(t, a, "a/"+kind)
		wantList(t, a, "")
	}
	for kind, write := range puts(a) {
		if err := write(t.Context(), "a/"+kind, strings.NewReader("now it is there")); err != nil {
			t.Errorf("%s after one that failed: %v", kind, err)
		}
		wantFile(t, a, "a/"+kind, []byte("now it is there"))
	}
}

func testCancelledPut(t *testing.T, a remote.Authority) {
	for kind, write := range puts(a) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &halfway{bytes.NewReader(random(300 << 10)), func() error { cancel(); return ctx.Err() }}
		if err := write(ctx, kind, r); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", kind, err)
		}
		wantMissing(t, a, kind)
		wantList(t, a, "")
	}
}

func testUnfinished(t *testing.T, a remote.Authority) {
	content := random(1 << 20)
	for kind, write := range puts(a) {
		name, looked := "packs/"+kind+"/x", false
		r := &halfway{bytes.NewReader(content), func() error {
			looked = true
			wantMissing(t, a, name)
			wantList(t, a, name)
			return nil
		}}
		if err := write(t.Context(), name, r); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if !looked {
			t.Errorf("%s read in a way that this test does not notice", kind)
		}
		wantFile(t, a, name, content)
		wantList(t, a, name, name)
	}
}

// testPutSame has readers that may see nothing or all while one name is put.
func testPutSame(t *testing.T, a remote.Authority) {
	content := random(1 << 20)
	atOnce(t, 8, func(i int) error {
		if i%2 == 0 {
			return a.Put(t.Context(), "packs/ab/same", bytes.NewReader(content))
		}
		for range 4 {
			err := sameFile(t.Context(), a, "packs/ab/same", content)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		return nil
	})
	wantFile(t, a, "packs/ab/same", content)
	wantList(t, a, "", "packs/ab/same")
}

func testParallel(t *testing.T, a remote.Authority) {
	atOnce(t, 8, func(i int) error {
		for j := range 3 {
			name, content := fmt.Sprintf("packs/%02x/%d-%d", j, i, j), random(100_000+i*10+j)
			if err := a.Put(t.Context(), name, bytes.NewReader(content)); err != nil {
				return err
			}
			if err := sameFile(t.Context(), a, name, content); err != nil {
				return err
			}
		}
		return nil
	})
	if got, err := list(t.Context(), a, "packs/"); err != nil || len(got) != 24 {
		t.Errorf("List: got %d files, %v, want 24", len(got), err)
	}
}

// runExclusive checks PutNew where there is one.
func runExclusive(t *testing.T, o *Options, open func(t *testing.T) remote.Authority) {
	t.Helper()
	run := func(name string, test func(t *testing.T, a remote.Authority, x remote.Exclusive)) {
		t.Run(name, func(t *testing.T) {
			a := opened(t, open(t))
			x, ok := a.(remote.Exclusive)
			if !ok {
				t.Skip("not an Exclusive")
			}
			test(t, a, x)
		})
	}
	run("a new file is made once", testPutNew)
	run("one of many racers makes a file", func(t *testing.T, a remote.Authority, x remote.Exclusive) {
		for round := range o.Rounds {
			race(t, a, x, fmt.Sprintf("catalog/race-%d", round), o.Racers)
		}
	})
}

func testPutNew(t *testing.T, a remote.Authority, x remote.Exclusive) {
	putNew := func(content string) error {
		r := strings.NewReader("skipped" + content)
		r.Seek(int64(len("skipped")), io.SeekStart)
		return x.PutNew(t.Context(), "catalog/one", r)
	}
	if err := putNew("first"); err != nil {
		t.Fatalf("PutNew: %v", err)
	}
	for _, content := range []string{"second", "first", ""} {
		if err := putNew(content); !errors.Is(err, fs.ErrExist) || errors.Is(err, remote.ErrUnavailable) {
			t.Errorf("PutNew of a file that is there: got %v, want fs.ErrExist", err)
		}
		wantFile(t, a, "catalog/one", []byte("first"))
	}
	put(t, a, "catalog/two", []byte("2"))
	if err := x.PutNew(t.Context(), "catalog/two", strings.NewReader("x")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("PutNew of what was put: got %v, want fs.ErrExist", err)
	}
	if err := a.Delete(t.Context(), "catalog/one"); err != nil {
		t.Fatalf("Delete: %v", err)
	}
	if err := putNew("third"); err != nil {
		t.Errorf("PutNew of what was deleted: %v", err)
	}
	wantFile(t, a, "catalog/one", []byte("third"))
	wantList(t, a, "", "catalog/one", "catalog/two")
}

// race has n goroutines make one file, each with contents of its own.
func race(t *testing.T, a remote.Authority, x remote.Exclusive, name string, n int) {
	t.Helper()
	content := func(i int) []byte { return fmt.Appendf(nil, "%s by racer %d", name, i) }
	var winner atomic.Int64
	winner.Store(-1)
	gate := make(chan struct{})
	ready := make(chan struct{}, n)
	go func() {
		for range n {
			<-ready
		}
		close(gate)
	}()
	atOnce(t, n, func(i int) error {
		ready <- struct{}{}
		<-gate
		err := x.PutNew(t.Context(), name, bytes.NewReader(content(i)))
		if err == nil && !winner.CompareAndSwap(-1, int64(i)) {
			return fmt.Errorf("racers %d and %d both made %s", winner.Load(), i, name)
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("PutNew of racer %d: %w", i, err)
		}
		return nil
	})
	if winner.Load() < 0 {
		t.Fatalf("no racer made %s", name)
	}
	wantFile(t, a, name, content(int(winner.Load())))
}
