//go:build unix

package dir

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestDirModes(t *testing.T) {
	root := t.TempDir()
	old := syscall.Umask(0o002)
	defer syscall.Umask(old)
	d := openDir(t, &Options{Root: root})
	if err := d.PutNew(t.Context(), "packs/a", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"packs": 0o775, "packs/a": 0o664} {
		info, err := os.Stat(filepath.Join(root, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: got %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
}
