package dir

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datafs/datafs/remote"
)

func openDir(t *testing.T, opts *Options) *authority {
	t.Helper()
	a, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a.(*authority)
}

func writeInto(t *testing.T, path, content string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(content), 0o666)); err != nil {
		t.Fatal(err)
	}
}

func TestDirMissingRoot(t *testing.T) {
	root := filepath.Join(t.TempDir(), "disk")
	d := openDir(t, &Options{Root: root})
	_, err := d.Get(t.Context(), "a", 0, -1)
	if !errors.Is(err, remote.ErrNoStorage) || !errors.Is(err, remote.ErrUnavailable) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get: got %v, want remote.ErrNoStorage", err)
	}
	if got, want := err.Error(), "get a: "+root+" is not there (is the disk mounted?)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if err := d.Put(t.Context(), "a", strings.NewReader("x")); !errors.Is(err, remote.ErrNoStorage) {
		t.Errorf("Put: got %v, want remote.ErrNoStorage", err)
	}
	if _, err := os.Stat(root); err == nil {
		t.Error("the root was made")
	}
	if err := os.Mkdir(root, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := d.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Errorf("Put when the disk is there: %v", err)
	}
}

func TestDirCreate(t *testing.T) {
	root := filepath.Join(t.TempDir(), "a", "b")
	d := openDir(t, &Options{Root: root, Create: true})
	if _, err := d.Get(t.Context(), "a", 0, -1); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, remote.ErrNoStorage) {
		t.Errorf("Get: got %v, want fs.ErrNotExist", err)
	}
	for _, err := range d.List(t.Context(), "") {
		t.Errorf("List: %v", err)
	}
	if _, err := os.Stat(root); err == nil {
		t.Error("reading made the root")
	}
	if err := d.Put(t.Context(), "x/y", strings.NewReader("x")); err != nil {
		t.Errorf("Put: %v", err)
	}
}

func TestDirLeftovers(t *testing.T) {
	root := t.TempDir()
	old, young := filepath.Join(root, ".tmp", "old"), filepath.Join(root, ".tmp", "young")
	writeInto(t, old, "x")
	writeInto(t, young, "x")
	past := time.Now().Add(-25 * time.Hour)
	if err := os.Chtimes(old, past, past); err != nil {
		t.Fatal(err)
	}
	d := openDir(t, &Options{Root: root})
	if err := d.Put(t.Context(), "a", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(root, ".tmp"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "young" {
		t.Errorf("got %v, %v, want young alone", entries, err)
	}
}

func TestDirForeign(t *testing.T) {
	root := t.TempDir()
	writeInto(t, filepath.Join(root, "a", "README"), "x")
	writeInto(t, filepath.Join(root, ".hidden", "b"), "x")
	writeInto(t, filepath.Join(root, "a", "b"), "x")
	outside := filepath.Join(t.TempDir(), "secret")
	writeInto(t, outside, "x")
	if err := os.Symlink(outside, filepath.Join(root, "a", "link")); err != nil {
		t.Skip(err)
	}
	d := openDir(t, &Options{Root: root})
	var got []string
	for info, err := range d.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
	}
	if len(got) != 1 || got[0] != "a/b" {
		t.Errorf("List: got %v, want a/b", got)
	}
	if r, err := d.Get(t.Context(), "a/link", 0, -1); err == nil {
		r.Close()
		t.Error("a link that leads out of the root was followed")
	}
	for _, name := range []string{"a", "a/b/c"} {
		if _, err := d.Get(t.Context(), name, 0, -1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get(%s): got %v, want fs.ErrNotExist", name, err)
		}
		if err := d.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%s): %v", name, err)
		}
	}
}

func TestDirWithoutHardLinks(t *testing.T) {
	d := openDir(t, &Options{Root: t.TempDir()})
	d.link = func(*os.Root, string, string) error { return syscall.EPERM }
	err := d.PutNew(t.Context(), "a/one", strings.NewReader("first"))
	if errors.Is(err, errors.ErrUnsupported) {
		t.Skip("no renameat2")
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := d.PutNew(t.Context(), "a/one", strings.NewReader("second")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v, want fs.ErrExist", err)
	}
	if got, _ := os.ReadFile(filepath.Join(d.String(), "a", "one")); string(got) != "first" {
		t.Errorf("got %q, want first", got)
	}
}

// On NFS a link whose answer is lost is sent again and meets itself.
func TestDirLinkMeetsItself(t *testing.T) {
	d := openDir(t, &Options{Root: t.TempDir()})
	d.link = func(root *os.Root, from, to string) error {
		return errors.Join(root.Link(from, to), fs.ErrExist)
	}
	if err := d.PutNew(t.Context(), "one", bytes.NewReader(nil)); err != nil {
		t.Errorf("PutNew: %v", err)
	}
	if err := d.PutNew(t.Context(), "one", bytes.NewReader(nil)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("PutNew: got %v, want fs.ErrExist", err)
	}
}

func TestDirReadOnly(t *testing.T) {
	root := t.TempDir()
	d := openDir(t, &Options{Root: root})
	if err := os.Chmod(root, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(root, 0o777)
	if os.Getuid() == 0 {
		t.Skip("the superuser may write anywhere")
	}
	if err := d.Put(t.Context(), "a", strings.NewReader("x")); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v, want fs.ErrPermission", err)
	}
}
