package datafs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLockedCheckout restores a lock in an empty repository that knows only the
// authority.
func TestLockedCheckout(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	must(newArchive(t, alice, "d").Update(t.Context(), writeTree(t, map[string]string{"a": "A", "b/c": "C"}), nil))(t)
	push(t, alice)
	requirements := filepath.Join(t.TempDir(), "paper.txt")
	noError(t, os.WriteFile(requirements, []byte("x\nd\n"), 0o644))
	lock := must(alice.Lock(t.Context(), &LockOptions{Requirements: requirements}))(t).File
	put(t, archive(t, alice, "x"), "two")

	out := t.TempDir()
	locked := CheckoutOptions{Locked: lock}
	equal(t, "alice", checkedOut(t, alice, filepath.Join(out, "alice"), locked), "3 written, 0 unchanged, 0 removed, 0 left")
	equal(t, "bob", checkedOut(t, bob, filepath.Join(out, "bob"), locked), "3 written, 0 unchanged, 0 removed, 0 left")
	equal(t, "the same", shown(t, filepath.Join(out, "bob")), shown(t, filepath.Join(out, "alice")))
	equal(t, "the tree", shown(t, filepath.Join(out, "bob")), "d/\nd/a: A\nd/b/\nd/b/c: C\nx: one")
	equal(t, "again", checkedOut(t, bob, filepath.Join(out, "bob"), locked), "0 written, 3 unchanged, 0 removed, 0 left")
	locked.Archives = []string{"x"}
	equal(t, "one", checkedOut(t, bob, filepath.Join(out, "one"), locked), "1 written, 0 unchanged, 0 removed, 0 left")
	locked.Archives = []string{"y"}
	_, err := bob.Checkout(t.Context(), out, &locked)
	wantError(t, err, lock+` does not lock an archive "y"`, fs.ErrNotExist)

	text := string(must(os.ReadFile(lock))(t))
	l := must(ReadLock(lock))(t)
	for _, a := range l.Archives {
		if a.Archive == "x" {
			text = strings.ReplaceAll(text, a.Hash, strings.Repeat("1", 64))
		}
	}
	noError(t, os.WriteFile(lock, []byte(text), 0o644))
	_, err = bob.Checkout(t.Context(), filepath.Join(out, "bad"), &CheckoutOptions{Locked: lock})
	if !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Stat(filepath.Join(out, "bad", "x")); err == nil {
		t.Error("the file is there")
	}
}

func TestAYankedVersionInALockIsWarnedOf(t *testing.T) {
	opts := testOptions(t.TempDir())
	api, warnings := warned(t, opts)
	h := newArchive(t, api, "x")
	put(t, h, "one")
	lock := must(api.Lock(t.Context(), &LockOptions{Requirements: require(t, api, "x\n")}))(t).File
	noError(t, h.Yank(t.Context(), "0.0.1", "wrong"))
	*warnings = nil
	got := checkedOut(t, api, t.TempDir(), CheckoutOptions{Locked: lock})
	equal(t, "it is written all the same", got, "1 written, 0 unchanged, 0 removed, 0 left")
	equal(t, "warnings", strings.Join(*warnings, "; "), `archive "x" version 0.0.1 was yanked: wrong`)
}
