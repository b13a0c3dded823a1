package remote

import (
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"datafs.json", "packs/ab/abcd", "a-b_c.d/0", strings.Repeat("a", maxName)} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "/a", "a/", "a//b", "..", "a/../b", "./a", "A", "a b", "a\\b", "a/.b", "a\x00", "é", strings.Repeat("a", maxName+1)} {
		if err := CheckName(name); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%q: %v, want fs.ErrInvalid", name, err)
		}
	}
}

func TestMissingStorageIsUnavailable(t *testing.T) {
	if !errors.Is(ErrNoStorage, ErrUnavailable) || errors.Is(ErrUnavailable, ErrNoStorage) || !errors.Is(ErrReadOnly, fs.ErrPermission) {
		t.Error("the kinds of errors do not include each other as they should")
	}
}

func TestFileErrorKinds(t *testing.T) {
	for err, want := range map[error]error{
		syscall.EROFS:  fs.ErrPermission,
		syscall.EACCES: fs.ErrPermission,
		syscall.ESTALE: ErrUnavailable,
		syscall.ENOSPC: syscall.ENOSPC,
	} {
		if got := FileError("put", "x", "/mnt", &fs.PathError{Op: "write", Path: "x", Err: err}); !errors.Is(got, want) {
			t.Errorf("%v: got %v, want %v", err, got, want)
		}
	}
	if errors.Is(FileError("put", "x", "/mnt", syscall.ENOSPC), ErrUnavailable) {
		t.Error("a full disk would be tried again")
	}
}
