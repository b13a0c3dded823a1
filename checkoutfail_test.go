package datafs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAFailedCheckoutLeavesNothing(t *testing.T) {
	api := openOnly(t, testOptions(t.TempDir()))
	must(newArchive(t, api, "deep/down/x").UpdateFrom(t.Context(), io.LimitReader(newRandom(5), 3<<20), nil))(t)
	put(t, newArchive(t, api, "y"), "Y")
	spoil(t, api, 1<<20)
	root := t.TempDir()
	noError(t, os.Mkdir(filepath.Join(root, "there"), 0o755))
	pins := pinned("deep/down/x==0.0.1\n")
	for _, dir := range []string{"there", "new", "a/new/one"} {
		_, err := api.Checkout(t.Context(), filepath.Join(root, dir), &pins)
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	}
	equal(t, "what is there", readTree(t, root), map[string]string{"there/": ""})

	out := filepath.Join(root, "there")
	noError(t, os.WriteFile(filepath.Join(out, "y"), []byte("mine"), 0o644))
	only := pinned("y==0.0.1\n")
	if _, err := api.Checkout(t.Context(), out, &only); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	equal(t, "with a file in the way", readTree(t, root), map[string]string{"there/y": "mine"})

	noError(t, os.Remove(filepath.Join(out, "y")))
	equal(t, "another one", checkedOut(t, api, out, only), "1 written, 0 unchanged, 0 removed, 0 left")
	if _, err := api.Checkout(t.Context(), out, &pins); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	equal(t, "what the other one wrote stays", shown(t, out), "y: Y")
	st := must(api.CheckoutState(t.Context(), out, nil))(t)
	equal(t, "and is known", len(st.Archives) > 0, true)
}
