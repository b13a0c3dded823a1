package datafs

import (
	"errors"
	"io"
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
