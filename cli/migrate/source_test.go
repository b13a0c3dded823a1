package migrate

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

func TestFromJSON(t *testing.T) {
	const export = `{"_id": "a", "n": 1}
{"_id": "required_user_config", "config": {"username": "?"}}
[{"_id": "b"}]`
	seed := FromJSON(strings.NewReader(export))
	docs := collect(t, seed.Documents(t.Context()))
	equal(t, "documents", fmt.Sprint(docs), "[map[_id:a n:1] map[_id:b]]")
	equal(t, "requirements", fmt.Sprint(must(seed.Spec(t.Context()))(t)), "map[required_user_config:map[username:?]]")
	for _, broken := range []string{`{"_id": `, `["a"]`, `1`} {
		var err error
		for _, err = range FromJSON(strings.NewReader(broken)).Documents(t.Context()) {
		}
		if err == nil {
			t.Errorf("%s: got no error", broken)
		}
	}
}

func TestOpenDir(t *testing.T) {
	dir := writeTree(t, map[string]string{"a/b": "x", "out": "->" + os.TempDir()})
	makePipe(t, filepath.Join(dir, "pipe"))
	files := must(OpenDir(dir))(t)
	defer files.Close()
	equal(t, "a file", string(must(io.ReadAll(must(files.Open(t.Context(), "/a/b"))(t)))(t)), "x")
	for path, kind := range map[string]error{
		"a/c": fs.ErrNotExist, "a/b/c": fs.ErrNotExist, "a": fs.ErrInvalid, "pipe": fs.ErrInvalid, "../x": nil, "out": nil, "": nil,
	} {
		if _, err := files.Open(t.Context(), path); err == nil || kind != nil && !errors.Is(err, kind) {
			t.Errorf("%q: got %v", path, err)
		}
	}
	if _, err := OpenDir(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}
