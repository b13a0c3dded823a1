package zip

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

func openZip(t *testing.T, opts *Options) remote.Authority {
	t.Helper()
	a, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func TestZip(t *testing.T) {
	remotetest.Run(t, func(t *testing.T) remote.Authority {
		return openZip(t, &Options{Path: filepath.Join(t.TempDir(), "data.zip"), Create: true})
	})
}

// foreignZip makes a zip file as other programs do.
func foreignZip(t *testing.T, path string) {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range []string{"packs/", "packs/deflated", "README", "../escape", "trees/a"} {
		e, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(name, "/") {
			io.WriteString(e, strings.Repeat(name, 1000))
		}
	}
	if err := errors.Join(w.SetComment("by hand"), w.Close(), os.WriteFile(path, buf.Bytes(), 0o640)); err != nil {
		t.Fatal(err)
	}
}

func TestZipOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.zip")
	foreignZip(t, path)
	a := openZip(t, &Options{Path: path})
	if got := listedNames(t, a, ""); got != "packs/deflated trees/a" {
		t.Errorf("List: got %s", got)
	}
	before, err := a.Get(t.Context(), "packs/deflated", 14_000-14+5, 20)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Put(t.Context(), "packs/new", strings.NewReader("new")); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(before)
	if err != nil || string(got) != "/deflated" {
		t.Errorf("a body opened before the put: got %q, %v, want /deflated", got, err)
	}
	before.Close()
	wantZip(t, path)
}

// wantZip checks that the entries of foreignZip are still there, as they were.
func wantZip(t *testing.T, path string) {
	t.Helper()
	r, err := zip.OpenReader(path)
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		t.Fatal(err)
	}
	defer r.Close()
	var got []string
	for _, e := range r.File {
		got = append(got, e.Name)
	}
	if got, want := strings.Join(got, " "), "packs/ packs/deflated README ../escape trees/a packs/new"; got != want {
		t.Errorf("entries: got %s, want %s", got, want)
	}
	if last := r.File[len(r.File)-1]; last.Method != zip.Store || r.File[1].Method != zip.Deflate || r.Comment != "by hand" {
		t.Errorf("methods %d and %d, comment %q", r.File[1].Method, last.Method, r.Comment)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode: got %v, %v, want 0640", info.Mode(), err)
	}
}

func TestZipMissing(t *testing.T) {
	dir := t.TempDir()
	a := openZip(t, &Options{Path: filepath.Join(dir, "none.zip")})
	if err := a.Put(t.Context(), "a", strings.NewReader("x")); !errors.Is(err, remote.ErrNoStorage) {
		t.Errorf("Put: got %v, want ErrNoStorage", err)
	}
	if _, err := a.Get(t.Context(), "a", 0, -1); !errors.Is(err, remote.ErrNoStorage) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get: got %v, want ErrNoStorage", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestZipReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.zip")
	foreignZip(t, path)
	a := openZip(t, &Options{Path: path, ReadOnly: true})
	if err := a.Put(t.Context(), "a", strings.NewReader("x")); !errors.Is(err, remote.ErrReadOnly) {
		t.Errorf("Put: got %v, want ErrReadOnly", err)
	}
}

// A directory that lies about sizes, or is none, must end in an error.
func TestZipBroken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.zip")
	foreignZip(t, path)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		spoilt := bytes.Clone(b)
		spoilt[i] ^= 0xff
		if err := os.WriteFile(path, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		a := openZip(t, &Options{Path: path})
		if r, err := a.Get(t.Context(), "packs/deflated", 5, 1<<20); err == nil {
			if n, _ := io.Copy(io.Discard, r); n > 1<<20 {
				t.Errorf("byte %d: got %d bytes, asked for fewer", i, n)
			}
			r.Close()
		}
		a.Close()
	}
}

func listedNames(t *testing.T, a remote.Authority, prefix string) string {
	t.Helper()
	var got []string
	for info, err := range a.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
	}
	slices.Sort(got)
	return strings.Join(got, " ")
}

func TestOptions(t *testing.T) {
	o, err := FromService(nil, map[string]any{"zip_file": "a.zip", "mode": "r", "allow_zip_64": true})
	if err != nil || *o != (Options{Path: "a.zip", ReadOnly: true}) {
		t.Errorf("ZipFS: got %+v, %v", o, err)
	}
}
