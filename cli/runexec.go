package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

// What a shell's exit status is where a program did not run.
const (
	exitCannotRun = 126
	exitNoProgram = 127
	exitSignal    = 128 // and the number of the signal that ended it
)

// cannotRun says why, and gives the exit status that a shell has for it.
func (s *session) cannotRun(name string, err error) error {
	s.endProgress()
	var named *exec.Error
	if errors.As(err, &named) {
		err = named.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	s.note("run %s: %v", name, err)
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		return &statusError{exitNoProgram}
	}
	return &statusError{exitCannotRun}
}

// execute runs the program to its end. Its exit status is passed on by a
// statusError.
func (s *session) execute(c *cli.Context, program string, argv []string, dir string) (ranProgram, error) {
	cmd := exec.Command(program, argv[1:]...)
	cmd.Args[0] = argv[0]
	cmd.Env = append(os.Environ(), checkoutEnv+"="+dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.stdin, s.stdout, s.stderr
	if c.Bool("json") {
		cmd.Stdout = s.stderr // the result is alone on stdout
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, heard(passedOn)...)
	defer signal.Stop(signals)
	lent.Add(1)
	defer lent.Add(-1)
	ran := ranProgram{argv: argv, began: time.Now()}
	if err := c.Context.Err(); err != nil {
		return ran, err
	}
	if err := cmd.Start(); err != nil {
		return ran, s.cannotRun(argv[0], err)
	}
	signalled, err := waitFor(c.Context, cmd, signals)
	ran.took = time.Since(ran.began)
	switch code := cmd.ProcessState.ExitCode(); {
	case cmd.ProcessState.Success() && signalled:
		return ran, context.Canceled
	case cmd.ProcessState.Success():
		return ran, err
	case code < 0:
		return ran, s.failed(c, exitSignal+endedBy(cmd.ProcessState))
	default:
		return ran, s.failed(c, code)
	}
}

func (s *session) failed(c *cli.Context, code int) error {
	if len(c.StringSlice("out")) > 0 && !c.Bool("quiet") {
		s.note("exit status %d: nothing is published", code)
	}
	return &statusError{code}
}

// waitFor waits for the end of a program, and passes signals on. It says whether
// the run was to end early.
func waitFor(ctx context.Context, cmd *exec.Cmd, signals <-chan os.Signal) (signalled bool, err error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	done := ctx.Done()
	for {
		select {
		case err := <-ended:
			return signalled || ctx.Err() != nil, err
		case sig := <-signals:
			signalled = true
			if !reachesAll(sig) {
				cmd.Process.Signal(sig) // it may have ended just now
			}
		case <-done:
			done = nil
			if context.Cause(ctx) == context.Canceled { // not by a signal, which is passed on above
				cmd.Process.Kill()
			}
		}
	}
}

// shellLine is a command as a person types it into a shell.
func shellLine(argv []string) string {
	words := make([]string, len(argv))
	for i, arg := range argv {
		words[i] = shellWord(arg)
	}
	return strings.Join(words, " ")
}

func shellWord(s string) string {
	plain := func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("@%_+=:,./-", r)
	}
	switch {
	case s != "" && utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0:
		return s
	case utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0:
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return "$'" + escaped(s) + "'"
}

// escaped writes what cannot be seen by number, in the way of $'...'.
func escaped(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\'' || r == '\\':
			b.WriteString(`\` + string(r))
		case unicode.IsPrint(r) && (r != utf8.RuneError || size > 1):
			b.WriteRune(r)
		default:
			for _, c := range []byte(s[:size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		}
		s = s[size:]
	}
	return b.String()
}
