// Package cli is the datafs command: it reads arguments, calls the library, and
// prints results, errors and progress. It is not for rules; these are in the
// library. Its invariant: results go to stdout and all else to stderr, and the
// exit code says which kind of error there was.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
)

// Version is the program's version.
const Version = "0.8.0-dev"

// Exit codes; exitCodes says what they mean.
const (
	exitError       = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitConflict    = 4
	exitIntegrity   = 5
	exitUnavailable = 6
	exitPermission  = 7
	exitInterrupted = 130
)

// Run executes the command line argv, without the program's name, and returns
// the exit code. It may be called several times, not at once.
func Run(ctx context.Context, argv []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	s := &session{stdin: stdin, stdout: stdout, stderr: stderr, direct: sticky{w: stdout}}
	s.text = render.NewWriter(&s.direct)
	defer func() {
		if p := recover(); p != nil {
			code = s.fail(fmt.Errorf("internal error: %v", p))
		}
		if err := s.profiles.finish(); err != nil && code == 0 {
			code = s.fail(err)
		}
	}()
	app := newApp(s)
	line, err := args.Parse(app, argv)
	if err != nil {
		return s.fail(err)
	}
	s.line = line
	if line.Help {
		setHelp(app)
	}
	app.Writer, app.ErrWriter = s.text, render.NewWriter(stderr)
	if err = app.RunContext(ctx, line.Argv); errors.Is(err, errDone) {
		err = nil
	}
	s.text.Flush() // its error stays in direct
	if lost := s.direct.err; lost != nil && err == nil {
		err = &outputError{err: lost}
	}
	if closed := s.close(); err == nil {
		err = closed
	}
	if err == nil {
		err = ctx.Err()
	}
	return s.fail(err)
}

// fail prints an error and returns its exit code; without an error it is 0.
func (s *session) fail(err error) int {
	if err == nil {
		return 0
	}
	var status *statusError
	if errors.As(err, &status) {
		return status.code
	}
	code := exitCode(err)
	if code == exitInterrupted {
		fmt.Fprintln(s.stderr, "datafs: interrupted")
		return code
	}
	var silent *silentError
	if errors.As(err, &silent) {
		return code
	}
	fmt.Fprintf(s.stderr, "datafs: %s\n", render.Line(render.Short(s.conceal(err.Error()))))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(s.stderr, "hint: %s\n", render.Line(render.Short(s.conceal(hint))))
	}
	return code
}

// silentError is an error about which all has been said.
type silentError struct{ kind error }

func (e *silentError) Error() string { return e.kind.Error() }
func (e *silentError) Unwrap() error { return e.kind }

// statusError passes on the exit code of a program that datafs ran, about which
// all has been said.
type statusError struct{ code int }

func (e *statusError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

func exitCode(err error) int {
	var usage *args.UsageError
	switch {
	case errors.Is(err, context.Canceled):
		return exitInterrupted
	case errors.As(err, &usage):
		return exitUsage
	case errors.Is(err, datafs.ErrCorrupt):
		return exitIntegrity
	case errors.Is(err, datafs.ErrBusy), errors.Is(err, datafs.ErrUnavailable):
		return exitUnavailable
	case errors.Is(err, datafs.ErrConflict), errors.Is(err, fs.ErrExist):
		return exitConflict
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return exitPermission
	case errors.Is(err, fs.ErrNotExist):
		return exitNotFound
	case errors.Is(err, fs.ErrInvalid):
		return exitUsage
	}
	return exitError
}
