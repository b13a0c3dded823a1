//go:build unix

package datafs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/datafs/datafs/index/leaf"
)

// inherited makes a descriptor as another program gives it on, and its name.
func inherited(t *testing.T, f *os.File) (*os.File, string) {
	t.Helper()
	fd, err := unix.Dup(int(f.Fd()))
	noError(t, err)
	noError(t, f.Close())
	given := os.NewFile(uintptr(fd), "given")
	return given, fmt.Sprintf("/dev/fd/%d", fd)
}

func cancelled(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	return ctx
}

func TestDescriptor(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	noError(t, os.Symlink("/dev/stdout", link))
	noError(t, os.Symlink("/dev", filepath.Join(dir, "devices")))
	noError(t, os.Symlink("round", filepath.Join(dir, "round")))
	for name, want := range map[string]int{
		"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2, "/dev/fd/0": 0, "/dev/fd/17": 17, "/dev//fd/../stdout": 1,
		link: 1, dir + "/devices/stdout": 1, dir + "/devices/fd/3": 3,
	} {
		if fd, ok := leaf.Descriptor(name); !ok || fd != want {
			t.Errorf("%s: got %d, %v", name, fd, ok)
		}
	}
	for _, name := range []string{"", "-", "stdout", "/dev/null", "/dev/fd", "/dev/fd/", "/dev/fd/x", "/dev/fd/-1", "/dev/fd/99999999999", dir, dir + "/round", dir + "/none/stdout"} {
		if fd, ok := leaf.Descriptor(name); ok {
			t.Errorf("%q is taken for %d", name, fd)
		}
	}
}

func TestDownloadWritesAtTheEndOfAnOpenFile(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "text\n")
	file := filepath.Join(t.TempDir(), "file")
	noError(t, os.WriteFile(file, []byte("header\n"), 0o644))
	f := must(os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0))(t)
	given, name := inherited(t, f)
	must(h.Download(t.Context(), name, nil))(t)
	must(io.WriteString(given, "footer\n"))(t)
	noError(t, given.Close())
	equal(t, "file", string(must(os.ReadFile(file))(t)), "header\ntext\nfooter\n")

	own := must(os.OpenFile(file, os.O_RDWR, 0))(t) // such as the index
	defer own.Close()
	if _, err := h.Download(t.Context(), fmt.Sprintf("/dev/fd/%d", own.Fd()), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of a file that the program has opened itself: got %v", err)
	}
	equal(t, "file", string(must(os.ReadFile(file))(t)), "header\ntext\nfooter\n")
}

func TestRequiredFilesAreFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	makePipe(t, pipe)
	noError(t, os.Symlink(pipe, filepath.Join(dir, "link")))
	opts := testOptions(t.TempDir())
	api := openChecked(t, opts)
	for _, name := range []string{pipe, filepath.Join(dir, "link"), dir, "/dev/zero"} {
		configured := *opts
		configured.ConfigFile = name
		_, configErr := Open(t.Context(), &configured)
		_, lockErr := ReadLock(name)
		_, pinsErr := api.readRequirements(name)
		for what, err := range map[string]error{"configuration": configErr, "lock": lockErr, "requirements": pinsErr} {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("%s %s: got %v", what, name, err)
			}
		}
	}
	list, err := api.readRequirements(os.DevNull)
	noError(t, err)
	equal(t, "requirements of the null device", len(list), 0)
}
