package migrate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs"
)

// newAPI opens a new repository, and checks it deeply when the test ends.
func newAPI(t *testing.T) *datafs.API {
	t.Helper()
	return openConfigured(t, "")
}

func openConfigured(t *testing.T, config string) *datafs.API {
	t.Helper()
	dir := t.TempDir()
	api := must(datafs.Open(t.Context(), &datafs.Options{
		Repo: filepath.Join(dir, "repo"), Dir: dir, Config: strings.NewReader(config),
		Getenv:      func(name string) string { return map[string]string{"HOME": dir}[name] },
		Now:         func() time.Time { return time.Date(2017, 11, 18, 12, 0, 0, 0, time.UTC) },
		LockTimeout: 30 * time.Second,
	}))(t)
	t.Cleanup(func() {
		rep := must(api.Check(context.Background(), &datafs.CheckOptions{Full: true}))(t)
		for _, p := range rep.Problems {
			t.Error(p)
		}
		if left, _ := os.ReadDir(filepath.Join(api.Repo(), "tmp")); len(left) > 0 {
			t.Errorf("left behind in the repository: %v", left)
		}
		noError(t, api.Close())
	})
	return api
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must passes a value on if there was no error:  must(f())(t).
func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		noError(t, err)
		return v
	}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%#v", got), fmt.Sprintf("%#v", want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// wantError checks an error's text and, if kind is not nil, its kind.
func wantError(t *testing.T, err error, text string, kind error) {
	t.Helper()
	if err == nil || err.Error() != text {
		t.Errorf("got error %v\nwant      %s", err, text)
	} else if kind != nil && !errors.Is(err, kind) {
		t.Errorf("%q is not of the kind %q", err, kind)
	}
}

func put(t *testing.T, a *datafs.Archive, text string) {
	t.Helper()
	must(a.UpdateFrom(t.Context(), strings.NewReader(text), nil))(t)
}

// text reads a version.
func text(t *testing.T, a *datafs.Archive, version string) string {
	t.Helper()
	var b bytes.Buffer
	noError(t, a.Cat(t.Context(), &b, &datafs.OpenOptions{Version: version}))
	return b.String()
}

func versions(t *testing.T, a *datafs.Archive) string {
	t.Helper()
	return strings.Join(must(a.Versions(t.Context()))(t), " ")
}

// dependenciesOf lists what a version depends on, such as "a==1.0 b".
func dependenciesOf(t *testing.T, a *datafs.Archive, version string) string {
	t.Helper()
	var list []string
	for name, v := range must(a.Dependencies(t.Context(), version))(t) {
		if v != nil {
			name += "==" + *v
		}
		list = append(list, name)
	}
	sort.Strings(list)
	return strings.Join(list, " ")
}

func collect[T any](t *testing.T, seq iter.Seq2[T, error]) []T {
	t.Helper()
	var list []T
	for v, err := range seq {
		noError(t, err)
		list = append(list, v)
	}
	return list
}

func archives(t *testing.T, api *datafs.API) string {
	t.Helper()
	return strings.Join(collect(t, api.Filter(t.Context(), nil)), " ")
}

// writeTree makes files below a new directory; a text that begins with "->" is
// a link's target, and a name that ends with a slash a directory.
func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		noError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		target, link := strings.CutPrefix(text, "->")
		switch {
		case strings.HasSuffix(name, "/"):
			noError(t, os.MkdirAll(path, 0o755))
		case link:
			noError(t, os.Symlink(target, path))
		default:
			noError(t, os.WriteFile(path, []byte(text), 0o644))
		}
	}
	return dir
}
