package objects

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/datafs/datafs/objects/names"
)

// hostileTree stores entries as a changed program would, and returns the tree's id.
func hostileTree(t *testing.T, s *Store, entries ...Entry) ID {
	t.Helper()
	w := newWriter(t, s, &WriterOptions{})
	tw := w.newTree()
	tw.res.Dir = true
	slices.SortFunc(entries, func(a, b Entry) int { return ComparePaths(a.Path, b.Path) })
	for _, e := range entries {
		if e.Kind.IsFile() {
			e.Hash = Hash(nil)
		}
		if err := tw.entry(e); err != nil {
			t.Fatal(err)
		}
	}
	res, err := tw.finish()
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return res.Tree
}

// badPaths are paths that are never written.
var badPaths = []string{
	".git/hooks/post-commit", "a/.GIT/config", "b/.datafs/config.yml", ".Datafs-checkout.lock", "c/GIT~1/x", "d/.git::$INDEX_ALLOCATION/x",
	"e/.g\u200cit/config", `f\.git\hooks`, ".hg./hgrc", ".svn /x", "g/DATAFS~1",
}

func hostileEntries() (list []Entry) {
	for _, path := range badPaths {
		list = append(list, Entry{Path: path, Kind: KindFile})
	}
	return append(list, Entry{Path: "good/file", Kind: KindFile}, Entry{Path: "h/.hg", Kind: KindDir},
		Entry{Path: "i/hooks", Kind: KindSymlink, Link: "../.git/hooks"}, Entry{Path: "i/good", Kind: KindSymlink, Link: "../good/file"},
		Entry{Path: "j/.git", Kind: KindSymlink, Link: "../good"})
}

func TestReservedNamesAreNeverWrittenToDisk(t *testing.T) {
	s := newStore(t)
	tree := openTree(t, s, hostileTree(t, s, hostileEntries()...))
	for _, replace := range []bool{false, true} {
		dir := t.TempDir()
		var left []string
		err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: replace, Left: func(path string) { left = append(left, path) }})
		if err != nil {
			t.Fatal(err)
		}
		for name := range listDir(t, dir) {
			if !slices.Contains([]string{"good", "good/file", "i", "i/good"}, name) {
				t.Errorf("replace %t: %q was written", replace, name)
			}
		}
		if _, err := os.Stat(filepath.Join(dir, "i/good")); err != nil {
			t.Errorf("replace %t: what is good was not written: %v", replace, err)
		}
		for _, path := range append(slices.Clone(badPaths), "h/.hg", "i/hooks", "j/.git") {
			if !slices.Contains(left, path) {
				t.Errorf("replace %t: %q is not told", replace, path)
			}
		}
	}
	// Reading one of the files, and a check, go on.
	if _, err := tree.Open(t.Context(), ".git/hooks/post-commit"); err != nil {
		t.Error(err)
	}
	if err := s.CheckTree(t.Context(), tree.ID(), &Marks{}); err != nil {
		t.Error(err)
	}
}

func TestNothingIsWrittenThroughALinkToAReservedName(t *testing.T) {
	s := newStore(t)
	tree := openTree(t, s, hostileTree(t, s, Entry{Path: "a/b/l/post-commit", Kind: KindFile}, Entry{Path: "m/n/x", Kind: KindFile}))
	dir := t.TempDir()
	mkdir(t, dir, ".git/hooks")
	mkdir(t, dir, "a/b")
	mkdir(t, dir, "elsewhere")
	symlink(t, dir, "a/b/l", "../../.git/hooks")
	if err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: true}); err == nil {
		t.Error("no error")
	}
	if left, err := os.ReadDir(filepath.Join(dir, ".git/hooks")); err != nil || len(left) > 0 {
		t.Errorf("below .git: %v, %v", left, err)
	}
	tree = openTree(t, s, hostileTree(t, s, Entry{Path: "k/x", Kind: KindFile}))
	symlink(t, dir, "k", "elsewhere")
	if err := tree.Extract(t.Context(), dir, &ExtractOptions{Replace: true}); err != nil {
		t.Errorf("through a link to a directory of the user's: %v", err)
	}
}

func TestReservedNamesAreLeftOutOfATreeAndNamed(t *testing.T) {
	s := newStore(t)
	plain, marked := t.TempDir(), t.TempDir()
	for _, dir := range []string{plain, marked} {
		writeFile(t, dir, "a/f", 0o666, []byte("text"))
		writeFile(t, dir, ".gitignore", 0o666, []byte("*.tmp"))
		mkdir(t, dir, "only")
	}
	for _, rel := range []string{".git/config", "a/.GIT", "a/.svn /x", "only/.datafs/packs/x", "git~1/x"} {
		writeFile(t, marked, rel, 0o666, []byte("secret"))
	}
	symlink(t, marked, "a/link", "../.git/config")
	w := newWriter(t, s, &WriterOptions{})
	defer w.Close()
	want, err := w.Path(plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := w.Path(marked, nil)
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.Tree != want.Tree {
		t.Errorf("tree %s, want that without the names, %s", got.Tree, want.Tree)
	}
	left := slices.Sorted(slices.Values(w.Left()))
	if names := []string{".git", "a/.GIT", "a/.svn ", "a/link", "git~1", "only/.datafs"}; !slices.Equal(left, names) {
		t.Errorf("left out: %q, want %q", left, names)
	}
}

func TestOnWindowsNamesThatItCannotHaveAreNotWritten(t *testing.T) {
	defer func(before bool) { onWindows = before }(onWindows)
	for _, path := range []string{"NUL", "a/con.txt", "x:y", "trail.", `a\b`} {
		e := Entry{Path: path, Kind: KindFile}
		if onWindows = false; !e.Writable() {
			t.Errorf("%q is not written elsewhere", path)
		}
		if onWindows = true; e.Writable() || names.WindowsFault(path) == "" {
			t.Errorf("%q is written on Windows", path)
		}
		if link := (&Entry{Path: "x", Kind: KindSymlink, Link: "../" + path}); link.Writable() {
			t.Errorf("a link to %q is written on Windows", path)
		}
	}
}
