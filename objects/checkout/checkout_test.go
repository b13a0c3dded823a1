package checkout

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
)

// shelf is a repository with two files to check out.
type shelf struct {
	s     *objects.Store
	wants []Want
}

func (h *shelf) Bring(context.Context, []int) error { return nil }
func (h *shelf) Content(int) *objects.Store         { return h.s }

func newShelf(t *testing.T) *shelf {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repo")
	db, err := index.Open(dir+".db", nil)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = objects.Create(dir, &objects.CreateOptions{ID: "shelf", Chunker: codec.DefaultParams})
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := objects.Open(dir, &objects.Options{Index: db})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	})
	h := &shelf{s: s}
	w, err := s.Writer(t.Context(), &objects.WriterOptions{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	var results []*objects.Result
	for _, text := range []string{"one", "two"} {
		r, err := w.File(bytes.NewReader([]byte(text)))
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, r)
	}
	if err := errors.Join(w.Finish(), w.Close()); err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		h.wants = append(h.wants, Want{Name: []string{"d/a", "d/b"}[i], Version: "0.0.1", Tree: r.Tree, Hash: r.Hash, Size: r.Size, Files: 1})
	}
	return h
}

// run checks the shelf out.
func (h *shelf) run(t *testing.T, dir string, way Way) (Report, error) {
	return Run(t.Context(), h.wants, &Options{Dir: dir, Store: h.s, Source: h, Link: way, Now: time.Now})
}

func (h *shelf) wantRun(t *testing.T, dir string, way, got Way) {
	t.Helper()
	rep, err := h.run(t, dir, way)
	if err != nil || rep.Way != got {
		t.Errorf("%s: got %q, %v; want %q", way, rep.Way, err, got)
	}
	for i, want := range []string{"one", "two"} {
		if b, err := os.ReadFile(filepath.Join(dir, h.wants[i].Name)); err != nil || string(b) != want {
			t.Errorf("got %q, %v; want %q", b, err, want)
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, tempDir)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("temporary files are left: %v", err)
	}
}

func (h *shelf) wantCopies(t *testing.T, want int64) {
	t.Helper()
	if got, err := CountCopies(h.s.Dir()); err != nil || got.Count != want {
		t.Errorf("%d copies, %v; want %d", got.Count, err, want)
	}
}

// pretendClone copies instead of sharing blocks.
func pretendClone(src, dst string, mode fs.FileMode) error {
	b, err := os.ReadFile(src)
	if err == nil {
		err = os.WriteFile(dst, b, mode)
	}
	return err
}

func TestCheckoutByReflink(t *testing.T) {
	h, out := newShelf(t), filepath.Join(t.TempDir(), "out")
	clone = func(_, dst string, _ fs.FileMode) error {
		return &os.PathError{Op: "clone", Path: dst, Err: errors.ErrUnsupported}
	}
	defer func() { clone = cloneFile }()
	_, err := h.run(t, out, WayReflink)
	want := "files cannot be shared by reflink between " + h.s.Dir() + " and " + out + ": unsupported operation"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something is written: %v", err)
	}
	h.wantRun(t, out, WayAuto, WayCopy)
	h.wantCopies(t, 0)

	clone = pretendClone
	out += "2"
	h.wantRun(t, out, WayAuto, WayReflink)
	fi, err := os.Stat(filepath.Join(out, "d", "a"))
	if err != nil || fi.Mode()&0o200 == 0 {
		t.Errorf("mode %v, %v", fi.Mode(), err)
	}
	if rep, err := h.run(t, out, WayAuto); err != nil || rep.Written != 0 || rep.Unchanged != 2 {
		t.Errorf("again: %+v, %v", rep, err)
	}
	h.wantCopies(t, 2)
	if got, err := RemoveCopies(t.Context(), h.s, 0, false); err != nil || got.Count != 2 {
		t.Errorf("%d copies removed, %v", got.Count, err)
	}
	h.wantCopies(t, 0)
}

func TestALockThatWasTakenAwayIsNoLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), lockName)
	lock, err := takeLock(t.Context(), path, 0, true)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Unlock()
	is := func(what string, want bool) {
		if got := isLockOf(lock, path); got != want {
			t.Errorf("%s: got %t, want %t", what, got, want)
		}
	}
	is("of the file", true)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	is("of no file", false)
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	is("of another file", false)
}

func TestNamesThatWindowsCannotHaveAreRefusedThere(t *testing.T) {
	h := newShelf(t)
	h.wants[0].Name = "x:y"
	defer func(before bool) { onWindows = before }(onWindows)
	onWindows = true
	if _, err := h.run(t, t.TempDir(), WayCopy); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("got %v, want fs.ErrInvalid", err)
	}
}

func TestWhatAKilledCheckoutLeftIsRemoved(t *testing.T) {
	h, out := newShelf(t), t.TempDir()
	if err := os.MkdirAll(filepath.Join(out, tempDir), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, tempDir, "7"), []byte("of a killed run"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.wantRun(t, out, WayCopy, WayCopy)
}
