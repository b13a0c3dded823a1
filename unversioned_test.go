package datafs

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func newUnversioned(t *testing.T, api *API, name string) *Archive {
	t.Helper()
	return must(api.Create(t.Context(), name, &CreateOptions{Unversioned: true}))(t)
}

func TestAnUnversionedArchiveIsReplacedInPlace(t *testing.T) {
	api := newAPI(t)
	h := newUnversioned(t, api, "x")
	equal(t, "versioned", h.Versioned(), false)
	for i, c := range []struct {
		text             string
		bump, prerelease string
		created          bool
	}{
		{"one", "", "", true},
		{"one", "", "", false},
		{"two", "no such", "thing", true}, // both are ignored
		{"one", "major", "alpha", true},
	} {
		res, err := h.UpdateFrom(t.Context(), strings.NewReader(c.text), &UpdateOptions{Bump: c.bump, Prerelease: c.prerelease})
		noError(t, err)
		if res.Created != c.created || res.Version != "" || res.Previous != "" {
			t.Errorf("%d: got %+v", i, res)
		}
		equal(t, "contents", text(t, h, ""), c.text)
	}
	equal(t, "versions", versions(t, h), "")
	equal(t, "latest version", must(h.LatestVersion(t.Context()))(t), "")
	history := must(h.History(t.Context()))(t)
	equal(t, "records", len(history), 3)
	equal(t, "label", history[2].Label(), "3")
	var log strings.Builder
	noError(t, h.Log(t.Context(), &log))
	if !strings.HasPrefix(log.String(), "update 3 (blake3 ") {
		t.Errorf("log: got %s", &log)
	}
}

func TestAnUnversionedArchiveHasNoVersionToAskFor(t *testing.T) {
	api := newAPI(t)
	h := newUnversioned(t, api, "x")
	put(t, h, "text")
	dir := t.TempDir()
	for _, version := range []string{"0.0.1", "latest", "nonsense"} {
		for _, err := range []error{
			second(h.Open(t.Context(), &OpenOptions{Version: version})),
			second(h.Download(t.Context(), filepath.Join(dir, "f"), &DownloadOptions{Version: version})),
			second(h.Dependencies(t.Context(), version)),
			second(h.LocalPath(t.Context(), &WriteOptions{Version: version})),
		} {
			wantError(t, err, "Cannot specify version on an unversioned archive.", fs.ErrInvalid)
		}
	}
	equal(t, "files", readTree(t, dir), map[string]string{})
	version := must(h.Download(t.Context(), filepath.Join(dir, "f"), nil))(t)
	equal(t, "version", version, "")
	equal(t, "files", readTree(t, dir), map[string]string{"f": "text"})
}

func TestAPinDoesNotMatterToAnUnversionedArchive(t *testing.T) {
	api := newAPI(t)
	h := newUnversioned(t, api, "x")
	put(t, h, "text")
	noError(t, api.SetDefaultVersions(map[string]string{"x": "0.0.1"}))
	equal(t, "contents", text(t, h, ""), "text")
}

func TestAnUnversionedArchiveTakesDependenciesAndWriters(t *testing.T) {
	noTempLeft(t)
	api := newAPI(t)
	h := newUnversioned(t, api, "x")
	wantError(t, h.SetDependencies(t.Context(), nil), "Cannot set dependencies on an empty archive", ErrEmpty)
	put(t, h, "a")
	noError(t, h.SetDependencies(t.Context(), Dependencies{"d": nil}))
	l := must(h.LocalPath(t.Context(), nil))(t)
	noError(t, os.WriteFile(l.Path(), []byte("ab"), 0o600))
	equal(t, "created", must(l.Commit(t.Context()))(t).Created, true)
	equal(t, "contents", text(t, h, ""), "ab")
	equal(t, "dependencies", len(must(h.Dependencies(t.Context(), ""))(t)), 1)
}

func TestListDirTakesAnUnversionedArchiveForAFile(t *testing.T) {
	api := newAPI(t)
	put(t, newUnversioned(t, api, "dir/x"), "text")
	equal(t, "above", must(api.ListDir(t.Context(), "dir", ""))(t), []string{"x"})
	if _, err := api.ListDir(t.Context(), "dir/x", ""); err == nil {
		t.Error("a file was listed")
	}
}
