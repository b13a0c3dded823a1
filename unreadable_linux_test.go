package datafs

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/datafs/datafs/objects/checkout"
)

// asNobody takes the rights of the super-user from the goroutine's accesses to
// files until the test ends.
func asNobody(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread() // the thread ends with the goroutine
	noError(t, syscall.Setfsuid(65534))
}

func TestCheckoutStateOfWhatCannotBeLookedAt(t *testing.T) {
	api, out := shelf(t)
	checkedOut(t, api, out, pinned(oldPins))
	for dir := out; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		noError(t, os.Chmod(dir, 0o755))
	}
	noError(t, os.Chtimes(filepath.Join(out, "data/f"), time.Unix(1, 0), time.Unix(1, 0))) // it must be read
	noError(t, os.Chmod(filepath.Join(out, "data/f"), 0))
	noError(t, os.Chmod(filepath.Join(out, "d/sub"), 0))
	t.Cleanup(func() { os.Chmod(filepath.Join(out, "d/sub"), 0o755) })
	done := make(chan CheckoutState)
	go func() {
		asNobody(t)
		st, err := api.CheckoutState(t.Context(), out, nil)
		if err != nil {
			t.Error(err)
		}
		done <- st
	}()
	st := <-done
	equal(t, "files", st.Files, []checkout.FileState{
		{Path: "d/sub/b", Archive: "d", State: checkout.Unreadable}, {Path: "d/sub/l", Archive: "d", State: checkout.Unreadable},
		{Path: "data/f", Archive: "data/f", State: checkout.Unreadable},
	})
}
