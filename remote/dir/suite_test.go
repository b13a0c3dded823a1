package dir_test

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/dir"
	"github.com/datafs/datafs/remote/remotetest"
)

func TestDir(t *testing.T) {
	remotetest.Run(t, func(t *testing.T) remote.Authority {
		a, err := dir.Open(&dir.Options{Root: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}

func TestTemp(t *testing.T) {
	parent := t.TempDir()
	a, err := dir.OpenTemp(parent, "some/name")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(parent, "*", "a", "b")); len(found) != 1 {
		t.Errorf("got %v, want one file", found)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(parent); len(left) != 0 {
		t.Errorf("Close left %v", left)
	}
}

func TestOptions(t *testing.T) {
	parse := func(s string) *url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	o, err := dir.FromService([]any{"data"}, map[string]any{"create": true, "dir_mode": "0750"})
	if err != nil || *o != (dir.Options{Root: "data", Create: true, DirMode: 0o750}) {
		t.Errorf("OSFS: got %+v, %v", o, err)
	}
	o, err = dir.FromURL(parse("file:///mnt/a%20b?create=true"))
	if err != nil || *o != (dir.Options{Root: filepath.FromSlash("/mnt/a b"), Create: true}) {
		t.Errorf("file: got %+v, %v", o, err)
	}
	if _, err := dir.FromURL(parse("file:///a?creat=1")); err == nil || !strings.Contains(err.Error(), "creat") {
		t.Errorf("an unknown option: got %v", err)
	}
	if _, err := dir.FromURL(parse("file://mnt/a")); err == nil {
		t.Error("a host in a file URL was taken")
	}
}
