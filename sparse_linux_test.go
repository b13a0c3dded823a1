package datafs

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestHolesStayHoles takes files in of which 2 of 10 MiB are data and writes
// them out in every way.
func TestHolesStayHoles(t *testing.T) {
	const size, data = 10 << 20, 2 << 20
	dir := t.TempDir()
	want := make([]byte, size)
	copy(want[5<<20+1234:], randomText(t, 1, data))
	noError(t, os.Mkdir(filepath.Join(dir, "tree"), 0o777))
	var small []byte // is written by another path
	small = append(append(small, "begin"...), make([]byte, 1<<20)...)
	for name, b := range map[string][]byte{"file": want, "tree/large": want, "tree/small": small} {
		noError(t, os.WriteFile(filepath.Join(dir, name), b, 0o666))
	}
	if st := allocated(t, filepath.Join(dir, "file")); st < size {
		t.Fatalf("the file takes %d bytes before", st)
	}
	api := newAPI(t)
	file, tree := newArchive(t, api, "file"), newArchive(t, api, "tree")
	must(file.Update(t.Context(), filepath.Join(dir, "file"), nil))(t)
	must(tree.Update(t.Context(), filepath.Join(dir, "tree"), nil))(t)

	out := t.TempDir()
	must(file.Download(t.Context(), filepath.Join(out, "file"), nil))(t)
	must(tree.Download(t.Context(), filepath.Join(out, "tree"), nil))(t)
	checkSparse(t, out, want, small)
	for _, way := range []string{"copy", "hardlink"} {
		out := filepath.Join(t.TempDir(), "out")
		must(api.Checkout(t.Context(), out, &CheckoutOptions{Requirements: "file\ntree", Link: way}))(t)
		checkSparse(t, out, want, small)
	}
}

func checkSparse(t *testing.T, dir string, large, small []byte) {
	t.Helper()
	for _, c := range []struct {
		name string
		want []byte
		most int64
	}{{"file", large, 3 << 20}, {"tree/large", large, 3 << 20}, {"tree/small", small, 64 << 10}} {
		name := filepath.Join(dir, filepath.FromSlash(c.name))
		if got := must(os.ReadFile(name))(t); !bytes.Equal(got, c.want) {
			t.Errorf("%s is not what was taken in", name)
		}
		if got := allocated(t, name); got > c.most {
			t.Errorf("%s takes %d bytes of disk, want %d at most", name, got, c.most)
		}
	}
}

// allocated is how many bytes of disk a file takes.
func allocated(t *testing.T, name string) int64 {
	t.Helper()
	var st syscall.Stat_t
	noError(t, syscall.Stat(name, &st))
	return st.Blocks * 512
}
