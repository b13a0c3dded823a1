//go:build unix

package index

import (
	"errors"

	"golang.org/x/sys/unix"
)

// readOnlyFS tells that an error comes from a filesystem that nobody can write.
func readOnlyFS(err error) bool { return errors.Is(err, unix.EROFS) }
