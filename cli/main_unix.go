//go:build unix

package cli

import (
	"os"
	"syscall"
)

// endings are the signals that end a command in good order.
var endings = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}
