//go:build unix

package migrate

import (
	"syscall"
	"testing"
)

func makePipe(t *testing.T, path string) {
	t.Helper()
	noError(t, syscall.Mkfifo(path, 0o600))
}
