package datafs

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
)

func TestWhichVersionIsRead(t *testing.T) {
	dir := t.TempDir()
	opts := testOptions(dir)
	opts.Requirements = "pinned==0.0.1;wrong==7.0;newest==latest;empty==latest"
	api := openChecked(t, opts)
	for _, name := range []string{"free", "pinned", "wrong", "newest"} {
		h := newArchive(t, api, name)
		put(t, h, "one")
		put(t, h, "two")
	}
	newArchive(t, api, "empty")
	for _, c := range []struct {
		name          string
		archive       string
		handle, asked string
		want          string
		err           string
	}{
		{"nothing said: the latest", "free", "", "", "two", ""},
		{"asked for", "free", "", "0.0.1", "one", ""},
		{"asked for in another form", "free", "", "0.00.01", "one", ""},
		{"latest", "free", "", "latest", "two", ""},
		{"the pin", "pinned", "", "", "one", ""},
		{"asked for against the pin", "pinned", "", "0.0.2", "two", ""},
		{"latest against the pin", "pinned", "", "latest", "two", ""},
		{"the pin latest", "newest", "", "", "two", ""},
		{"the handle's version against the pin", "pinned", "0.0.2", "", "two", ""},
		{"the handle's version in another form", "pinned", "0.00.2", "", "two", ""},
		{"latest of the handle", "pinned", "latest", "", "two", ""},
		{"asked for against the handle's version", "pinned", "0.0.2", "0.0.1", "one", ""},
		{"not in the history", "free", "", "0.0.3", "", `Version "0.0.3" not found in archive history`},
		{"no version at all", "free", "", "1", "", `invalid version number '1'`},
		{"a pin that is not in the history", "wrong", "", "", "", `Archive "wrong" version 7.0 not found`},
		{"a handle's version that is not in the history", "free", "7.0", "", "", `Archive "free" version 7.0 not found`},
		{"asked for against the wrong pin", "wrong", "", "latest", "two", ""},
		{"the pin latest of no contents", "empty", "", "", "", `Archive "empty" has no versions`},
		{"latest of no contents", "empty", "", "latest", "", `Archive "empty" has no versions`},
		{"a version of no contents", "empty", "", "0.0.1", "", `Version "0.0.1" not found in archive history`},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := must(api.Archive(t.Context(), c.archive, &ArchiveOptions{DefaultVersion: c.handle}))(t)
			var got bytes.Buffer
			err := h.Cat(t.Context(), &got, &OpenOptions{Version: c.asked})
			exists, existsErr := h.Exists(t.Context(), c.asked)
			if c.err != "" {
				wantError(t, err, c.err, nil)
				equal(t, "written before the error", got.Len(), 0)
				equal(t, "exists", exists, false)
				equal(t, "a wrong number is an error of Exists", existsErr != nil, errors.Is(err, fs.ErrInvalid))
				return
			}
			noError(t, err)
			equal(t, "contents", got.String(), c.want)
			equal(t, "exists", exists, true)
		})
	}
}

func TestDefaultVersions(t *testing.T) {
	dir := t.TempDir()
	opts := testOptions(dir)
	opts.Requirements = "a==1.0"
	api := openChecked(t, opts)
	list := func() map[string]string { return must(api.DefaultVersions())(t) }
	equal(t, "from the requirements", list(), map[string]string{"a": "1.0"})

	noError(t, api.SetDefaultVersions(map[string]string{"/b//c": "0.02", "local://d": "latest"}))
	equal(t, "set, normalised", list(), map[string]string{"b/c": "0.2", "d": "latest"})
	wantError(t, api.SetDefaultVersions(map[string]string{"b": "x"}), "invalid version number 'x'", fs.ErrInvalid)
	wantError(t, api.SetDefaultVersions(map[string]string{"..": "1.0"}), "Too many backrefs in '..'", fs.ErrInvalid)
	equal(t, "after errors", list(), map[string]string{"b/c": "0.2", "d": "latest"})
	noError(t, api.SetDefaultVersions(map[string]string{}))
	equal(t, "set to none", list(), map[string]string{})
	noError(t, api.SetDefaultVersions(nil))
	equal(t, "back to the requirements", list(), map[string]string{"a": "1.0"})
}

func TestAReaderIsNotDisturbed(t *testing.T) {
	for _, unversioned := range []bool{false, true} {
		api := newAPI(t)
		h := must(api.Create(t.Context(), "x", &CreateOptions{Unversioned: unversioned}))(t)
		want := strings.Repeat("old contents ", 1000)
		put(t, h, want)
		f := must(h.Open(t.Context(), nil))(t)
		defer f.Close()
		head := make([]byte, 100)
		must(io.ReadFull(f, head))(t)
		put(t, h, "new")
		tail := must(io.ReadAll(f))(t)
		equal(t, "contents", string(head)+string(tail), want)
	}
}

func TestFileReadsLikeAFile(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "0123456789")
	f := must(h.Open(t.Context(), nil))(t)
	equal(t, "size", f.Size(), int64(10))
	must(f.Seek(-3, io.SeekEnd))(t)
	equal(t, "from the end", string(must(io.ReadAll(f))(t)), "789")
	part := make([]byte, 4)
	must(f.ReadAt(part, 2))(t)
	equal(t, "in the middle", string(part), "2345")
	n, err := f.ReadAt(part, 8)
	if n != 2 || err != io.EOF {
		t.Errorf("over the end: got %d, %v", n, err)
	}
	noError(t, f.Close())
	if _, err := f.Read(part); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: got %v", err)
	}
}

func TestReadingInsideADirectory(t *testing.T) {
	api := newAPI(t)
	single := newArchive(t, api, "single")
	put(t, single, "text")
	h := newArchive(t, api, "tree")
	must(h.Update(t.Context(), writeTree(t, map[string]string{
		"a/b": "text of a/b", "a/empty/": "", "c": "text of c", "l": "->a/b",
	}), nil))(t)
	for _, c := range []struct {
		name    string
		archive *Archive
		path    string
		want    string
		err     string
	}{
		{"a file", h, "c", "text of c", ""},
		{"a file below a directory", h, "a/b", "text of a/b", ""},
		{"a path that is not clean", h, "/a//./b", "text of a/b", ""},
		{"nothing", h, "a/x", "", `tree version 0.0.1: "a/x": file does not exist`},
		{"a directory", h, "a", "", `tree version 0.0.1: "a" is not a file`},
		{"an empty directory", h, "a/empty", "", `tree version 0.0.1: "a/empty" is not a file`},
		{"a link", h, "l", "", `tree version 0.0.1: "l" is not a file`},
		{"no path", h, "", "", `tree version 0.0.1 is a directory`},
		{"the top", h, "/", "", `tree version 0.0.1 is a directory`},
		{"upwards", h, "a/../c", "", `path "a/../c": ".." is not allowed`},
		{"out", h, "../c", "", `path "../c": ".." is not allowed`},
		{"a path in a single file", single, "c", "", `single version 0.0.1 is a single file and has no path "c"`},
		{"the top of a single file", single, "/", "", `single version 0.0.1 is a single file and has no path "/"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got bytes.Buffer
			err := c.archive.Cat(t.Context(), &got, &OpenOptions{Path: c.path})
			if c.err != "" {
				wantError(t, err, c.err, nil)
				return
			}
			noError(t, err)
			equal(t, "contents", got.String(), c.want)
		})
	}
}

func TestWhatIsKnownOfAVersion(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "a/x")
	put(t, h, "hello")
	put(t, h, "other")
	tree := newArchive(t, api, "tree")
	must(tree.Update(t.Context(), writeTree(t, map[string]string{"a": "12", "b": "345"}), nil))(t)
	once := must(api.Create(t.Context(), "once", &CreateOptions{Unversioned: true}))(t)
	put(t, once, "hello")
	const hello = "ea8f163db38682925e4491c5e58d4bb3506ef8c14eb78a86e908c5624a67200f" // BLAKE3 of it

	info := must(h.Info(t.Context(), "0.0.1"))(t)
	if len(info.Tree) != 64 || !info.Modified.Equal(someTime) || info.Hash != (Hash{"blake3", hello}) || info.Size != 5 || info.Files != 1 || info.Dir {
		t.Errorf("got %+v", info)
	}
	ctx := t.Context()
	equal(t, "path", must(h.VersionPath(ctx, "0.0.1"))(t), "a/x/0.0.1")
	equal(t, "path of the unversioned", must(once.VersionPath(ctx, ""))(t), "once")
	equal(t, "hash", must(h.VersionHash(ctx, "0.0.1"))(t), Hash{"blake3", hello})
	equal(t, "the latest hash", must(h.LatestHash(ctx))(t) == must(h.VersionHash(ctx, ""))(t), true)
	equal(t, "hash of a file", must(api.HashFile(ctx, writeTree(t, map[string]string{"f": "hello"})+"/f"))(t), Hash{"blake3", hello})
	equal(t, "the version asked for", must(h.Version(ctx, "0.0.1"))(t).Version.String(), "0.0.1")
	equal(t, "is a file", must(h.IsFile(ctx, ""))(t), true)
	equal(t, "a tree is a file", must(tree.IsFile(ctx, ""))(t), false)
	equal(t, "a version that is not there is a file", must(h.IsFile(ctx, "9.0"))(t), false)
	equal(t, "description", must(h.Description(ctx, ""))(t), "file of 5 bytes at local://a/x/0.0.2")
	equal(t, "description of a tree", must(tree.Description(ctx, ""))(t), "directory of 2 files, 5 bytes, at local://tree/0.0.1")
	for name, want := range map[string]string{
		"path": "a/x/0.0.1", "size": "5", "files": "1", "modified": "2017-11-18T12:30:00Z", "blake3": hello, "tree": info.Tree,
	} {
		equal(t, name, must(h.Meta(ctx, "0.0.1", name))(t), want)
	}
	equal(t, "has size", must(h.HasMeta(ctx, "", "size"))(t), true)
	equal(t, "has md5", must(h.HasMeta(ctx, "", "md5"))(t), false)
	_, err := h.Meta(ctx, "", "colour")
	wantError(t, err, `a/x/0.0.2 has no property "colour"`, fs.ErrNotExist)
}

func TestAnArchiveWithoutContents(t *testing.T) {
	api := newAPI(t)
	for _, unversioned := range []bool{false, true} {
		h := must(api.Create(t.Context(), map[bool]string{false: "v", true: "u"}[unversioned], &CreateOptions{Unversioned: unversioned}))(t)
		equal(t, "versions", versions(t, h), "")
		equal(t, "latest version", must(h.LatestVersion(t.Context()))(t), "")
		equal(t, "latest hash", must(h.LatestHash(t.Context()))(t), Hash{})
		equal(t, "history", len(must(h.History(t.Context()))(t)), 0)
		equal(t, "exists", must(h.Exists(t.Context(), ""))(t), false)
		for _, err := range []error{
			second(h.VersionHash(t.Context(), "")), second(h.VersionPath(t.Context(), "")), second(h.Info(t.Context(), "")),
			second(h.Dependencies(t.Context(), "")), second(h.Diff(t.Context(), "", "")), second(h.IsCached(t.Context(), "")),
		} {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("got %v, want %v", err, fs.ErrNotExist)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestEveryMethodSaysThatTheArchiveIsGone(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "text")
	noError(t, h.Delete(t.Context()))
	for name, err := range map[string]error{
		"Open": second(h.Open(t.Context(), nil)), "Versions": second(h.Versions(t.Context())), "History": second(h.History(t.Context())),
		"LatestVersion": second(h.LatestVersion(t.Context())), "LatestHash": second(h.LatestHash(t.Context())),
		"Metadata": second(h.Metadata(t.Context())), "UpdateMetadata": h.UpdateMetadata(t.Context(), map[string]*string{"a": new("b")}),
		"Tags": second(h.Tags(t.Context())), "AddTags": h.AddTags(t.Context(), "a"), "DeleteTags": h.DeleteTags(t.Context(), "a"),
		"SetDependencies": h.SetDependencies(t.Context(), nil), "Dependencies": second(h.Dependencies(t.Context(), "")),
		"Delete": h.Delete(t.Context()), "Update": second(h.Update(t.Context(), "x", nil)), "Record": second(h.Record(t.Context())),
		"OpenWriter": second(h.OpenWriter(t.Context(), "a", nil)), "LocalPath": second(h.LocalPath(t.Context(), nil)),
		"Download": second(h.Download(t.Context(), "/tmp/x", nil)), "Archive": second(api.Archive(t.Context(), "x", nil)),
		"API.Delete": api.Delete(t.Context(), "x"), "Log": h.Log(t.Context(), io.Discard),
	} {
		t.Run(name, func(t *testing.T) { wantError(t, err, `Archive "x" not found`, fs.ErrNotExist) })
	}
	_, err := h.Version(t.Context(), "0.0.1")
	wantError(t, err, `Archive "x" not found`, fs.ErrNotExist)
	entries := 0
	for _, err := range h.Entries(t.Context(), "") {
		wantError(t, err, `Archive "x" not found`, fs.ErrNotExist)
		entries++
	}
	equal(t, "entries", entries, 1)
}
