package datafs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
)

// olderArchive makes an archive whose name is refused by now.
func olderArchive(t *testing.T, api *API, name string) *Archive {
	t.Helper()
	value := fmt.Appendf(nil, `{"format":1,"name":%q,"versioned":true}`, name)
	_, err := api.bolt.Put(t.Context(), refs.ArchiveKey(name), value, refs.Absent)
	noError(t, err)
	a, err := api.Archive(t.Context(), name, nil)
	noError(t, err)
	return a
}

// warningsOf opens a repository whose warnings are kept.
func warningsOf(t *testing.T) (*API, *[]string) {
	t.Helper()
	var list []string
	opts := testOptions(t.TempDir())
	opts.Warn = func(text string) { list = append(list, text) }
	return openChecked(t, opts), &list
}

func TestAnOlderArchiveOfAReservedNameIsReadAndDeleted(t *testing.T) {
	api := newAPI(t)
	a := olderArchive(t, api, "x/.git/config")
	put(t, a, "text")
	var out strings.Builder
	noError(t, a.Cat(t.Context(), &out, nil))
	equal(t, "contents", out.String(), "text")
	_, err := a.History(t.Context())
	noError(t, err)
	target := filepath.Join(t.TempDir(), "copy")
	_, err = a.Download(t.Context(), target, nil)
	noError(t, err)
	again, err := api.Create(t.Context(), "x/.git/config", &CreateOptions{ExistOK: true})
	noError(t, err)
	noError(t, again.Delete(t.Context()))
	if _, err := api.Create(t.Context(), "x/.git/config", nil); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("made again: got %v, want fs.ErrInvalid", err)
	}
}

func TestUpdateWarnsOfWhatItLeavesOutAndDoesNotRemoveIt(t *testing.T) {
	api, warnings := warningsOf(t)
	dir := writeTree(t, map[string]string{"f": "text", ".git/config": "secret", "sub/.SVN/x": "x"})
	a := newArchive(t, api, "a")
	res, err := a.Update(t.Context(), dir, &UpdateOptions{Remove: true})
	wantError(t, err, dir+" is not removed: .git below it is in no version", fs.ErrExist)
	equal(t, "left out", strings.Join(res.Left, " "), ".git sub/.SVN")
	equal(t, "version", res.Version, "0.0.1")
	equal(t, "warnings", strings.Join(*warnings, "\n"), "left out of a: .git, sub/.SVN: "+whyReserved)
	if _, err := os.Stat(filepath.Join(dir, ".git/config")); err != nil {
		t.Errorf("the only copy of what was left out: %v", err)
	}
	noError(t, os.RemoveAll(filepath.Join(dir, ".git")))
	noError(t, os.RemoveAll(filepath.Join(dir, "sub")))
	_, err = a.Update(t.Context(), dir, &UpdateOptions{Remove: true})
	noError(t, err)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the source was not removed: %v", err)
	}
}

func TestImportSkipsAndNamesWhatCannotBeAnArchive(t *testing.T) {
	api := newAPI(t)
	dir := writeTree(t, map[string]string{
		"f": "1", "sub/g": "1", ".git/hooks/x": "1", "sub/.Datafs/y": "1", "GIT~1": "1", `a\b`: "1", "tab\tx": "1", "rtl\u202egnp": "1", ".gitignore": "1",
	})
	var skipped []string
	sum, err := api.Import(t.Context(), dir, &ImportOptions{Each: func(i ImportItem) {
		if i.Status == ImportSkipped {
			rel, _ := filepath.Rel(dir, i.Path)
			skipped = append(skipped, rel)
		}
	}})
	noError(t, err)
	slices.Sort(skipped)
	equal(t, "skipped", fmt.Sprintf("%q", skipped), `[".git" "GIT~1" "a\\b" "rtl\u202egnp" "sub/.Datafs" "tab\tx"]`)
	equal(t, "archives", listed(api.Filter(t.Context(), nil)), ".gitignore f sub/g")
	equal(t, "created", sum.Created, int64(3))
	if _, err := api.Import(t.Context(), dir, &ImportOptions{Prefix: "x/.hg"}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a reserved prefix: got %v, want fs.ErrInvalid", err)
	}
}

func TestNothingIsWrittenBelowARepository(t *testing.T) {
	api, out := shelf(t)
	f, err := api.Archive(t.Context(), "data/f", nil)
	noError(t, err)
	tree, err := api.Archive(t.Context(), "d", nil)
	noError(t, err)
	noError(t, os.MkdirAll(filepath.Join(out, ".datafs", "packs"), 0o755))
	noError(t, os.WriteFile(filepath.Join(out, ".datafs", "config.yml"), []byte("mine"), 0o644))
	noError(t, os.Symlink(".datafs", filepath.Join(out, "link")))
	noError(t, os.Symlink(".datafs/config.yml", filepath.Join(out, "file")))
	noError(t, os.Symlink(api.Repo(), filepath.Join(out, "own")))
	before := shown(t, filepath.Join(out, ".datafs"))
	for _, target := range []string{".datafs/config.yml", ".datafs/new", ".DataFS/new", "link/config.yml", "link/packs/x", "file", "own/config.yml", "x/../link/new"} {
		_, err := f.Download(t.Context(), filepath.Join(out, target), nil)
		if !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("download to %s: got %v, want fs.ErrInvalid", target, err)
		}
	}
	for _, dir := range []string{".datafs", "link", "link/packs", "link/new/deep", "own/x"} {
		if _, err := tree.Download(t.Context(), filepath.Join(out, dir), &DownloadOptions{Force: true}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("download of a tree to %s: got %v, want fs.ErrInvalid", dir, err)
		}
		if _, err := api.Checkout(t.Context(), filepath.Join(out, dir), &CheckoutOptions{Archives: []string{"d"}}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("checkout into %s: got %v, want fs.ErrInvalid", dir, err)
		}
	}
	equal(t, "what is below .datafs", shown(t, filepath.Join(out, ".datafs")), before)
}

func TestNamesThatWindowsCannotHaveAreWarnedAbout(t *testing.T) {
	api, warnings := warningsOf(t)
	for _, name := range []string{"NUL", "a/con.txt", "x:y", "trail.", "a /b", "LPT¹"} {
		*warnings = nil
		newArchive(t, api, name)
		if len(*warnings) != 1 || !strings.Contains((*warnings)[0], "Windows") {
			t.Errorf("%q: warnings %q", name, *warnings)
		}
	}
	defer func(before bool) { onWindows = before }(onWindows)
	onWindows = true
	if _, err := api.Create(t.Context(), "aux/x", nil); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("on Windows: got %v, want fs.ErrInvalid", err)
	}
	if _, err := api.Create(t.Context(), "NUL", &CreateOptions{ExistOK: true}); err != nil {
		t.Errorf("one that is there: %v", err)
	}
}

func TestUndeleteTakesNoReservedNameForAnotherOne(t *testing.T) {
	api := newAPI(t)
	a := newArchive(t, api, "a")
	put(t, a, "text")
	noError(t, a.Delete(t.Context()))
	if _, err := api.Undelete(t.Context(), "a", &UndeleteOptions{As: ".git/config"}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("got %v, want fs.ErrInvalid", err)
	}
}
