package checkout

import (
	"context"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/objects"
)

// isLockOf says whether a lock is that of the file at a path.
func isLockOf(lock *flock.Flock, path string) bool {
	fi, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(path)
	return err == nil && os.SameFile(fi, there)
}

// takeLock takes a lock that others may hold for a while. When that takes longer than
// wait (0: a minute) the error wraps index.ErrBusy.
func takeLock(ctx context.Context, name string, wait time.Duration, alone bool) (*flock.Flock, error) {
	if wait == 0 {
		wait = time.Minute
	}
	bounded, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	return objects.TakeLock(ctx, bounded, name, alone)
}
