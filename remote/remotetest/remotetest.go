// Package remotetest is the suite that every Authority passes, and an Authority
// that fails as planned. It is for tests only and knows no driver. Its one
// invariant: it asks for nothing that the comments of remote.Authority and
// remote.Exclusive do not promise.
package remotetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote"
)

// Options sizes the suite. The zero value is quick.
type Options struct {
	Files  int // in the long listing; 0 is 40. More than a thousand crosses pages of S3
	Racers int // that try to make one file; 0 is 16
	Rounds int // of racing; 0 is 4
}

const bigSize = 5 << 20 // bytes of the big file

// Run checks an Authority with the default options. Each call of open gives one
// on an empty place of its own; the suite closes it.
func Run(t *testing.T, open func(t *testing.T) remote.Authority) {
	t.Helper()
	RunOptions(t, nil, open)
}

// RunOptions is Run with options.
func RunOptions(t *testing.T, opts *Options, open func(t *testing.T) remote.Authority) {
	t.Helper()
	o := Options{}
	if opts != nil {
		o = *opts
	}
	o.Files, o.Racers, o.Rounds = orDefault(o.Files, 40), orDefault(o.Racers, 16), orDefault(o.Rounds, 4)
	run := func(name string, test func(t *testing.T, a remote.Authority)) {
		t.Run(name, func(t *testing.T) { test(t, opened(t, open(t))) })
	}
	run("it says where it is", testString)
	run("a file that was put is read back", testPut)
	run("ranges", func(t *testing.T, a remote.Authority) { put(t, a, rangeName, ranged()); testRanges(t, a) })
	run("a big file", testBig)
	run("a body closed early gives back what it held", testCloseEarly)
	run("what is not there", testMissing)
	run("names of every permitted form", testNames)
	run("bad names are refused", testBadNames)
	run("listing by prefix", testList)
	run("a long listing", func(t *testing.T, a remote.Authority) { testManyFiles(t, a, o.Files) })
	run("delete", testDelete)
	run("a cancelled context", testCancelled)
	run("a reader that fails leaves nothing", testBrokenReader)
	run("a put that is cancelled midway leaves nothing", testCancelledPut)
	run("an unfinished file is not seen", testUnfinished)
	run("puts of one name at once", testPutSame)
	run("puts and gets at once", testParallel)
	runExclusive(t, &o, open)
}

// RunReadOnly checks an Authority that cannot be written and that may have no
// listing. open gives one that serves files.
func RunReadOnly(t *testing.T, open func(t *testing.T, files map[string][]byte) remote.Authority) {
	t.Helper()
	big := random(bigSize)
	a := opened(t, open(t, map[string][]byte{rangeName: ranged(), "packs/ab/big": big, "empty": {}}))
	t.Run("it says where it is", func(t *testing.T) { testString(t, a) })
	t.Run("files are read", func(t *testing.T) {
		wantFile(t, a, "packs/ab/big", big)
		wantFile(t, a, "empty", nil)
	})
	t.Run("ranges", func(t *testing.T) { testRanges(t, a) })
	t.Run("a range of a big file", func(t *testing.T) {
		wantRange(t, a, "packs/ab/big", 4<<20, 1000, big[4<<20:4<<20+1000])
	})
	t.Run("a body closed early gives back what it held", func(t *testing.T) { closeEarly(t, a, "packs/ab/big", big) })
	t.Run("what is not there", func(t *testing.T) { wantMissing(t, a, "packs/ab/none") })
	t.Run("bad names are refused", testBadNamesOf(a))
	t.Run("writing is refused", func(t *testing.T) {
		if err := a.Put(t.Context(), "new", bytes.NewReader([]byte("x"))); !errors.Is(err, remote.ErrReadOnly) {
			t.Errorf("Put: got %v, want ErrReadOnly", err)
		}
		if err := a.Delete(t.Context(), "empty"); !errors.Is(err, remote.ErrReadOnly) {
			t.Errorf("Delete: got %v, want ErrReadOnly", err)
		}
	})
	t.Run("a cancelled context", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := get(ctx, a, "empty", 0, -1); !errors.Is(err, context.Canceled) {
			t.Errorf("Get: got %v, want context.Canceled", err)
		}
	})
	t.Run("gets at once", func(t *testing.T) {
		atOnce(t, 8, func(int) error {
			return sameFile(t.Context(), a, "packs/ab/big", big)
		})
	})
}

// RunSecret checks that an authority shows no secret, neither in its String nor in an
// error. open gives one with a secret in each of its options that may be one, and in its
// address, at a place where nothing answers.
func RunSecret(t *testing.T, open func(secret string) (remote.Authority, error)) {
	t.Helper()
	const secret = "s3cr3tW0rd"
	t.Run("it shows no secret", func(t *testing.T) {
		a, err := open(secret)
		if err != nil {
			t.Fatal(err)
		}
		opened(t, a)
		shown := map[string]string{"String": a.String()}
		_, err = get(t.Context(), a, "a", 0, -1)
		shown["Get"] = fmt.Sprint(err)
		_, err = list(t.Context(), a, "a")
		shown["List"] = fmt.Sprint(err)
		shown["Delete"] = fmt.Sprint(a.Delete(t.Context(), "a"))
		for kind, write := range puts(a) {
			shown[kind] = fmt.Sprint(write(t.Context(), "a", strings.NewReader("x")))
		}
		for what, text := range shown {
			if text == "" || strings.Contains(strings.ToLower(text), strings.ToLower(secret)) {
				t.Errorf("%s shows a secret, or nothing: %q", what, text)
			}
		}
	})
}

// opened closes a when the test ends.
func opened(t *testing.T, a remote.Authority) remote.Authority {
	t.Helper()
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return a
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{byte(n)}).Read(b)
	return b
}

func put(t *testing.T, a remote.Authority, name string, content []byte) {
	t.Helper()
	if err := a.Put(t.Context(), name, bytes.NewReader(content)); err != nil {
		t.Fatalf("Put(%s): %v", name, err)
	}
}

func get(ctx context.Context, a remote.Authority, name string, off, n int64) ([]byte, error) {
	r, err := a.Get(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

// sameFile says how a file at a differs from want.
func sameFile(ctx context.Context, a remote.Authority, name string, want []byte) error {
	got, err := get(ctx, a, name, 0, -1)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("got %d bytes that differ from the %d put", len(got), len(want))
	}
	if err != nil {
		return fmt.Errorf("Get(%s): %w", name, err)
	}
	return nil
}

func wantFile(t *testing.T, a remote.Authority, name string, want []byte) {
	t.Helper()
	if err := sameFile(t.Context(), a, name, want); err != nil {
		t.Error(err)
	}
}

func wantRange(t *testing.T, a remote.Authority, name string, off, n int64, want []byte) {
	t.Helper()
	got, err := get(t.Context(), a, name, off, n)
	if err != nil {
		t.Errorf("Get(%s, %d, %d): %v", name, off, n, err)
	} else if !bytes.Equal(got, want) {
		t.Errorf("Get(%s, %d, %d): got %d bytes, want %d; or they differ", name, off, n, len(got), len(want))
	}
}

func wantMissing(t *testing.T, a remote.Authority, name string) {
	t.Helper()
	if got, err := get(t.Context(), a, name, 0, -1); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, remote.ErrUnavailable) {
		t.Errorf("Get(%s): got %d bytes, error %v, want fs.ErrNotExist", name, len(got), err)
	}
}

func list(ctx context.Context, a remote.Authority, prefix string) (map[string]int64, error) {
	got := map[string]int64{}
	for info, err := range a.List(ctx, prefix) {
		if err != nil {
			return got, err
		}
		if _, twice := got[info.Name]; twice {
			return got, fmt.Errorf("%s is listed twice", info.Name)
		}
		got[info.Name] = info.Size
	}
	return got, nil
}

func wantList(t *testing.T, a remote.Authority, prefix string, want ...string) {
	t.Helper()
	infos, err := list(t.Context(), a, prefix)
	if err != nil {
		t.Fatalf("List(%q): %v", prefix, err)
	}
	var got []string
	for name := range infos {
		got = append(got, name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("List(%q): got %s, want %s", prefix, strings.Join(got, " "), strings.Join(want, " "))
	}
}

// atOnce calls f in n goroutines and reports their errors.
func atOnce(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	errs := make(chan error)
	for i := range n {
		go func() { errs <- f(i) }()
	}
	for range n {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
