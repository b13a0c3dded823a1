package remotetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"unicode"

	"github.com/datafs/datafs/remote"
)

const rangeName = "packs/ab/ranged"

func ranged() []byte { return random(1000) }

func testString(t *testing.T, a remote.Authority) {
	where := a.String()
	if where == "" || strings.ContainsFunc(where, unicode.IsControl) {
		t.Errorf("String: got %q, want one line", where)
	}
	if _, err := get(t.Context(), a, "none", 0, -1); err == nil || !strings.Contains(err.Error(), where) {
		t.Errorf("the error of Get: got %v, want one that says %s", err, where)
	}
	if now := a.String(); now != where {
		t.Errorf("String after a Get: got %q, want %q as before", now, where)
	}
}

func testPut(t *testing.T, a remote.Authority) {
	want := random(1234)
	put(t, a, "trees/ab/one", want)
	wantFile(t, a, "trees/ab/one", want)
	put(t, a, "trees/ab/one", want)
	wantFile(t, a, "trees/ab/one", want)
	put(t, a, "empty", nil)
	wantFile(t, a, "empty", nil)
	r := bytes.NewReader([]byte("not this, but this"))
	r.Seek(10, io.SeekStart)
	if err := a.Put(t.Context(), "offset", r); err != nil {
		t.Fatalf("Put of a reader that is not at its start: %v", err)
	}
	wantFile(t, a, "offset", []byte("but this"))
	infos, err := list(t.Context(), a, "")
	if err != nil || infos["trees/ab/one"] != 1234 || infos["offset"] != 8 || len(infos) != 3 {
		t.Errorf("List: got %v, %v", infos, err)
	}
}

func testRanges(t *testing.T, a remote.Authority) {
	content := ranged()
	for _, c := range [][2]int64{
		{0, -1}, {0, 0}, {0, 1}, {0, 1000}, {0, 1001}, {10, 20}, {999, 1}, {990, 100}, {990, -1},
		{500, 0}, {1000, -1}, {1000, 0}, {1000, 10}, {1001, -1}, {5000, 10}, {1, -1},
	} {
		off, end := min(c[0], 1000), int64(1000)
		if c[1] >= 0 {
			end = min(off+c[1], 1000)
		}
		wantRange(t, a, rangeName, c[0], c[1], content[off:end])
	}
}

func testBig(t *testing.T, a remote.Authority) {
	want := random(bigSize)
	put(t, a, "packs/ab/big", want)
	wantFile(t, a, "packs/ab/big", want)
	wantRange(t, a, "packs/ab/big", 3<<20, 100, want[3<<20:3<<20+100])
}

func testCloseEarly(t *testing.T, a remote.Authority) {
	big := random(bigSize)
	put(t, a, "big", big)
	closeEarly(t, a, "big", big)
}

// closeEarly opens more bodies than a driver has connections.
func closeEarly(t *testing.T, a remote.Authority, name string, want []byte) {
	for range 20 {
		r, err := a.Get(t.Context(), name, 0, -1)
		if err != nil {
			t.Fatalf("Get: %v", err)
		}
		if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
			t.Fatalf("read: %v", err)
		}
		r.Close()
	}
	wantFile(t, a, name, want)
}

func testMissing(t *testing.T, a remote.Authority) {
	wantMissing(t, a, "none")
	wantMissing(t, a, "packs/ab/none")
	if _, err := get(t.Context(), a, "packs/ab/none", 5, 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get of a range: got %v, want fs.ErrNotExist", err)
	}
	wantList(t, a, "")
	wantList(t, a, "packs/ab/")
	if err := a.Delete(t.Context(), "packs/ab/none"); err != nil {
		t.Errorf("Delete: %v", err)
	}
	put(t, a, "packs/ab/one", []byte("1"))
	wantMissing(t, a, "packs/ab/none")
	wantMissing(t, a, "packs/none/one")
	wantMissing(t, a, "packs/ab") // a directory, for some
}

func testNames(t *testing.T, a remote.Authority) {
	names := []string{"-", "_", "0", "a.tmp", "b..c", "d.", "-e/_f/g-h_i.0", "con", "x--y",
		"l" + strings.Repeat("/"+strings.Repeat("m", 99), 5) + "/" + strings.Repeat("n", 10)}
	for _, name := range names {
		put(t, a, name, []byte(name))
		wantFile(t, a, name, []byte(name))
	}
	wantList(t, a, "", names...)
}

func testBadNames(t *testing.T, a remote.Authority) { testBadNamesOf(a)(t) }

func testBadNamesOf(a remote.Authority) func(t *testing.T) {
	return func(t *testing.T) {
		for _, name := range []string{"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/..", ".a", "a/.b", "./a",
			"A", "a b", `a\b`, "a\x00b", "a\nb", "ä", "a:b", "a?b", "a%2fb", strings.Repeat("a", 513)} {
			for kind, err := range namedCalls(t.Context(), a, name) {
				if !errors.Is(err, fs.ErrInvalid) {
					t.Errorf("%s(%.20q): got %v, want fs.ErrInvalid", kind, name, err)
				}
			}
		}
		for _, prefix := range []string{"/", "..", "../", "a//", "a/../", "A", "a b", ".", "a/."} {
			if _, err := list(t.Context(), a, prefix); !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("List(%q): got %v, want fs.ErrInvalid", prefix, err)
			}
		}
	}
}

// namedCalls gives the errors of all methods that take a name.
func namedCalls(ctx context.Context, a remote.Authority, name string) map[string]error {
	_, err := get(ctx, a, name, 0, -1)
	errs := map[string]error{
		"Get":    err,
		"Put":    a.Put(ctx, name, strings.NewReader("x")),
		"Delete": a.Delete(ctx, name),
	}
	if x, ok := a.(remote.Exclusive); ok {
		errs["PutNew"] = x.PutNew(ctx, name, strings.NewReader("x"))
	}
	return errs
}

func testList(t *testing.T, a remote.Authority) {
	names := []string{"datafs.json", "packs/ab/one", "packs/ab/two", "packs/abc/four", "packs/ac/three", "trees/ab/five", "pack"}
	for _, name := range names {
		put(t, a, name, []byte(name))
	}
	wantList(t, a, "", names...)
	wantList(t, a, "p", "pack", "packs/ab/one", "packs/ab/two", "packs/abc/four", "packs/ac/three")
	wantList(t, a, "packs/", "packs/ab/one", "packs/ab/two", "packs/abc/four", "packs/ac/three")
	wantList(t, a, "packs/ab", "packs/ab/one", "packs/ab/two", "packs/abc/four")
	wantList(t, a, "packs/ab/", "packs/ab/one", "packs/ab/two")
	wantList(t, a, "packs/ab/t", "packs/ab/two")
	wantList(t, a, "packs/ab/two", "packs/ab/two")
	wantList(t, a, "packs/ab/two/")
	wantList(t, a, "packs/ab/twoo")
	wantList(t, a, "none")
	wantList(t, a, "none/at/all/")
}

func testManyFiles(t *testing.T, a remote.Authority, n int) {
	name := func(i int) string { return fmt.Sprintf("many/%02x/%06d", i%16, i) }
	const workers = 8
	atOnce(t, workers, func(w int) error {
		for i := w; i < n; i += workers {
			if err := a.Put(t.Context(), name(i), strings.NewReader("many")); err != nil {
				return err
			}
		}
		return nil
	})
	var want []string
	for i := range n {
		want = append(want, name(i))
	}
	wantList(t, a, "many/", want...)
	for range a.List(t.Context(), "") {
		break // a listing that is left early must not hold anything
	}
}

func testDelete(t *testing.T, a remote.Authority) {
	put(t, a, "a/b/one", []byte("1"))
	put(t, a, "a/b/two", []byte("2"))
	for range 2 {
		if err := a.Delete(t.Context(), "a/b/one"); err != nil {
			t.Fatalf("Delete: %v", err)
		}
		wantMissing(t, a, "a/b/one")
		wantList(t, a, "", "a/b/two")
	}
	put(t, a, "a/b/one", []byte("1"))
	wantFile(t, a, "a/b/one", []byte("1"))
	wantFile(t, a, "a/b/two", []byte("2"))
}

func testCancelled(t *testing.T, a remote.Authority) {
	put(t, a, "one", []byte("1"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	errs := namedCalls(ctx, a, "two")
	_, errs["List"] = list(ctx, a, "")
	_, errs["Get of a file"] = get(ctx, a, "one", 0, -1)
	for kind, err := range errs {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want context.Canceled", kind, err)
		}
	}
	wantList(t, a, "", "one")
	wantFile(t, a, "one", []byte("1"))
}
