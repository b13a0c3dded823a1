package objects

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
)

// writeFile makes a file below dir; the empty path is dir's file "single".
func writeFile(t testing.TB, dir, rel string, mode fs.FileMode, data []byte) {
	t.Helper()
	if rel == "" {
		rel = "single"
	}
	name := filepath.Join(dir, filepath.FromSlash(rel))
	mkdir(t, dir, path.Dir(rel))
	if err := os.WriteFile(name, data, mode); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t testing.TB, dir, rel string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, filepath.FromSlash(rel)), 0o755); err != nil {
		t.Fatal(err)
	}
}

func symlink(t testing.TB, dir, rel, target string) {
	t.Helper()
	mkdir(t, dir, path.Dir(rel))
	if err := os.Symlink(target, filepath.Join(dir, filepath.FromSlash(rel))); err != nil {
		t.Fatal(err)
	}
}

// listDir shows all that is below a directory: a path's kind and content.
func listDir(t testing.TB, dir string) map[string]string {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got := map[string]string{}
	var walk func(rel string)
	walk = func(rel string) {
		d, err := root.Open(rel)
		if err != nil {
			t.Fatal(err)
		}
		names, err := d.Readdirnames(-1)
		d.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			name = path.Join(rel, name)
			fi, err := root.Lstat(name)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case fi.IsDir():
				got[name] = "dir"
				walk(name)
			case fi.Mode()&fs.ModeSymlink != 0:
				target, _ := root.Readlink(name)
				got[name] = "link " + target
			default:
				data, err := root.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				got[name] = fmt.Sprintf("file %v %d %s", fi.Mode()&0o100 != 0, len(data), Hash(data))
			}
		}
	}
	walk(".")
	return got
}

func sameDirs(t testing.TB, got, want string) {
	t.Helper()
	a, b := listDir(t, got), listDir(t, want)
	if maps.Equal(a, b) {
		return
	}
	for _, p := range slices.Sorted(maps.Keys(b)) {
		if a[p] != b[p] {
			t.Errorf("%q: got %q, want %q", p, a[p], b[p])
		}
	}
	for p := range a {
		if _, ok := b[p]; !ok {
			t.Errorf("%q: got %q, want nothing", p, a[p])
		}
	}
}

// strangeDir makes a directory of all that a tree can hold.
func strangeDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	long := strings.Repeat("n", 200)
	for i, name := range []string{
		"plain", "with space", " leading", "trailing ", "-dash", ".hidden", "...", "a\\b", "quote\"'", "new\nline", "tab\t", "star*?[]",
		"ünïcödé", "日本語/ファイル", "e\u0301 combined", "é composed", "😀", "bad\xff\xfebytes", "bad\xffdir/file",
		long, long[:199] + "/" + long + "/" + long, long[:199] + "1", "a/b", "a.b", "a b", "a-/c", "a0", "A/upper", "a/b.d/e", "a/b.c/d",
	} {
		writeFile(t, dir, name, 0o644, fmt.Appendf(nil, "content %d of %q", i, name))
	}
	writeFile(t, dir, "run me", 0o755, []byte("#!/bin/sh\n"))
	writeFile(t, dir, "empty file", 0o644, nil)
	writeFile(t, dir, "twice/1", 0o644, samples.Random(7, 200_000))
	writeFile(t, dir, "twice/2", 0o644, samples.Random(7, 200_000))
	writeFile(t, dir, "large", 0o644, samples.Random(8, 5<<20))
	writeFile(t, dir, "middle", 0o644, samples.Random(9, 2<<20))
	writeFile(t, dir, strings.Repeat("deep/", 120)+"file", 0o644, []byte("down here"))
	for _, name := range []string{"empty dir", "a/empty", "z/y/x", "日本語/空"} {
		mkdir(t, dir, name)
	}
	for name, target := range map[string]string{
		"link": "plain", "dangling": "nowhere/at all", "a/up": "../plain", "z/y/two up": "../../a/b", "a/self": ".", "to dir": "z/y",
		"a/dot": "./b", "loop": "loop", "z/slash": "y/",
	} {
		symlink(t, dir, name, target)
	}
	return dir
}

func TestADirectoryComesBackAsItWas(t *testing.T) {
	t.Parallel()
	s, dir := newStore(t), strangeDir(t)
	r := takePath(t, s, dir)
	if !r.Dir || r.Hash != r.Tree {
		t.Errorf("result %+v", r)
	}
	tree := openTree(t, s, r.Tree)
	var files, bytes int64
	last := ""
	for e, err := range tree.Entries(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if last != "" && ComparePaths(last, e.Path) >= 0 {
			t.Errorf("%q comes behind %q", e.Path, last)
		}
		if last = e.Path; e.Kind != KindDir {
			files++
		}
		bytes += e.Size
		if got, err := tree.Entry(t.Context(), e.Path); err != nil || got.Hash != e.Hash || got.Kind != e.Kind {
			t.Errorf("Entry(%q): %+v, %v", e.Path, got, err)
		}
	}
	if files != r.Files || bytes != r.Size || files != tree.Files() || bytes != tree.Size() {
		t.Errorf("%d files of %d bytes; the result says %d, %d; the tree %d, %d", files, bytes, r.Files, r.Size, tree.Files(), tree.Size())
	}
	out := t.TempDir()
	if err := tree.Extract(t.Context(), out, &ExtractOptions{}); err != nil {
		t.Fatal(err)
	}
	sameDirs(t, out, dir)
	if again := takePath(t, s, out); again.Tree != r.Tree {
		t.Errorf("the same directory is tree %s, then %s", r.Tree, again.Tree)
	}
}

func TestThreeThousandSmallFiles(t *testing.T) {
	t.Parallel()
	s, dir := newStore(t), t.TempDir()
	for i := range 3000 {
		writeFile(t, dir, fmt.Sprintf("%d/%d/file %d", i%7, i%50, i), 0o644, samples.Random(uint64(i), i%3000))
	}
	r := takePath(t, s, dir)
	if r.Files != 3000 {
		t.Errorf("%d files", r.Files)
	}
	tree, out := openTree(t, s, r.Tree), t.TempDir()
	if tree.root.level == 0 {
		t.Error("the tree is one node")
	}
	var n, total int64
	progress := make(chan int64, 3000)
	if err := tree.Extract(t.Context(), out, &ExtractOptions{Progress: func(n int64) { progress <- n }}); err != nil {
		t.Fatal(err)
	}
	for close(progress); ; total += n {
		var ok bool
		if n, ok = <-progress; !ok {
			break
		}
	}
	if total != r.Size {
		t.Errorf("progress of %d bytes, want %d", total, r.Size)
	}
	sameDirs(t, out, dir)
}

func TestALocalChangeInATreeIsSmall(t *testing.T) {
	t.Parallel()
	s, dir := newStore(t), t.TempDir()
	for i := range 3000 {
		writeFile(t, dir, fmt.Sprintf("%02d/%04d", i/100, i), 0o644, fmt.Appendf(nil, "file %d", i))
	}
	before := takePath(t, s, dir)
	writeFile(t, dir, "17/1717", 0o644, []byte("changed"))
	after, fresh := takeNew(t, s, &WriterOptions{}, func(w *Writer) (*Result, error) { return w.Path(dir, nil) })
	if after.Tree == before.Tree {
		t.Error("the tree is the same")
	}
	// The entries take 240 KB; a node of some 25 KB and the root are new, and
	// perhaps a neighbour.
	if fresh > 80_000 {
		t.Errorf("%d new bytes", fresh)
	}
}

func TestAnEntryIsFoundAtItsPathOnly(t *testing.T) {
	t.Parallel()
	s, dir := newStore(t), t.TempDir()
	for i := range 1000 {
		writeFile(t, dir, fmt.Sprintf("d%03d/f%03d", i/10, i), 0o644, fmt.Appendf(nil, "%d", i))
	}
	mkdir(t, dir, "empty")
	tree := openTree(t, s, takePath(t, s, dir).Tree)
	if tree.root.level == 0 {
		t.Fatal("the tree is one node")
	}
	for i := range 100 {
		for _, path := range []string{fmt.Sprintf("d%03d", i), "empty"} {
			if e, err := tree.Entry(t.Context(), path); err != nil || e.Kind != KindDir || e.Path != path {
				t.Errorf("%q: %+v, %v", path, e, err)
			}
		}
		for _, path := range []string{"", ".", fmt.Sprintf("d%03d/", i), fmt.Sprintf("d%03d/f", i), fmt.Sprintf("d%02d", i), fmt.Sprintf("d%03d/f%03d/x", i, i*10), "zzz", "\x01"} {
			if e, err := tree.Entry(t.Context(), path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%q: %+v, %v", path, e, err)
			}
		}
	}
	if _, err := tree.Open(t.Context(), "empty"); err == nil {
		t.Error("a directory was opened")
	}
	f, err := tree.Open(t.Context(), "d050/f501")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(f); err != nil || string(got) != "501" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLinksThatCouldLeadOutAreRefusedByName(t *testing.T) {
	for target, path := range map[string]string{
		"/etc/passwd": "abs", "..": "up", "../x": "out", "a/../b": "through", "../../x": "d/far", "x/../../y": "d/hidden", "./../x": "dot", "a/..": "back",
	} {
		t.Run(target, func(t *testing.T) {
			s, dir := newStore(t), t.TempDir()
			writeFile(t, dir, "a/file", 0o644, []byte("x"))
			symlink(t, dir, path, target)
			w := newWriter(t, s, &WriterOptions{})
			_, err := w.Path(dir, nil)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), dir) {
				t.Errorf("got error %v", err)
			}
			if err := w.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestATreeThatIsAFileCannotBeExtracted(t *testing.T) {
	s := newStore(t)
	tree, out := openTree(t, s, takeBytes(t, s, []byte("x")).Tree), t.TempDir()
	if err := tree.Extract(t.Context(), out, &ExtractOptions{}); err == nil {
		t.Error("no error")
	}
	sameDirs(t, out, t.TempDir())
}

func TestAnEmptyDirectoryIsATree(t *testing.T) {
	s := newStore(t)
	r := takePath(t, s, t.TempDir())
	tree, out := openTree(t, s, r.Tree), t.TempDir()
	if _, single := tree.Single(); single || r.Files != 0 || r.Size != 0 || !r.Dir {
		t.Errorf("result %+v, single %v", r, single)
	}
	if err := tree.Extract(t.Context(), out, &ExtractOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := tree.Entry(t.Context(), "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestDiffNamesWhatChanged(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	common := samples.Random(1, 300_000)
	writeFile(t, dir, "same", 0o644, common)
	writeFile(t, dir, "edited", 0o644, append(bytes.Clone(common), '1'))
	writeFile(t, dir, "mode", 0o644, []byte("m"))
	writeFile(t, dir, "removed", 0o644, []byte("r"))
	symlink(t, dir, "link", "same")
	from := openTree(t, s, takePath(t, s, dir).Tree)
	writeFile(t, dir, "edited", 0o644, append(bytes.Clone(common), '2'))
	writeFile(t, dir, "added/file", 0o644, []byte("a"))
	for _, err := range []error{os.Chmod(filepath.Join(dir, "mode"), 0o755), os.Remove(filepath.Join(dir, "removed")), os.Remove(filepath.Join(dir, "link"))} {
		if err != nil {
			t.Fatal(err)
		}
	}
	symlink(t, dir, "link", "mode")
	to := openTree(t, s, takePath(t, s, dir).Tree)
	var got []string
	for c, err := range Diff(t.Context(), from, to) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %v %v", c.Path, c.Old != nil, c.New != nil))
	}
	want := []string{"added/file false true", "edited true true", "link true true", "mode true true", "removed true false"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	sh, err := Share(t.Context(), from, to)
	if err != nil || sh.Shared+sh.New != to.Size() || sh.New == 0 || sh.Shared < 400_000 {
		t.Errorf("%+v of %d bytes, %v", sh, to.Size(), err)
	}
}
