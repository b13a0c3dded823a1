//go:build unix

package datafs

import (
	"syscall"
	"testing"
)

// makePipe makes a file that is not a regular one. Tests of what is written
// never name a device of the machine's: with a guard broken, and as root, they
// would take it away.
func makePipe(t *testing.T, path string) {
	t.Helper()
	noError(t, syscall.Mkfifo(path, 0o600))
}
