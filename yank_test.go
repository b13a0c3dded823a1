package datafs

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
)

// yankedAPI has an archive x of three versions, "1", "2" and "3", of which the
// last is yanked, and gives what was warned of.
func yankedAPI(t *testing.T) (*API, *Archive, *[]string) {
	t.Helper()
	var warned []string
	opts := testOptions(t.TempDir())
	opts.Warn = func(text string) { warned = append(warned, text) }
	api := openChecked(t, opts)
	h := newArchive(t, api, "x")
	for _, s := range []string{"1", "2", "3"} {
		put(t, h, s)
	}
	noError(t, h.Yank(t.Context(), "0.0.3", "bad"))
	return api, h, &warned
}

func TestAYankedVersionIsReadByItsNumberOnly(t *testing.T) {
	api, h, warned := yankedAPI(t)
	equal(t, "the default", text(t, h, ""), "2")
	equal(t, "latest", text(t, h, "latest"), "2")
	equal(t, "the latest version", must(h.LatestVersion(t.Context()))(t), "0.0.2")
	equal(t, "warnings", len(*warned), 0)
	for range 2 {
		equal(t, "the yanked one", text(t, h, "0.0.3"), "3")
	}
	noError(t, api.SetDefaultVersions(map[string]string{"x": "0.0.3"}))
	equal(t, "pinned", text(t, archive(t, api, "x"), ""), "3")
	if want := []string{`archive "x" version 0.0.3 was yanked: bad`}; !slices.Equal(*warned, want) {
		t.Errorf("got warnings %q, want %q", *warned, want)
	}
	noError(t, h.Yank(t.Context(), "0.0.3", "worse"))
	text(t, h, "0.0.3")
	equal(t, "warnings of the new reason", len(*warned), 2)
	noError(t, h.Unyank(t.Context(), "0.0.3"))
	equal(t, "latest after it was taken back", text(t, h, "latest"), "3")
	equal(t, "warnings after it was taken back", len(*warned), 2)
}

func TestAnUpdateComesAfterAYankedVersion(t *testing.T) {
	_, h, warned := yankedAPI(t)
	if res := put(t, h, "3"); res.Created || len(*warned) != 1 {
		t.Errorf("the yanked contents: got %+v and %q, want no version and a warning", res, *warned)
	}
	equal(t, "the next version", put(t, h, "2").Version, "0.0.4")
}

func TestWhenAllVersionsAreYanked(t *testing.T) {
	api, h, _ := yankedAPI(t)
	noError(t, h.Yank(t.Context(), "0.0.1", "bad"))
	noError(t, h.Yank(t.Context(), "0.0.2", "bad"))
	const want = `all versions of archive "x" are yanked`
	_, err := h.Version(t.Context(), "")
	wantError(t, err, want, fs.ErrNotExist)
	if _, ok := errors.AsType[*refs.AllYankedError](err); !ok {
		t.Errorf("error %v is no AllYankedError", err)
	}
	_, err = h.LatestVersion(t.Context())
	wantError(t, err, want, fs.ErrNotExist)
	_, err = h.LocalPath(t.Context(), nil)
	wantError(t, err, want, fs.ErrNotExist)
	equal(t, "what a pull of all brings", len(must(api.wanted(t.Context(), &PullOptions{All: true}))(t)), 0)
	equal(t, "the next version", put(t, h, "4").Version, "0.0.4")
	equal(t, "latest", text(t, h, ""), "4")
}

func TestYankRefuses(t *testing.T) {
	api, h, _ := yankedAPI(t)
	u := must(api.Create(t.Context(), "u", &CreateOptions{Unversioned: true}))(t)
	put(t, u, "1")
	for _, c := range []struct {
		name string
		err  error
		want error
	}{
		{"no reason", h.Yank(t.Context(), "0.0.1", ""), fs.ErrInvalid},
		{"no number", h.Yank(t.Context(), "latest", "r"), fs.ErrInvalid},
		{"no such version", h.Yank(t.Context(), "9.0", "r"), fs.ErrNotExist},
		{"no such version to take back", h.Unyank(t.Context(), "9.0"), fs.ErrNotExist},
		{"no such version to check", h.CheckYank(t.Context(), "9.0"), fs.ErrNotExist},
		{"an archive without versions", u.Yank(t.Context(), "0.0.1", "r"), fs.ErrInvalid},
		{"an archive without versions to check", u.CheckYank(t.Context(), "0.0.1"), fs.ErrInvalid},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, c.err, c.want)
		}
	}
	noError(t, h.CheckYank(t.Context(), "0.0.1"))
}

func TestTheLogSaysWhatIsYanked(t *testing.T) {
	_, h, _ := yankedAPI(t)
	noError(t, h.Yank(t.Context(), "0.0.2", "two\nlines"))
	var b strings.Builder
	noError(t, h.Log(t.Context(), &b))
	if got := b.String(); strings.Count(got, "\nYanked:    bad\n") != 1 || !strings.Contains(got, "\nYanked:    two\\nlines\n") || strings.Count(got, "Yanked:") != 2 {
		t.Errorf("got\n%s", got)
	}
}
