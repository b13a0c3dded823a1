package datafs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSeedProfile(t *testing.T) {
	dir := t.TempDir()
	opts := configured(dir, `
profiles:
  default: {}
  old:
    authorities: {local: {service: OSFS, args: [data]}}
    manager: {class: MongoDBManager, kwargs: {database_name: d, client_kwargs: {password: 'env:SECRET'}}}
`)
	home := opts.Getenv
	opts.Getenv = func(name string) string { return home(name) + map[string]string{"SECRET": "hushhush"}[name] }
	api := openChecked(t, opts)
	p := must(api.SeedProfile("old"))(t)
	equal(t, "directory", p.Authorities[0].Args[0], any(filepath.Join(dir, "data")))
	equal(t, "password", p.Manager.Kwargs["client_kwargs"].(map[string]any)["password"], any("hushhush"))
	if _, err := api.SeedProfile("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestSeedFromJSON(t *testing.T) {
	const export = `{"_id": "a", "n": 1}
{"_id": "required_user_config", "config": {"username": "?"}}
[{"_id": "b"}]`
	seed := SeedFromJSON(strings.NewReader(export))
	docs := collect(t, seed.Documents(t.Context()))
	equal(t, "documents", fmt.Sprint(docs), "[map[_id:a n:1] map[_id:b]]")
	equal(t, "requirements", fmt.Sprint(must(seed.Spec(t.Context()))(t)), "map[required_user_config:map[username:?]]")
	for _, broken := range []string{`{"_id": `, `["a"]`, `1`} {
		var err error
		for _, err = range SeedFromJSON(strings.NewReader(broken)).Documents(t.Context()) {
		}
		if err == nil {
			t.Errorf("%s: got no error", broken)
		}
	}
}

func TestSeedDir(t *testing.T) {
	dir := writeTree(t, map[string]string{"a/b": "x", "out": "->" + os.TempDir()})
	makePipe(t, filepath.Join(dir, "pipe"))
	files := must(OpenSeedDir(dir))(t)
	defer files.Close()
	equal(t, "a file", string(must(io.ReadAll(must(files.Open(t.Context(), "/a/b"))(t)))(t)), "x")
	for path, kind := range map[string]error{
		"a/c": fs.ErrNotExist, "a/b/c": fs.ErrNotExist, "a": fs.ErrInvalid, "pipe": fs.ErrInvalid, "../x": nil, "out": nil, "": nil,
	} {
		if _, err := files.Open(t.Context(), path); err == nil || kind != nil && !errors.Is(err, kind) {
			t.Errorf("%q: got %v", path, err)
		}
	}
	if _, err := OpenSeedDir(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
