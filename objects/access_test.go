package objects

import (
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"github.com/datafs/datafs/index"
)

// TestAnIndexThatCannotBeAskedSaysNothingOfPacks unlike a pack that cannot be read.
func TestAnIndexThatCannotBeAskedSaysNothingOfPacks(t *testing.T) {
	pack := fmt.Errorf("read chunk: %w", &fs.PathError{Op: "read", Path: "pack", Err: syscall.EIO})
	asked := fmt.Errorf("chunk: %w", &index.AccessError{Err: pack})
	for _, c := range []struct {
		err        error
		unreadable bool
		heal       bool
	}{
		{pack, true, true},
		{asked, false, false},
		{&index.AccessError{Err: ErrCorrupt}, false, true},
		{&fs.PathError{Op: "open", Path: "pack", Err: syscall.EACCES}, true, false},
	} {
		if Unreadable(c.err) != c.unreadable || mayHeal(c.err) != c.heal {
			t.Errorf("%v: unreadable %v, may heal %v", c.err, Unreadable(c.err), mayHeal(c.err))
		}
	}
}
