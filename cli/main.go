package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is how long a command may take to end after a signal. What hangs in a
// call of the system, such as a read from a dead server, does not hear of it.
const patience = 5 * time.Second

// echo is how long after a signal another one counts as the same: a terminal
// that goes says so to a command itself and through its shell.
const echo = 200 * time.Millisecond

// lent counts the programs that have the terminal now: signals are theirs, and
// how they end decides.
var lent atomic.Int32

// signalled is the cause of a context that a signal has ended.
type signalled struct{ os.Signal }

func (s signalled) Error() string { return s.String() + " signal received" }
func (s signalled) Unwrap() error { return context.Canceled }

// Main runs the command that this process was called as, and returns its exit
// code. A signal ends it in good order, a second one at once.
func Main() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, heard(endings)...)
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	ended := make(chan int, 1)
	go func() { ended <- Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr) }()
	select {
	case code := <-ended:
		return code
	case sig := <-signals:
		cancel(signalled{sig})
	}
	for first := time.Now(); ; {
		select {
		case code := <-ended:
			return code
		case <-signals:
		case <-time.After(patience):
		}
		if lent.Load() == 0 && time.Since(first) > echo {
			fmt.Fprintln(os.Stderr, "datafs: interrupted")
			return exitInterrupted
		}
	}
}

// heard leaves out the end of a terminal where nohup has made the process deaf to
// it. A shell does that to the other signals of what it runs in the background,
// which are obeyed when somebody sends them on purpose.
func heard(list []os.Signal) []os.Signal {
	var out []os.Signal
	for _, sig := range list {
		if sig != syscall.SIGHUP || !signal.Ignored(sig) {
			out = append(out, sig)
		}
	}
	return out
}
