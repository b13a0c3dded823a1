package datafs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// noTempLeft checks in the end that no temporary file is left.
func noTempLeft(t *testing.T) {
	t.Helper()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Cleanup(func() {
		if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
			t.Errorf("temporary files left: %v, %v", left, err)
		}
	})
}

func TestWriterModes(t *testing.T) {
	noTempLeft(t)
	for _, c := range []struct {
		name    string
		mode    string
		before  []string // versions
		opts    WriteOptions
		write   string
		want    string // contents of the latest version
		version string // of it
		created bool
	}{
		{"w starts empty", "w", []string{"old"}, WriteOptions{}, "new", "new", "0.0.2", true},
		{"w+ too", "w+", []string{"old"}, WriteOptions{}, "n", "n", "0.0.2", true},
		{"wb is w", "wb", []string{"old"}, WriteOptions{}, "n", "n", "0.0.2", true},
		{"w of an archive without contents", "w", nil, WriteOptions{}, "new", "new", "0.0.1", true},
		{"a appends", "a", []string{"old"}, WriteOptions{}, "new", "oldnew", "0.0.2", true},
		{"a+ too", "a+", []string{"old"}, WriteOptions{}, "new", "oldnew", "0.0.2", true},
		{"ab+ is a+", "ab+", []string{"old"}, WriteOptions{}, "new", "oldnew", "0.0.2", true},
		{"a to an archive without contents", "a", nil, WriteOptions{}, "new", "new", "0.0.1", true},
		{"r+ begins at the beginning", "r+", []string{"old text"}, WriteOptions{}, "new", "new text", "0.0.2", true},
		{"a to an older version makes a new one", "a", []string{"old", "newer"}, WriteOptions{Version: "0.0.1"}, "+", "old+", "0.0.3", true},
		{"r+ of an older version too", "r+", []string{"old", "newer"}, WriteOptions{Version: "0.0.1"}, "0", "0ld", "0.0.3", true},
		{"options of an update", "w", []string{"old"},
			WriteOptions{UpdateOptions: UpdateOptions{Bump: "minor", Prerelease: "beta"}}, "new", "new", "0.1b1", true},
		{"unchanged contents make no version", "w", []string{"old"}, WriteOptions{}, "old", "old", "0.0.1", false},
		{"nothing appended makes no version", "a", []string{"old"}, WriteOptions{}, "", "old", "0.0.1", false},
		{"nothing written makes no version", "w", []string{"old"}, WriteOptions{}, "", "old", "", false},
		{"unless it is meant", "w", []string{"old"}, WriteOptions{UpdateOptions: UpdateOptions{AllowEmpty: true}}, "", "", "0.0.2", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := newAPI(t)
			h := newArchive(t, api, "dir/x")
			for _, text := range c.before {
				put(t, h, text)
			}
			w := must(h.OpenWriter(t.Context(), c.mode, &c.opts))(t)
			must(io.WriteString(w, c.write))(t)
			res := must(w.Commit(t.Context()))(t)
			noError(t, w.Close())
			if res.Version != c.version || res.Created != c.created {
				t.Errorf("got %+v, want version %q, created %v", res, c.version, c.created)
			}
			equal(t, "contents", text(t, h, "latest"), c.want)
		})
	}
}

func TestWriterRefusals(t *testing.T) {
	noTempLeft(t)
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "text")
	tree := newArchive(t, api, "tree")
	must(tree.Update(t.Context(), writeTree(t, map[string]string{"a": "b"}), nil))(t)
	for _, mode := range []string{"", "r", "rb", "x", "ww", "w+r"} {
		_, err := h.OpenWriter(t.Context(), mode, nil)
		wantError(t, err, `mode "`+strings.ReplaceAll(mode, "b", "b")+`": want w, w+, a, a+ or r+`, fs.ErrInvalid)
	}
	_, err := h.OpenWriter(t.Context(), "a", &WriteOptions{Version: "3.0"})
	wantError(t, err, `Version "3.0" not found in archive history`, fs.ErrNotExist)
	if _, err := tree.OpenWriter(t.Context(), "r+", nil); err == nil {
		t.Error("a directory was opened")
	}

	w := must(h.OpenWriter(t.Context(), "a", &WriteOptions{UpdateOptions: UpdateOptions{Bump: "huge"}}))(t)
	must(io.WriteString(w, "more"))(t)
	_, err = w.Commit(t.Context())
	wantError(t, err, `Bump kind "huge" not understood`, fs.ErrInvalid)
	if _, err := w.Commit(t.Context()); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a second commit: got %v, want %v", err, fs.ErrClosed)
	}
	equal(t, "versions", versions(t, h), "0.0.1")
}

func TestCloseDiscards(t *testing.T) {
	noTempLeft(t)
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "text")
	w := must(h.OpenWriter(t.Context(), "a", nil))(t)
	must(io.WriteString(w, "more"))(t)
	noError(t, w.Close())
	noError(t, w.Close())
	l := must(h.LocalPath(t.Context(), nil))(t)
	noError(t, os.WriteFile(l.Path(), []byte("more"), 0o600))
	noError(t, l.Close())
	noError(t, l.Close())
	equal(t, "versions", versions(t, h), "0.0.1")
}

func TestLocalPath(t *testing.T) {
	noTempLeft(t)
	keep := func(string) error { return nil }
	write := func(text string) func(string) error {
		return func(path string) error { return os.WriteFile(path, []byte(text), 0o600) }
	}
	for _, c := range []struct {
		name    string
		before  []string // versions
		opts    WriteOptions
		holds   string // at the path, "" for nothing
		change  func(path string) error
		version string // afterwards, of the latest
		want    string // contents of it
		err     string
	}{
		{"the first contents", nil, WriteOptions{}, "", write("new"), "0.0.1", "new", ""},
		{"changed contents", []string{"a", "old"}, WriteOptions{}, "old", write("new"), "0.0.3", "new", ""},
		{"unchanged contents", []string{"old"}, WriteOptions{}, "old", keep, "0.0.1", "old", ""},
		{"emptied", []string{"old"}, WriteOptions{}, "old", write(""), "0.0.1", "old", ""},
		{"an older version", []string{"a", "old"}, WriteOptions{Version: "0.0.1"}, "a", write("ab"), "0.0.3", "ab", ""},
		{"options of an update", []string{"old"}, WriteOptions{UpdateOptions: UpdateOptions{Bump: "major"}}, "old", write("new"), "1.0", "new", ""},
		{"replaced by another file", []string{"old"}, WriteOptions{}, "old", func(path string) error {
			return errors.Join(write("new")(path+"2"), os.Rename(path+"2", path))
		}, "0.0.2", "new", ""},
		{"gone", []string{"old"}, WriteOptions{}, "old", os.Remove, "0.0.1", "old", "the file is gone"},
		{"never written", nil, WriteOptions{}, "", keep, "", "", "the file is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := newAPI(t)
			h := newArchive(t, api, "dir/x.nc")
			for _, text := range c.before {
				put(t, h, text)
			}
			l := must(h.LocalPath(t.Context(), &c.opts))(t)
			equal(t, "name", filepath.Base(l.Path()), "x.nc")
			got, err := os.ReadFile(l.Path())
			equal(t, "there is something", err == nil, c.holds != "")
			equal(t, "contents at the path", string(got), c.holds)
			noError(t, c.change(l.Path()))
			_, err = l.Commit(t.Context())
			if c.err == "" {
				noError(t, err)
			} else if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), c.err) {
				t.Errorf("got %v, want %s", err, c.err)
			}
			equal(t, "latest version", must(h.LatestVersion(t.Context()))(t), c.version)
			if c.version != "" {
				equal(t, "contents", text(t, h, ""), c.want)
			}
		})
	}
}

func TestLocalPathOfADirectory(t *testing.T) {
	noTempLeft(t)
	api := newAPI(t)
	h := newArchive(t, api, "store.zarr")
	must(h.Update(t.Context(), writeTree(t, map[string]string{"a": "1"}), nil))(t)
	l := must(h.LocalPath(t.Context(), nil))(t)
	noError(t, os.WriteFile(filepath.Join(l.Path(), "b"), []byte("2"), 0o600))
	equal(t, "version", must(l.Commit(t.Context()))(t).Version, "0.0.2")
	to := filepath.Join(t.TempDir(), "to")
	must(h.Download(t.Context(), to, nil))(t)
	equal(t, "files", readTree(t, to), map[string]string{"a": "1", "b": "2"})
}

func TestLocalPathOfAPin(t *testing.T) {
	noTempLeft(t)
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "one")
	put(t, h, "two")
	noError(t, api.SetDefaultVersions(map[string]string{"x": "0.0.1"}))
	l := must(h.LocalPath(t.Context(), nil))(t)
	equal(t, "contents", string(must(os.ReadFile(l.Path()))(t)), "one")
	noError(t, l.Close())
	noError(t, api.SetDefaultVersions(map[string]string{"x": "7.0"}))
	_, err := h.LocalPath(t.Context(), nil)
	wantError(t, err, `Archive "x" version 7.0 not found`, fs.ErrNotExist)
	w := must(h.OpenWriter(t.Context(), "w", nil))(t) // it starts from nothing, so the pin does not matter
	must(io.WriteString(w, "three"))(t)
	equal(t, "version", must(w.Commit(t.Context()))(t).Version, "0.0.3")
}
