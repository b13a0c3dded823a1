package index

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestTheStatCacheRemembersByPath(t *testing.T) {
	db := newDB(t)
	a := Cached{Stat: Stat{Size: 1, MTime: -2, CTime: 3, Dev: 1<<64 - 1, Inode: 5}, Hash: ID{6}, Tree: ID{7}, At: 8}
	b := Cached{Stat: Stat{Size: 9}, Hash: ID{10}, At: 11}
	long := strings.Repeat("l", maxCachedPath)
	if err := db.Cache(ctx, map[string]Cached{"/a": a, "/b": b, long: b, long + "l": b, "": a}); err != nil {
		t.Fatal(err)
	}
	wantCached(t, db, []string{"/b", "/c", "/a", long, long + "l", "", "/b"}, b, Cached{}, a, b, Cached{}, Cached{}, b)
	if err := db.Cache(ctx, map[string]Cached{"/a": {}, "/b": a, "/c": {}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Cache(ctx, nil); err != nil {
		t.Fatal(err)
	}
	wantCached(t, db, []string{"/a", "/b", "/c"}, Cached{}, a, Cached{})
}

func wantCached(t *testing.T, db *DB, paths []string, want ...Cached) {
	t.Helper()
	if got, err := db.Cached(ctx, paths); err != nil || !slices.Equal(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
}

func TestOnlyAStateThatHadSettledIsFresh(t *testing.T) {
	const ms, s = int64(time.Millisecond), int64(time.Second)
	at := 1000*s + 500*ms
	for _, c := range []struct {
		name         string
		mtime, ctime int64
		want         bool
	}{
		{"changed long before", 900*s + 1, 900*s + 1, true},
		{"changed 11 ms before", at - 11*ms, at - 11*ms, true},
		{"written 10 ms before", at - 10*ms, 900*s + 1, false},
		{"its inode changed 10 ms before", 900*s + 1, at - 10*ms, false},
		{"written at that time", at, at, false},
		{"written in the future", 900*s + 1 + 200*s, 900*s + 1, false},
		{"whole seconds and more than two before", 998 * s, 998 * s, true},
		{"whole seconds and less than two before", 999 * s, 900*s + 1, false},
		{"an inode in whole seconds and less than two before", 900*s + 1, 999 * s, false},
		{"no ctime on this platform", 900*s + 1, 0, true},
	} {
		st := Stat{Size: 1, MTime: c.mtime, CTime: c.ctime, Dev: 2, Inode: 3}
		cached := Cached{Stat: st, At: at}
		if got := cached.Fresh(st); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestAStateThatDiffersIsNotFresh(t *testing.T) {
	st := Stat{Size: 1, MTime: 2, CTime: 3, Dev: 4, Inode: 5}
	cached := Cached{Stat: st, At: time.Hour.Nanoseconds()}
	if !cached.Fresh(st) {
		t.Error("the same state is not fresh")
	}
	for _, other := range []Stat{{2, 2, 3, 4, 5}, {1, 3, 3, 4, 5}, {1, 2, 4, 4, 5}, {1, 2, 3, 5, 5}, {1, 2, 3, 4, 6}} {
		if cached.Fresh(other) {
			t.Errorf("%v is fresh", other)
		}
	}
	if (Cached{}).Fresh(Stat{}) {
		t.Error("what is not known is fresh")
	}
}

func TestTheStatOfAFileTellsItsStates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	stat := func() Stat {
		fi, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return StatOf(fi)
	}
	old := time.Unix(1000, 123456700)
	os.WriteFile(path, []byte("one"), 0o600)
	os.Chtimes(path, old, old)
	a := stat()
	if a.Size != 3 || a.MTime != old.UnixNano() || stat() != a {
		t.Errorf("got %+v", a)
	}
	os.Rename(path, path+"2")
	os.WriteFile(path, []byte("two"), 0o600)
	os.Chtimes(path, old, old)
	if b := stat(); a.Inode != 0 && b == a {
		t.Errorf("another file of the same size and time has the same state %+v", b)
	}
}
