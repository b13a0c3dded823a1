//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package index

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// readOnlyFS tells that an error comes from a filesystem that nobody can write.
func readOnlyFS(err error) bool { return errors.Is(err, unix.EROFS) }

// abandon closes a file that bbolt has locked and mapped. Closing alone would
// not give the lock back: the mapping, which stays, keeps it.
func abandon(f *os.File) {
	if f != nil {
		unix.Flock(int(f.Fd()), unix.LOCK_UN)
		f.Close()
	}
}
