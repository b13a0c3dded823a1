package objects

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/objects/codec"
)

func TestADirectoryThatHoldsTheStoreIsTakenWithoutIt(t *testing.T) {
	dir := t.TempDir()
	repo := filepath.Join(dir, "sub", ".datafs")
	if err := os.MkdirAll(repo, 0o700); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, repo, codec.Params{})
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o600); err != nil {
		t.Fatal(err)
	}
	var want ID
	for i := range 2 {
		r := take(t, s, func(w *Writer) (*Result, error) { return w.Path(dir, nil) })
		if r.Files != 1 {
			t.Errorf("got %d files, want 1", r.Files)
		}
		if i == 0 {
			want = r.Tree
		} else if r.Tree != want {
			t.Error("the same directory gives another tree")
		}
	}
}
