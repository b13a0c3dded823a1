package index

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestOpenFileDoesNotFollowALink(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	dir := t.TempDir()
	victim, link := filepath.Join(dir, "victim"), filepath.Join(dir, "link")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	for _, flag := range []int{os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREATE | os.O_TRUNC} {
		if f, err := OpenFile(link, flag, 0o600); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("flag %#x: %v, want a permission error", flag, err)
			f.Close()
		}
	}
	if got, err := os.ReadFile(victim); string(got) != "precious" || err != nil {
		t.Errorf("the file behind the link holds %q, %v", got, err)
	}
}

func TestADatabaseWhoseFilesAreLinksIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("links need a privilege there")
	}
	for _, name := range []string{"index.db", "index.db.lock"} {
		dir := t.TempDir()
		victim := filepath.Join(dir, "victim")
		if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(victim, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		db, err := Open(filepath.Join(dir, "index.db"), nil)
		if err == nil {
			err = db.Update(t.Context(), func(tx *Tx) error { return nil })
		}
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s: %v, want a permission error", name, err)
		}
		if got, err := os.ReadFile(victim); string(got) != "precious" || err != nil {
			t.Errorf("%s: the file behind the link holds %q, %v", name, got, err)
		}
	}
}
