package remote

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestDirectoriesThatAreThereAreBroughtToDiskOnce(t *testing.T) {
	root := filepath.Join(t.TempDir(), "team")
	if err := os.MkdirAll(filepath.Join(root, "packs", "ab"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, create := range []bool{false, true} {
		a, err := OpenDir(&DirOptions{Root: root, Create: create})
		if err != nil {
			t.Fatal(err)
		}
		var synced []string
		d := a.(*dirFS)
		d.sync = func(r *os.Root, dir string) error {
			synced = append(synced, filepath.Join(r.Name(), dir))
			return syncDir(r, dir)
		}
		for _, name := range []string{"packs/ab/one", "packs/ab/two"} {
			if err := a.Put(t.Context(), name, strings.NewReader(name)); err != nil {
				t.Fatal(err)
			}
		}
		above := []string{root, filepath.Join(root, "packs")}
		if create {
			above = append([]string{filepath.Dir(root)}, above...)
		} else {
			above = append([]string{root}, above...) // the directory for temporary files is new
		}
		want := append(above, filepath.Join(root, "packs", "ab"), filepath.Join(root, "packs", "ab"))
		if !slices.Equal(synced, want) {
			t.Errorf("create %v: got %q, want %q", create, synced, want)
		}
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
