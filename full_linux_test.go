package datafs

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestAFullAuthority pushes to a file system without room, and again when there
// is some.
func TestAFullAuthority(t *testing.T) {
	shared := t.TempDir()
	if err := syscall.Mount("tmpfs", shared, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { noError(t, syscall.Unmount(shared, syscall.MNT_DETACH)) })
	alice, bob := member(t, shared, ""), member(t, shared, "")
	put(t, newArchive(t, alice, "small"), "fits")
	push(t, alice)
	h := newArchive(t, alice, "large")
	must(h.UpdateFrom(t.Context(), io.LimitReader(newRandom(1), 5<<20), nil))(t)
	_, err := alice.Push(t.Context(), nil)
	if !errors.Is(err, syscall.ENOSPC) && (err == nil || !strings.Contains(err.Error(), "no space")) {
		t.Fatalf("push: %v", err)
	}
	pull(t, bob)
	readAll(t, bob)
	noError(t, syscall.Mount("tmpfs", shared, "tmpfs", syscall.MS_REMOUNT, "size=20m"))
	push(t, alice)
	pull(t, bob)
	equal(t, "size", len(text(t, archive(t, bob, "large"), "")), 5<<20)
}

// TestADeleteAndGCMakeRoomOnAFullDisk has a repository on a file system without a byte
// left: the reserve lets a delete through, and gc frees what it can.
func TestADeleteAndGCMakeRoomOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("cannot mount a small file system: %v", err)
	}
	t.Cleanup(func() { noError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	api := openOnly(t, testOptions(dir))
	put(t, newArchive(t, api, "keep"), randomText(t, 1, 500_000))
	put(t, newArchive(t, api, "drop"), randomText(t, 2, 2_000_000))
	ballast := filepath.Join(dir, "ballast")
	var st syscall.Statfs_t
	noError(t, syscall.Statfs(dir, &st))
	noError(t, os.WriteFile(ballast, make([]byte, int64(st.Bavail)*int64(st.Bsize)), 0o600))
	if _, err := archive(t, api, "keep").UpdateFrom(t.Context(), strings.NewReader(randomText(t, 3, 100_000)), nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("an update: %v", err)
	}
	noError(t, api.Delete(t.Context(), "drop"))
	rep := must(api.GC(t.Context(), noGrace(false)))(t)
	if rep.Removed < 1 || rep.Freed < 1_900_000 {
		t.Errorf("%+v", rep)
	}
	equal(t, "kept", len(text(t, archive(t, api, "keep"), "")), 500_000)
	put(t, archive(t, api, "keep"), randomText(t, 3, 100_000)) // there is room again
	must(api.GC(t.Context(), noGrace(false)))(t)
	if _, err := os.Stat(api.reserve()); err != nil {
		t.Errorf("the reserve is not there again: %v", err)
	}
	checkDeeply(t, api)
}
