package remote_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

func TestDir(t *testing.T) {
	remotetest.Run(t, func(t *testing.T) remote.Authority {
		a, err := remote.OpenDir(&remote.DirOptions{Root: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}

func TestTemp(t *testing.T) {
	dir := t.TempDir()
	a, err := remote.OpenTemp(dir, "some/name")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Put(t.Context(), "a/b", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "*", "a", "b")); len(found) != 1 {
		t.Errorf("got %v, want one file", found)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("Close left %v", left)
	}
}
