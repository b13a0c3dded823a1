package objects

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/objects/codec"
)

func TestAFullDiskLeavesAGoodStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mountSmall(t, dir, 6<<20)
	s := openStore(t, dir, codec.Params{})
	t.Cleanup(func() { s.Close() })
	want := samples.Random(1, 500_000)
	tree := takeBytes(t, s, want).Tree
	failed, done := 0, 0
	for free := int64(0); free < 1_500_000; free += 90_000 {
		unfill := fill(t, dir, free)
		w := newWriter(t, s, &WriterOptions{})
		_, err := w.File(bytes.NewReader(samples.Random(uint64(100+free), 600_000)))
		if err == nil {
			err = w.Finish()
		}
		if err != nil && !errors.Is(err, syscall.ENOSPC) && !strings.Contains(err.Error(), "no space") {
			t.Errorf("with %d bytes free: %v", free, err)
		}
		if failed++; err == nil {
			failed, done = failed-1, done+1
		}
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		unfill()
		checkStore(t, s)
		checkFile(t, s, tree, want)
		collect(t, s, tree)
	}
	if failed < 3 || done < 3 {
		t.Errorf("%d runs failed, %d did not", failed, done)
	}
	checkFile(t, s, tree, want)
}

// fill leaves so many bytes free on the file system of a directory.
func fill(t *testing.T, dir string, free int64) (undo func()) {
	t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "ballast")
	if n := int64(st.Bavail)*int64(st.Bsize) - free; n > 0 {
		if err := os.WriteFile(name, make([]byte, n), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return func() { os.Remove(name) }
}

// mountSmall mounts a file system of so many bytes, where that is allowed.
func mountSmall(t *testing.T, dir string, size int64) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// TestGCMakesRoomOnAFullDisk has not a byte left: dead packs go all the same, and
// what could only be written anew stays, and is said to.
func TestGCMakesRoomOnAFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mountSmall(t, dir, 6<<20)
	s := openStore(t, dir, codec.Params{})
	t.Cleanup(func() { s.Close() })
	var live *Result
	half := take(t, s, func(w *Writer) (*Result, error) { // a pack that is half garbage
		var err error
		if live, err = w.File(bytes.NewReader(samples.Random(1, 900_000))); err != nil {
			return nil, err
		}
		return w.File(bytes.NewReader(samples.Random(2, 900_000)))
	})
	dead := takeBytes(t, s, samples.Random(3, 900_000)).Tree
	unfill := fill(t, dir, 0)
	defer unfill()
	rep := collect(t, s, live.Tree)
	if rep.Removed != 1 || rep.Freed < 900_000 {
		t.Errorf("%+v", rep)
	}
	wantThere(t, s, "dead", false, dead)
	checkFile(t, s, live.Tree, samples.Random(1, 900_000))
	for range 2 { // now there is some room, be it too little
		rep = collect(t, s, live.Tree)
	}
	checkStore(t, s)
	checkFile(t, s, live.Tree, samples.Random(1, 900_000))
	if is := isThere(t, s, half.Tree); is != rep.NoRoom {
		t.Errorf("the other half is there: %v; %+v", is, rep)
	}
	unfill()
	if rep = collect(t, s, live.Tree); rep.NoRoom {
		t.Errorf("with room: %+v", rep)
	}
	wantThere(t, s, "the other half", false, half.Tree)
	checkFile(t, s, live.Tree, samples.Random(1, 900_000))
}
