//go:build unix

package datafs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDownloadDestroysNoOnlyCopy(t *testing.T) {
	api := newAPI(t)
	h, other, tree := newArchive(t, api, "x"), newArchive(t, api, "other"), newArchive(t, api, "tree")
	put(t, h, "first of all")
	put(t, h, "second text")
	put(t, other, "of another archive")
	must(tree.Update(t.Context(), writeTree(t, map[string]string{"deep/f": "in a directory", "g": "G"}), nil))(t)
	must(tree.Update(t.Context(), writeTree(t, map[string]string{"h": "H"}), nil))(t)
	plain := must(api.Create(t.Context(), "plain", &CreateOptions{Unversioned: true}))(t)
	put(t, plain, "it was replaced")
	put(t, plain, "it replaced that")
	gone := newArchive(t, api, "gone")
	put(t, gone, "deleted with its archive")
	noError(t, gone.Delete(t.Context()))

	for _, c := range []struct {
		name, old string
		replaced  bool
	}{
		{"what is written again", "second text", true},
		{"an older version", "first of all", true},
		{"a version of another archive", "of another archive", true},
		{"a file of an old version of a directory", "in a directory", true},
		{"contents of an unversioned archive", "it replaced that", true},
		{"no bytes at all", "", true},
		{"what is stored nowhere", "nobody knows this", false},
		{"what is stored nowhere and as long as what is written", "SECOND TEXT", false},
		{"the beginning of a version", "first", false},
		{"a version with more behind it", "second text.", false},
		{"contents that an unversioned archive had once", "it was replaced", false},
		{"a version of an archive that was deleted", "deleted with its archive", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := writeTree(t, map[string]string{"f": c.old, "link": "->f"})
			for _, name := range []string{"link", "f"} {
				_, err := h.Download(t.Context(), filepath.Join(dir, name), nil)
				if c.replaced {
					noError(t, err)
					equal(t, "file", readTree(t, dir)["f"], "second text")
					continue
				}
				if !errors.Is(err, ErrUnstored) || !errors.Is(err, fs.ErrExist) {
					t.Errorf("%s: got %v", name, err)
				}
				equal(t, "files", readTree(t, dir), map[string]string{"f": c.old, "link": "->f"})
			}
			must(h.Download(t.Context(), filepath.Join(dir, "link"), &DownloadOptions{Force: true}))(t)
			equal(t, "with force", readTree(t, dir), map[string]string{"f": "second text", "link": "->f"})
		})
	}
}

func TestAVersionThatIsDamagedIsNoCopy(t *testing.T) {
	api := openOnly(t, testOptions(t.TempDir()))
	h, good := newArchive(t, api, "x"), newArchive(t, api, "good")
	precious := string(must(io.ReadAll(io.LimitReader(newRandom(4), 3<<20)))(t))
	put(t, h, precious)
	spoil(t, api, 1<<20)
	put(t, good, "small")
	dir := writeTree(t, map[string]string{"f": precious})
	if _, err := good.Download(t.Context(), dir+"/f", nil); !errors.Is(err, ErrUnstored) {
		t.Errorf("got %v", err)
	}
	equal(t, "the file", readTree(t, dir)["f"] == precious, true)
	for _, pack := range must(filepath.Glob(filepath.Join(api.Repo(), "packs/*/*")))(t) {
		if fi := must(os.Stat(pack))(t); fi.Size() > 1<<20 {
			noError(t, os.Remove(pack))
		}
	}
	if _, err := good.Download(t.Context(), dir+"/f", nil); !errors.Is(err, ErrUnstored) {
		t.Errorf("without the pack: got %v", err)
	}
}

// TestDownloadLooksAgain has somebody write a file while the contents are read.
func TestDownloadLooksAgain(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "old")
	put(t, h, "new")
	dir := writeTree(t, map[string]string{"stored": "old"})
	for _, name := range []string{"stored", "absent"} {
		file := filepath.Join(dir, name)
		api.opts.Progress = func(Progress) { _ = os.WriteFile(file, []byte("of somebody else"), 0o644) }
		if _, err := h.Download(t.Context(), file, nil); !errors.Is(err, ErrUnstored) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	equal(t, "files", readTree(t, dir), map[string]string{"stored": "of somebody else", "absent": "of somebody else"})
}

func TestDownloadIntoAStream(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "text")
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	makePipe(t, pipe)
	got := make(chan []byte)
	go func() {
		b, _ := os.ReadFile(pipe)
		got <- b
	}()
	equal(t, "version", must(h.Download(t.Context(), pipe, nil))(t), "0.0.1")
	equal(t, "what came through the pipe", string(<-got), "text")
	fi := must(os.Lstat(pipe))(t)
	equal(t, "it is still a pipe", fi.Mode().Type(), fs.ModeNamedPipe)

	_, err := h.Download(cancelled(t), pipe, nil)
	if err == nil || !strings.Contains(err.Error(), "context canceled") {
		t.Errorf("of a pipe that nobody reads: got %v", err)
	}
}

func TestRequirementsThroughAPipeAreReadOnce(t *testing.T) {
	r, w, err := os.Pipe()
	noError(t, err)
	given, name := inherited(t, r)
	defer given.Close()
	must(io.Copy(w, bytes.NewBufferString("x==0.0.1\n")))(t)
	noError(t, w.Close())
	opts := testOptions(t.TempDir())
	opts.Requirements = name
	api := openChecked(t, opts)
	for range 2 {
		equal(t, "requirements", len(must(api.readRequirements(name))(t)), 1)
	}
	equal(t, "the lock lies in the working directory", api.LockFile(name), filepath.Join(api.opts.Dir, lockName))
}
