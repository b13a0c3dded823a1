package datafs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
)

// someTime is when everything in these tests happens, unless a test says
// otherwise. It lies before every file's time stamps, so no file is taken for
// unchanged without being read.
var someTime = time.Date(2017, 11, 18, 12, 30, 0, 0, time.UTC)

// testOptions are those of a user without configuration and environment, with
// the repository repo in the directory dir.
func testOptions(dir string) *Options {
	return &Options{
		Repo:        filepath.Join(dir, "repo"),
		Dir:         dir,
		Getenv:      func(name string) string { return map[string]string{"HOME": dir}[name] },
		Now:         func() time.Time { return someTime },
		LockTimeout: 30 * time.Second,
	}
}

// configured are the options with a configuration.
func configured(dir, config string) *Options {
	opts := testOptions(dir)
	opts.Config = strings.NewReader(config)
	return opts
}

// newAPI opens a new repository, and checks it deeply when the test ends.
func newAPI(t *testing.T) *API {
	t.Helper()
	return openChecked(t, testOptions(t.TempDir()))
}

// openChecked opens a repository and checks it deeply when the test ends.
func openChecked(t *testing.T, opts *Options) *API {
	t.Helper()
	api := openOnly(t, opts)
	t.Cleanup(func() {
		checkDeeply(t, api)
		if left, _ := os.ReadDir(filepath.Join(api.Repo(), "tmp")); len(left) > 0 {
			t.Errorf("left behind in the repository: %v", left)
		}
	})
	return api
}

// openOnly opens a repository that is damaged later.
func openOnly(t *testing.T, opts *Options) *API {
	t.Helper()
	api, err := Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { noError(t, api.Close()) })
	return api
}

// noGrace are the options of a GC that lets go at once.
func noGrace(dry bool) *GCOptions { return &GCOptions{Dry: dry, Grace: new(time.Duration)} }

func checkDeeply(t *testing.T, api *API) CheckReport {
	t.Helper()
	rep, err := api.Check(context.Background(), &CheckOptions{Full: true})
	noError(t, err)
	if !rep.Sound() {
		t.Errorf("check: %q, unreadable: %v", rep.Problems, rep.Unreadable)
	}
	return rep
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

func newArchive(t *testing.T, api *API, name string) *Archive {
	t.Helper()
	return must(api.Create(t.Context(), name, nil))(t)
}

// put makes a version of a text.
func put(t *testing.T, h *Archive, text string) Result {
	t.Helper()
	return must(h.UpdateFrom(t.Context(), strings.NewReader(text), nil))(t)
}

// text reads a version.
func text(t *testing.T, h *Archive, version string) string {
	t.Helper()
	var b bytes.Buffer
	noError(t, h.Cat(t.Context(), &b, &OpenOptions{Version: version}))
	return b.String()
}

func versions(t *testing.T, h *Archive) string {
	t.Helper()
	return strings.Join(must(h.Versions(t.Context()))(t), " ")
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

// readTree is the opposite of writeTree.
func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	noError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir():
			if left, err := os.ReadDir(path); err != nil || len(left) > 0 {
				return err
			}
			files[rel+"/"] = ""
		case d.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			files[rel] = "->" + target
			return err
		case !d.Type().IsRegular():
			files[rel] = d.Type().String()
		default:
			data, err := os.ReadFile(path)
			files[rel] = string(data)
			return err
		}
		return nil
	}))
	return files
}

func collect[T any](t *testing.T, seq func(yield func(T, error) bool)) []T {
	t.Helper()
	var list []T
	for v, err := range seq {
		noError(t, err)
		list = append(list, v)
	}
	return list
}

// authorityKinds are all kinds of authorities, opened by a function of the test's own.
func authorityKinds(open func(context.Context, config.Service) (remote.Authority, error)) (list []config.Kind) {
	for _, k := range config.With(nil) {
		if !k.Manager {
			list = append(list, config.Kind{Name: k.Name, Authority: func(ctx context.Context, s config.Service, _ func(string) string) (remote.Authority, error) {
				return open(ctx, s)
			}})
		}
	}
	return list
}

// databaseKinds are the two kinds of databases, opened by a function of the test's own.
func databaseKinds(open func(context.Context, config.Manager) (config.Database, error)) []config.Kind {
	return []config.Kind{{Name: "MongoDBManager", Database: open}, {Name: "DynamoDBManager", Database: open}}
}
