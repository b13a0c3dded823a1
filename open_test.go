package datafs

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/index/leaf"
)

func TestInit(t *testing.T) {
	dir := t.TempDir()
	repo := must(Init(t.Context(), dir, nil))(t)
	equal(t, "repository", repo, filepath.Join(dir, ".datafs"))
	_, err := Init(t.Context(), dir, nil)
	wantError(t, err, "repository "+repo+" already exists", fs.ErrExist)
	if _, err := Init(t.Context(), filepath.Join(dir, "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("below a directory that is missing: got %v", err)
	}
	file := writeTree(t, map[string]string{"f": ""}) + "/f"
	_, err = Init(t.Context(), file, nil)
	wantError(t, err, file+" is not a directory", fs.ErrInvalid)

	sub := filepath.Join(dir, "deep/down")
	noError(t, os.MkdirAll(sub, 0o755))
	opts := testOptions(sub)
	opts.Repo = ""
	equal(t, "found from below", openChecked(t, opts).Repo(), repo)
	opts.Repo = dir
	equal(t, "found by the directory it belongs to", openChecked(t, opts).Repo(), repo)
}

func TestTheIdOfARepositoryIsRandom(t *testing.T) {
	format := func(random []byte) string {
		dir := t.TempDir()
		must(Init(t.Context(), dir, &Options{Rand: bytes.NewReader(random)}))(t)
		return string(must(os.ReadFile(filepath.Join(dir, ".datafs/datafs.json")))(t))
	}
	if got := format([]byte("0123456789abcdef")); !strings.Contains(got, `"30313233343536373839616263646566"`) {
		t.Errorf("got %s", got)
	}
	_, err := Init(t.Context(), t.TempDir(), &Options{Rand: strings.NewReader("short")})
	if err == nil {
		t.Error("an id without enough randomness")
	}
}

func TestOpenMakesTheProfilesRepository(t *testing.T) {
	home := t.TempDir()
	env := map[string]string{"HOME": home}
	opts := &Options{Dir: home, Getenv: func(name string) string { return env[name] }}
	api := openChecked(t, opts)
	equal(t, "repository", api.Repo(), filepath.Join(home, ".local/share/datafs/default"))
	equal(t, "configuration", api.ConfigFile(), "")
	equal(t, "profile", api.Profile().Name, "default")
	put(t, newArchive(t, api, "x"), "text")
	again := openChecked(t, opts)
	equal(t, "contents", text(t, must(again.Archive(t.Context(), "x", nil))(t), ""), "text")
	fi := must(os.Stat(api.Repo()))(t)
	equal(t, "mode", fi.Mode().Perm(), fs.FileMode(0o700))
}

func TestOpenRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		opts func(o *Options)
		want string
		kind error
	}{
		{"a profile that is not there", func(o *Options) { o.Profile = "none" }, `Profile "none" not found`, fs.ErrNotExist},
		{"a configuration file that is not there", func(o *Options) { o.ConfigFile = "@/none.yml" }, "", fs.ErrNotExist},
		{"a configuration that is broken", func(o *Options) { o.Config = strings.NewReader("a: [") }, "", nil},
		{"a service that is not known", func(o *Options) {
			o.Config = strings.NewReader("authorities: {a: {service: FloppyFS}}")
		}, "", nil},
		{"a repository that must exist", func(o *Options) { o.MustExist = true }, "there is no repository in @/repo", fs.ErrNotExist},
		{"a repository of a later format", func(o *Options) { o.Repo = "@/later" },
			"open repository: @/later/datafs.json: repository format 99 is not known to this program (it knows 1): use a newer datafs", nil},
		{"a repository whose format file is damaged", func(o *Options) { o.Repo = "@/damaged" }, "", ErrCorrupt},
		{"a repository whose format file is gone", func(o *Options) { o.Repo = "@/gone" },
			"open repository: @/gone/datafs.json is missing", ErrCorrupt},
		{"a file in the repository's place", func(o *Options) { o.Repo = "@/file" }, "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := writeTree(t, map[string]string{
				"later/datafs.json": `{"format": 99}`, "damaged/datafs.json": "garbage", "gone/journal/": "", "file": "",
			})
			opts := testOptions(dir)
			c.opts(opts)
			opts.Repo = strings.ReplaceAll(opts.Repo, "@", dir)
			opts.ConfigFile = strings.ReplaceAll(opts.ConfigFile, "@", dir)
			before := readTree(t, dir)
			_, err := Open(t.Context(), opts)
			if err == nil || c.kind != nil && !errors.Is(err, c.kind) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line of the kind %v", err, c.kind)
			}
			if c.want != "" {
				wantError(t, err, strings.ReplaceAll(c.want, "@", dir), c.kind)
			}
			equal(t, "files after it", readTree(t, dir), before)
		})
	}
}

func TestOpenWithACancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, testOptions(t.TempDir())); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestAClosedAPIIsOfNoUse(t *testing.T) {
	api := must(Open(t.Context(), testOptions(t.TempDir())))(t)
	h := newArchive(t, api, "x")
	noError(t, api.Close())
	for _, err := range []error{second(h.UpdateFrom(t.Context(), strings.NewReader("a"), nil)), second(api.Archive(t.Context(), "x", nil))} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("got %v, want %v", err, fs.ErrClosed)
		}
	}
}

func TestErrorsHaveATextAndAKind(t *testing.T) {
	hint := &HintError{Err: leaf.Errorf(ErrEmpty, "nothing in %s", "x"), Hint: "put something in"}
	equal(t, "text", hint.Error(), "nothing in x")
	equal(t, "kind", errors.Is(hint, ErrEmpty), true)
	equal(t, "another kind", errors.Is(hint, ErrBusy), false)
}
