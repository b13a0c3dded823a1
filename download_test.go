package datafs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestDownloadOfAFile(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "old version")
	put(t, h, "new version")
	dir := writeTree(t, map[string]string{
		"there": "something longer than the version", "sub/": "", "link": "->there2", "there2": "target",
		"deep/linked": "in deep", "down": "->deep/linked", "loop": "->loop", "$long": "",
	})
	noError(t, os.Chmod(filepath.Join(dir, "there"), 0o640))
	makePipe(t, filepath.Join(dir, "pipe"))
	api.opts.Getenv = func(name string) string { return map[string]string{"HOME": dir}[name] }
	socket := filepath.Join(t.TempDir(), "socket")
	defer must(net.Listen("unix", socket))(t).Close()
	for _, c := range []struct {
		name    string
		version string
		to      string // below dir, unless absolute
		want    string // file that has the contents; "": none
		err     string
	}{
		{"a new file", "", "new", "new", ""},
		{"a file that is there", "", "there", "there", ""},
		{"an old version", "0.0.1", "there", "there", ""},
		{"below home", "", "~/home", "home", ""},
		{"through a link", "", "link", "there2", ""},
		{"through a link to another directory", "", "down", "deep/linked", ""},
		{"in a subdirectory", "latest", "sub/x", "sub/x", ""},
		{"a name of 255 bytes", "", string(bytes.Repeat([]byte("n"), 255)), string(bytes.Repeat([]byte("n"), 255)), ""},
		{"a directory", "", "sub", "", dir + "/sub is a directory"},
		{"a directory with a slash", "", "sub/", "", dir + "/sub/ is a directory"},
		{"a directory that is missing", "", "none/x", "", `Directory not found: "` + dir + `/none"`},
		{"a directory that is a file", "", "there/x", "", `Directory not found: "` + dir + `/there"`},
		{"a socket", "", socket, "", socket + " is not a regular file"},
		{"a link to itself", "", "loop", "", "stat " + dir + "/loop: too many levels of symbolic links"},
		{"a version that is missing", "3.0", "none2", "", `Version "3.0" not found in archive history`},
		{"a version that is missing, over a file", "3.0", "there", "", `Version "3.0" not found in archive history`},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := readTree(t, dir)
			to := c.to
			if !filepath.IsAbs(to) && to[0] != '~' {
				to = dir + "/" + to
			}
			got, err := h.Download(t.Context(), to, &DownloadOptions{Version: c.version, Force: true})
			if c.err != "" {
				wantError(t, err, c.err, nil)
				equal(t, "files after it", readTree(t, dir), before)
				return
			}
			noError(t, err)
			want := "new version"
			if c.version == "0.0.1" {
				want = "old version"
			}
			equal(t, "contents", string(must(os.ReadFile(filepath.Join(dir, c.want)))(t)), want)
			equal(t, "version", got, map[bool]string{false: "0.0.2", true: "0.0.1"}[c.version == "0.0.1"])
			equal(t, "files after it", len(readTree(t, dir))-len(before) <= 1, true)
		})
	}
	for name, want := range map[string]fs.FileMode{"there": 0o640, "link": 0o644 | fs.ModeSymlink, "down": fs.ModeSymlink} {
		fi := must(os.Lstat(filepath.Join(dir, name)))(t)
		if fi.Mode().Type() != want.Type() || name == "there" && fi.Mode() != want {
			t.Errorf("%s has the mode %v, want %v", name, fi.Mode(), want)
		}
	}
}

// spoil overwrites bytes in the middle of every pack of at least min bytes.
func spoil(t *testing.T, api *API, min int64) {
	t.Helper()
	packs := must(filepath.Glob(filepath.Join(api.Repo(), "packs/*/*")))(t)
	spoiled := 0
	for _, name := range packs {
		f := must(os.OpenFile(name, os.O_RDWR, 0))(t)
		if fi := must(f.Stat())(t); fi.Size() >= min {
			must(f.WriteAt(make([]byte, 100), fi.Size()/2))(t)
			spoiled++
		}
		noError(t, f.Close())
	}
	if spoiled == 0 {
		t.Fatalf("no pack of %d bytes among %d", min, len(packs))
	}
}

func TestAFailedDownloadLeavesTheOldFile(t *testing.T) {
	api := openOnly(t, testOptions(t.TempDir()))
	random := string(must(io.ReadAll(io.LimitReader(newRandom(3), 3<<20)))(t))
	h := newArchive(t, api, "x")
	put(t, h, random)
	tree := newArchive(t, api, "tree")
	source := writeTree(t, map[string]string{"a": "small", "b": random + "b", "c": "small too"})
	must(tree.Update(t.Context(), source, nil))(t)
	dir := writeTree(t, map[string]string{"there": "old", "empty/": ""})
	before := readTree(t, dir)
	spoil(t, api, 1<<20)

	for _, c := range []struct {
		name    string
		archive *Archive
		to      string
		opts    DownloadOptions
	}{
		{"over a file", h, "there", DownloadOptions{Force: true}},
		{"a new file", h, "new", DownloadOptions{}},
		{"a new directory", tree, "newdir", DownloadOptions{}},
		{"into an empty directory", tree, "empty", DownloadOptions{}},
		{"a file of a directory", tree, "new", DownloadOptions{Path: "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.archive.Download(t.Context(), filepath.Join(dir, c.to), &c.opts)
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v, want %v", err, ErrCorrupt)
			}
			equal(t, "files after it", readTree(t, dir), before)
		})
	}
	var out bytes.Buffer
	if err := h.Cat(t.Context(), &out, nil); !errors.Is(err, ErrCorrupt) || out.Len() == 0 || out.String() != random[:out.Len()] {
		t.Errorf("cat gave %d bytes and %v, want a true prefix and %v", out.Len(), err, ErrCorrupt)
	}
}

func TestDownloadOfADirectory(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	files := map[string]string{"a/b": "text", "a/link": "->b", "empty/": "", "run": "#!/bin/sh\n"}
	source := writeTree(t, files)
	noError(t, os.Chmod(filepath.Join(source, "run"), 0o755))
	must(h.Update(t.Context(), source, nil))(t)

	for _, c := range []struct {
		name   string
		target map[string]string // below to, nil: nothing there
		to     string
		opts   DownloadOptions
		want   map[string]string // nil: as the archive
		err    string
	}{
		{"that is not there", nil, "to", DownloadOptions{}, nil, ""},
		{"that is not there, with a slash", nil, "to/", DownloadOptions{}, nil, ""},
		{"that is empty", map[string]string{}, "to", DownloadOptions{}, nil, ""},
		{"that is empty, behind a link", map[string]string{}, "link", DownloadOptions{}, nil, ""},
		{"that is empty, and the working directory", map[string]string{}, ".", DownloadOptions{}, nil, ""},
		{"with something in it", map[string]string{"other": "1"}, "to", DownloadOptions{}, map[string]string{"other": "1"},
			"directory to is not empty"},
		{"with something in it, by force", map[string]string{"other": "1", "a/b": "2", "a/c": "3", "a/link": "->c"}, "to",
			DownloadOptions{Force: true}, map[string]string{
				"other": "1", "a/c": "3", "a/b": "text", "a/link": "->b", "empty/": "", "run": "#!/bin/sh\n",
			}, ""},
		{"by force, where there is none", nil, "to", DownloadOptions{Force: true}, nil, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			at := t.TempDir()
			t.Chdir(at)
			noError(t, os.Symlink("to", "link"))
			if c.target != nil {
				noError(t, os.Rename(writeTree(t, c.target), "to"))
				noError(t, os.Chmod("to", 0o750))
			}
			if c.to == "." {
				t.Chdir(filepath.Join(at, "to"))
			}
			_, err := h.Download(t.Context(), c.to, &c.opts)
			if c.err != "" {
				wantError(t, err, c.err, fs.ErrExist)
			} else {
				noError(t, err)
			}
			want := c.want
			if want == nil {
				want = files
			}
			equal(t, "files", readTree(t, filepath.Join(at, "to")), want)
			equal(t, "beside it", len(must(os.ReadDir(at))(t)), 2)
			if c.err == "" {
				equal(t, "mode of run", must(os.Stat(filepath.Join(at, "to/run")))(t).Mode()&0o111 != 0, true)
			}
			if c.target != nil {
				equal(t, "mode of the directory", must(os.Stat(filepath.Join(at, "to")))(t).Mode().Perm(), fs.FileMode(0o750))
			}
		})
	}
}

func TestDownloadOfADirectoryOverAFile(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	must(h.Update(t.Context(), writeTree(t, map[string]string{"a/b": "text", "c": "C"}), nil))(t)
	dir := writeTree(t, map[string]string{"file": "1", "clash/a": "a file"})
	for _, force := range []bool{false, true} {
		_, err := h.Download(t.Context(), dir+"/file", &DownloadOptions{Force: force})
		wantError(t, err, dir+"/file is there and is not a directory", fs.ErrInvalid)
	}
	if _, err := h.Download(t.Context(), dir+"/clash", &DownloadOptions{Force: true}); err == nil {
		t.Error("a file in the place of a directory was replaced")
	}
	equal(t, "the file in the way", readTree(t, dir)["clash/a"], "a file")

	version := must(h.Download(t.Context(), dir+"/file", &DownloadOptions{Path: "a/b", Force: true}))(t)
	equal(t, "version", version, "0.0.1")
	equal(t, "a file of it alone", readTree(t, dir)["file"], "text")
}

func TestALeftoverOfAKilledDownloadIsNoObstacle(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	must(h.Update(t.Context(), writeTree(t, map[string]string{"a": "text"}), nil))(t)
	dir := t.TempDir()
	for _, name := range []string{"file", "tree"} {
		target := filepath.Join(dir, name)
		opts := &DownloadOptions{}
		if name == "file" {
			opts.Path = "a"
		}
		must(h.Download(t.Context(), target, opts))(t)
		for _, left := range leftovers(target) {
			noError(t, os.MkdirAll(left, 0o755))
		}
		noError(t, os.RemoveAll(target))
		must(h.Download(t.Context(), target, opts))(t)
	}
}

// leftovers are the temporary names that a process with this one's id may have
// left beside a target.
func leftovers(target string) []string {
	dir, base := filepath.Split(target)
	var names []string
	for i := range 3 {
		names = append(names, fmt.Sprintf("%s.%s.datafs-%d-%d", dir, base, os.Getpid(), i))
	}
	return names
}

func TestMovingIsAllOrNothing(t *testing.T) {
	from := writeTree(t, map[string]string{"a": "1", "b": "2", "c": "3"})
	to := writeTree(t, map[string]string{"b/in the way": ""})
	if err := moveAll(from, to); err == nil {
		t.Error("a file took a directory's place")
	}
	equal(t, "what is there", readTree(t, to), map[string]string{"b/in the way": ""})
	noError(t, moveAll(writeTree(t, map[string]string{"d": "4"}), to))
	equal(t, "what is there", readTree(t, to), map[string]string{"b/in the way": "", "d": "4"})
}
