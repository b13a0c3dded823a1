package datafs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestUpdateBumpsTheLatestVersion(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	for i, c := range []struct {
		name             string
		text             string
		bump, prerelease string
		want, previous   string
		created          bool
	}{
		{"the first contents", "a", "", "", "0.0.1", "", true},
		{"other contents", "b", "", "", "0.0.2", "0.0.1", true},
		{"the same contents, whatever the bump", "b", "major", "", "0.0.2", "0.0.2", false},
		{"contents of an older version", "a", "minor", "", "0.1", "0.0.2", true},
		{"a prerelease alone is of the next patch", "c", "", "alpha", "0.1.1a1", "0.1", true},
		{"a second one", "d", "", "alpha", "0.1.1a2", "0.1.1a1", true},
		{"beta after alpha", "e", "", "beta", "0.1.1b1", "0.1.1a2", true},
		{"a patch releases it", "f", "patch", "", "0.1.1", "0.1.1b1", true},
		{"a bump and a prerelease", "g", "minor", "beta", "0.2b1", "0.1.1", true},
		{"its minor release", "h", "minor", "", "0.2", "0.2b1", true},
		{"major", "i", "major", "", "1.0", "0.2", true},
	} {
		res, err := h.UpdateFrom(t.Context(), strings.NewReader(c.text), &UpdateOptions{Bump: c.bump, Prerelease: c.prerelease})
		noError(t, err)
		if res.Version != c.want || res.Previous != c.previous || res.Created != c.created || res.Size != 1 || res.Archive != h {
			t.Errorf("%d, %s: got %+v", i, c.name, res)
		}
		equal(t, c.name, text(t, h, res.Version), c.text)
	}
	equal(t, "versions", versions(t, h), "0.0.1 0.0.2 0.1 0.1.1a1 0.1.1a2 0.1.1b1 0.1.1 0.2b1 0.2 1.0")
	equal(t, "an old version", text(t, h, "0.0.2"), "b")
}

func TestUpdateRefusals(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	noError(t, api.RequireMetadata(t.Context(), map[string]*string{"source": new("source")}))
	must(h.UpdateFrom(t.Context(), strings.NewReader("first"), &UpdateOptions{Bump: "minor", Prerelease: "beta"}))(t)
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		path string
		opts UpdateOptions
		want string
		kind error
	}{
		{"a bump that is not known", "f", UpdateOptions{Bump: "huge"}, `Bump kind "huge" not understood`, fs.ErrInvalid},
		{"a stage that is not known", "f", UpdateOptions{Prerelease: "gamma"}, `Prerelease type "gamma" not understood`, fs.ErrInvalid},
		{"beta back to alpha", "f", UpdateOptions{Prerelease: "alpha"},
			`Cannot bump version "0.1b1" to prerelease stage "alpha" - version already in beta`, fs.ErrInvalid},
		{"a file that is missing", "missing", UpdateOptions{},
			"update <DataArchive local://x>: stat " + dir + "/missing: no such file or directory", fs.ErrNotExist},
		{"an empty file", "empty", UpdateOptions{}, "update <DataArchive local://x>: the contents are empty, no version is made", ErrEmpty},
		{"an empty directory", "dir", UpdateOptions{}, "update <DataArchive local://x>: the contents are empty, no version is made", ErrEmpty},
		{"a device", "/dev/null", UpdateOptions{},
			"update <DataArchive local://x>: /dev/null is a device, neither a file nor a directory", nil},
		{"requirements that are missing", "f", UpdateOptions{Requirements: "none.txt"},
			"read requirements: open " + dir + "/none.txt: no such file or directory", fs.ErrNotExist},
		{"a required key that is to go", "f", UpdateOptions{Metadata: map[string]*string{"a": new("b"), "source": nil}},
			`Cannot remove required metadata attribute "source"`, fs.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			api.opts.Dir = dir
			noError(t, os.MkdirAll(filepath.Join(dir, "dir"), 0o755))
			noError(t, os.WriteFile(filepath.Join(dir, "f"), []byte("second"), 0o644))
			noError(t, os.WriteFile(filepath.Join(dir, "empty"), nil, 0o644))
			path := c.path
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			_, err := h.Update(t.Context(), path, &c.opts)
			wantError(t, err, c.want, c.kind)
			equal(t, "versions", versions(t, h), "0.1b1")
			equal(t, "metadata", must(h.Metadata(t.Context()))(t), map[string]string{})
		})
	}
}

func TestUpdateOfAnArchiveThatIsGone(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	noError(t, api.Delete(t.Context(), "x"))
	_, err := h.UpdateFrom(t.Context(), strings.NewReader("text"), nil)
	wantError(t, err, `Archive "x" not found`, fs.ErrNotExist)
}

func TestUpdateTakesAnUnreadableSourceForAnError(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	broken := io.MultiReader(strings.NewReader("some"), readerFunc(func([]byte) (int, error) { return 0, errors.New("line cut") }))
	_, err := h.UpdateFrom(t.Context(), broken, nil)
	wantError(t, err, "update <DataArchive local://x>: line cut", nil)
	equal(t, "versions", versions(t, h), "")
}

func TestEmptyContentsCanBeMeant(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	res, err := h.UpdateFrom(t.Context(), strings.NewReader(""), &UpdateOptions{AllowEmpty: true})
	noError(t, err)
	equal(t, "version", res.Version, "0.0.1")
	equal(t, "contents", text(t, h, ""), "")

	res, err = h.Update(t.Context(), writeTree(t, map[string]string{"only/": ""}), &UpdateOptions{AllowEmpty: true})
	noError(t, err)
	equal(t, "version", res.Version, "0.0.2")
	must(h.Update(t.Context(), writeTree(t, map[string]string{"an/empty/file": ""}), nil))(t)
}

func TestUpdateAppliesMetadataAlsoWhenNothingChanged(t *testing.T) {
	api := newAPI(t)
	h := must(api.Create(t.Context(), "x", &CreateOptions{Metadata: map[string]string{"a": "1", "b": "2"}}))(t)
	for i, set := range []map[string]*string{{"a": new("3")}, {"c": new("4"), "b": nil}} {
		res := must(h.UpdateFrom(t.Context(), strings.NewReader("same"), &UpdateOptions{Metadata: set}))(t)
		equal(t, "created", res.Created, i == 0)
	}
	equal(t, "metadata", must(h.Metadata(t.Context()))(t), map[string]string{"a": "3", "c": "4"})
}

func TestRemoveTakesTheSourceAway(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	path := filepath.Join(t.TempDir(), "f")
	for _, c := range []struct {
		name, text string
		opts       UpdateOptions
		stays      bool
	}{
		{"without it the file stays", "a", UpdateOptions{}, true},
		{"with it the file goes", "b", UpdateOptions{Remove: true}, false},
		{"also when nothing changed", "b", UpdateOptions{Remove: true}, false},
		{"but not after an error", "c", UpdateOptions{Remove: true, Bump: "huge"}, true},
		{"nor after empty contents", "", UpdateOptions{Remove: true}, true},
	} {
		noError(t, os.WriteFile(path, []byte(c.text), 0o644))
		h.Update(t.Context(), path, &c.opts)
		_, err := os.Stat(path)
		equal(t, c.name, err == nil, c.stays)
	}
	dir := writeTree(t, map[string]string{"a/b": "text"})
	must(h.Update(t.Context(), dir, &UpdateOptions{Remove: true}))(t)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there: %v", err)
	}
}

func TestAnUnchangedFileIsNotRead(t *testing.T) {
	opts := testOptions(t.TempDir())
	opts.Now = func() time.Time { return time.Now().Add(time.Minute) } // no time stamp is racy
	var read int64
	opts.Progress = func(p Progress) { read += p.Bytes }
	api := openChecked(t, opts)
	h := newArchive(t, api, "x")
	file := filepath.Join(writeTree(t, map[string]string{"f": "some text"}), "f")
	equal(t, "first", must(h.Update(t.Context(), file, nil))(t).Cached, false)
	equal(t, "second", must(h.Update(t.Context(), file, nil))(t).Cached, true)
	noError(t, os.WriteFile(file, []byte("other text, same file"), 0o644))
	equal(t, "third", must(h.Update(t.Context(), file, nil))(t).Cached, false)
	equal(t, "contents", text(t, h, ""), "other text, same file")
	if read == 0 {
		t.Error("no progress was told")
	}
}

func TestOneContentIsStoredOnce(t *testing.T) {
	api := newAPI(t)
	random := must(io.ReadAll(io.LimitReader(newRandom(1), 1<<20)))(t)
	first := put(t, newArchive(t, api, "x"), string(random))
	if first.New < 1<<20 || first.Stored < 1<<20 || first.Files != 1 {
		t.Errorf("first: got %+v, want all of it new", first)
	}
	again := put(t, newArchive(t, api, "y"), string(random))
	if again.New != 0 || again.Stored != 0 || again.Size != 1<<20 || !again.Created {
		t.Errorf("again: got %+v, want nothing new", again)
	}
	more := put(t, again.Archive, string(random)+"some more")
	if more.New > 1<<18+2000 || more.Version != "0.0.2" {
		t.Errorf("more: got %+v, want little new", more)
	}
}

func TestTheProfileAsksForChecksums(t *testing.T) {
	api := openChecked(t, configured(t.TempDir(), "checksums: [sha256, md5]"))
	h := newArchive(t, api, "x")
	put(t, h, "hello")
	info := must(h.Info(t.Context(), ""))(t)
	equal(t, "checksums", fmt.Sprint(info.Sums), fmt.Sprint(map[string]string{
		"md5":    "5d41402abc4b2a76b9719d911017c592",
		"sha256": fmt.Sprintf("%x", sha256.Sum256([]byte("hello"))),
	}))
	equal(t, "md5", must(h.Meta(t.Context(), "", "md5"))(t), info.Sums["md5"])

	must(h.Update(t.Context(), writeTree(t, map[string]string{"f": "hello"}), nil))(t)
	equal(t, "checksums of a directory", len(must(h.Info(t.Context(), ""))(t).Sums), 0)
}

func TestChecksumsOfTheSameContentsAreKnown(t *testing.T) {
	api := openOnly(t, configured(t.TempDir(), "checksums: [md5]"))
	random := randomText(t, 1, 1<<20)
	h := newArchive(t, api, "x")
	put(t, h, random)
	spoil(t, api, 1<<20) // so that they cannot be computed again
	equal(t, "created", put(t, h, random).Created, false)
}

func TestHistoryRecordsTheUserAndTheMessage(t *testing.T) {
	dir := t.TempDir()
	config := "api: {user_config: {username: My Name, contact: me@x.org}}"
	api := openChecked(t, configured(dir, config))
	h := newArchive(t, api, "x")
	must(h.UpdateFrom(t.Context(), strings.NewReader("a"), &UpdateOptions{
		Message: new("first"), Prerelease: "beta", Dependencies: Dependencies{"dep": new("1.0")},
	}))(t)
	put(t, h, "b")
	noError(t, h.SetDependencies(t.Context(), nil))

	history := must(h.History(t.Context()))(t)
	var got []string
	for _, e := range history {
		message := "None"
		if e.Message != nil {
			message = *e.Message
		}
		got = append(got, fmt.Sprint(e.Version, " ", message, " ", len(e.Dependencies), " ", e.Prerelease, e.Bump))
		equal(t, "user", maps.Clone(e.UserConfig), map[string]string{"username": "My Name", "contact": "me@x.org"})
		equal(t, "time", e.Time.Equal(someTime), true)
	}
	equal(t, "history", got, []string{"0.0.1b1 first 1 beta", "0.0.1 None 1 patch", "0.0.1 None 0 patch"})

	var log strings.Builder
	noError(t, h.Log(t.Context(), &log))
	lines := strings.Split(log.String(), "\n")
	hash := must(h.LatestHash(t.Context()))(t)
	equal(t, "log", lines[:5], []string{
		"version 0.0.1 (blake3 " + hash.Checksum + ")", "Date:      Sat, 18 Nov 2017 12:30:00 +0000",
		"contact:   me@x.org", "username:  My Name", "",
	})
}

func TestProgressAddsUp(t *testing.T) {
	opts := testOptions(t.TempDir())
	var mu sync.Mutex
	told := map[string]int64{}
	opts.Progress = func(p Progress) {
		mu.Lock()
		defer mu.Unlock()
		told[fmt.Sprint(p.Label, " of ", p.Total)] += p.Bytes
	}
	api := openChecked(t, opts)
	h := newArchive(t, api, "x")
	put(t, h, strings.Repeat("text", 250))
	must(h.Download(t.Context(), filepath.Join(t.TempDir(), "f"), nil))(t)
	tree := newArchive(t, api, "tree")
	must(tree.Update(t.Context(), writeTree(t, map[string]string{"a": "12", "b": "345"}), nil))(t)
	must(tree.Download(t.Context(), filepath.Join(t.TempDir(), "d"), nil))(t)
	equal(t, "told", len(told), 4)
	equal(t, "of the update", told["x of 0"], 1000)
	equal(t, "of the download", told["x of 1000"], 1000)
	equal(t, "of the download of a directory", told["tree of 5"], 5)
}
