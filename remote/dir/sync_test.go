package dir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDirectoriesThatAreThereAreBroughtToDiskOnce(t *testing.T) {
	root := filepath.Join(t.TempDir(), "team")
	if err := os.MkdirAll(filepath.Join(root, "packs", "ab"), 0o777); err != nil {
		t.Fatal(err)
	}
	for _, create := range []bool{false, true} {
		a, err := Open(&Options{Root: root, Create: create})
		if err != nil {
			t.Fatal(err)
		}
		var synced []string
		d := a.(*authority)
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

// TestWhatIsReadYoungIsBroughtToDisk since who put it may have been killed before.
func TestWhatIsReadYoungIsBroughtToDisk(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "catalog", "log")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * young)
	for _, name := range []string{"new", "old"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(filepath.Join(dir, "old"), old, old); err != nil {
		t.Fatal(err)
	}
	a, err := Open(&Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	d := a.(*authority)
	var synced []string
	var fails error
	d.sync = func(_ *os.Root, dir string) error {
		synced = append(synced, dir)
		return fails
	}
	get := func(name string) error {
		r, err := a.Get(t.Context(), "catalog/log/"+name, 0, -1)
		if err == nil {
			err = r.Close()
		}
		return err
	}
	fails = syscall.EIO
	if err := get("new"); !errors.Is(err, syscall.EIO) {
		t.Errorf("what cannot be brought to disk: %v, want %v", err, fails)
	}
	synced, fails = nil, nil
	for _, name := range []string{"old", "new", "new"} {
		if err := get(name); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{".", "catalog", "catalog/log"}; !slices.Equal(synced, want) {
		t.Errorf("synced %q, want %q", synced, want)
	}
}
