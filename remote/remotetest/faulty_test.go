package remotetest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

func read(a remote.Authority, name string) (string, error) {
	r, err := a.Get(context.Background(), name, 0, -1)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return string(b), err
}

func TestFaultyPassesTheSuite(t *testing.T) {
	remotetest.RunOptions(t, &remotetest.Options{Files: 1100, Racers: 32}, func(t *testing.T) remote.Authority {
		return remotetest.NewFaulty(t, &remote.Mem{})
	})
}

func TestFaultsOfReading(t *testing.T) {
	f := remotetest.NewFaulty(t, &remote.Mem{},
		remotetest.Fault{Op: remotetest.Get, Name: "a", N: 2, Err: fs.ErrPermission},
		remotetest.Fault{Op: remotetest.Get, Name: "a", N: 3, How: remotetest.Break, At: 2},
		remotetest.Fault{Op: remotetest.Get, Name: "a", N: 4, How: remotetest.Truncate, At: 2},
		remotetest.Fault{Op: remotetest.Get, Name: "a", N: 5, How: remotetest.Corrupt, At: 1},
	)
	for _, name := range []string{"a", "b"} {
		if err := f.Put(t.Context(), name, strings.NewReader("abcd")); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range []struct {
		want string
		err  error
	}{{"abcd", nil}, {"", fs.ErrPermission}, {"ab", remote.ErrUnavailable}, {"ab", nil}, {"a\x9dcd", nil}, {"abcd", nil}} {
		got, err := read(f, "a")
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("get %d: got %q, %v, want %q, %v", i+1, got, err, c.want, c.err)
		}
		if got, err := read(f, "b"); got != "abcd" || err != nil {
			t.Errorf("another file: got %q, %v", got, err)
		}
	}
	want := remotetest.Counts{Get: 12, Put: 2, Up: 8, Down: 4*3 + 2*2 + 4*6}
	if got := f.Counts(); got != want || got.All() != 14 {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestFaultsOfWriting(t *testing.T) {
	f := remotetest.NewFaulty(t, &remote.Mem{},
		remotetest.Fault{Op: remotetest.Put, Name: "before"},
		remotetest.Fault{Op: remotetest.Put, Name: "after", How: remotetest.After},
		remotetest.Fault{Op: remotetest.Put, Name: "truncate", How: remotetest.Truncate, At: 2},
		remotetest.Fault{Op: remotetest.Put, Name: "corrupt", How: remotetest.Corrupt, At: 3},
		remotetest.Fault{Op: remotetest.Delete, How: remotetest.After},
	)
	for name, want := range map[string]string{"before": "", "after": "abcd", "truncate": "ab", "corrupt": "abc\x9b"} {
		err := f.Put(t.Context(), name, strings.NewReader("abcd"))
		if fails := name == "before" || name == "after"; fails != errors.Is(err, remote.ErrUnavailable) {
			t.Errorf("put %s: got %v", name, err)
		}
		if got, _ := read(f, name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if err := f.Delete(t.Context(), "after"); !errors.Is(err, remote.ErrUnavailable) {
		t.Errorf("Delete: got %v, want ErrUnavailable", err)
	}
	if _, err := read(f, "after"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("deleted, but the answer lost: got %v, want fs.ErrNotExist", err)
	}
}

func TestUnreached(t *testing.T) {
	f := remotetest.NewFaulty(nil, &remote.Mem{}, remotetest.Fault{Op: remotetest.Get, N: 2})
	read(f, "a")
	if !f.Unreached() {
		t.Error("the second get has not been asked for, but its fault counts as reached")
	}
	read(f, "a")
	if f.Unreached() {
		t.Error("the fault struck, but counts as unreached")
	}
}
