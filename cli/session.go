package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/render"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/remote/all"
)

// session is one run of the command.
type session struct {
	stdin          io.Reader
	stdout, stderr io.Writer      // for contents and for programs; text is written to text and by note
	text           *render.Writer // to stdout
	direct         sticky         // stdout, for text
	line           args.Line
	lines          *bufio.Reader // of stdin, for questions
	profiles       profiles

	api  *datafs.API
	bar  *progress
	mu   sync.Mutex // guards what follows
	done progressState
	past progressState // of the label before, which may come again: contents are fetched while they are read

	local bool // this command never needs the network, whatever the profile says

	total int64 // bytes that will be read first, 0 when unknown; set before the work begins
}

// options turns the global options into the library's.
func (s *session) options(c *cli.Context) *datafs.Options {
	timeout := c.Duration("lock-timeout")
	if c.IsSet("lock-timeout") && timeout <= 0 {
		timeout = time.Nanosecond // do not wait at all
	}
	o := &datafs.Options{
		ConfigFile: c.String("config-file"), Profile: c.String("profile"), Repo: c.String("repo"),
		Requirements: c.String("requirements"), LockTimeout: timeout,
		Offline: s.local || offline(c), RetryTime: retryTime(c.Duration("retry-time")), Kinds: all.Kinds(),
		// A slip, or a disk that is not mounted, must not look like an empty repository.
		MustExist: c.String("repo") != "" || os.Getenv("DATAFS_REPO") != "",
		Holder:    fmt.Sprintf("pid %d (%s)", os.Getpid(), names.Visible(render.Short(strings.Join(append([]string{"datafs", s.line.Command}, s.line.Args...), " ")))),
	}
	o.LimitRate, _ = parseRate(c.String("limit-rate")) // its flag has been checked
	if !c.Bool("quiet") {
		o.Retrying = func(err error, wait time.Duration) { s.note("%v; trying again in %s", err, waitText(wait)) }
		o.Waiting = func(holder string) { s.note("waiting for %s", holder) }
		o.Warn = func(text string) { s.note("warning: %s", text) }
		o.Progress = s.progressFunc(c)
	}
	return o
}

// open opens the repository, once.
func (s *session) open(c *cli.Context) (*datafs.API, error) {
	if s.api != nil {
		return s.api, nil
	}
	var err error
	s.api, err = datafs.Open(c.Context, s.options(c))
	return s.api, err
}

// archive opens the archive that the first argument names.
func (s *session) archive(c *cli.Context) (*datafs.Archive, error) {
	api, err := s.open(c)
	if err != nil {
		return nil, err
	}
	return api.Archive(c.Context, c.Args().First(), nil)
}

func (s *session) close() error {
	s.endProgress()
	if s.api == nil {
		return nil
	}
	return s.api.Close()
}

// note writes a line for people to stderr.
func (s *session) note(format string, args ...any) {
	if s.bar != nil {
		s.bar.Clear()
	}
	fmt.Fprintf(s.stderr, "datafs: %s\n", render.Line(render.Short(s.conceal(fmt.Sprintf(format, args...)))))
}

// conceal keeps what "env:NAME" stands for out of a text.
func (s *session) conceal(text string) string {
	if s.api == nil {
		return text
	}
	return s.api.Conceal(text)
}

// emit writes a result: as JSON where it is wanted, else as text.
func (s *session) emit(c *cli.Context, v any, text func(w io.Writer)) error {
	return s.emitAs(c, "its report", v, text)
}

// emitAs is emit, and says what the result is where it cannot be printed.
func (s *session) emitAs(c *cli.Context, what string, v any, text func(w io.Writer)) error {
	s.endProgress()
	w := bufio.NewWriter(s.text)
	if c.Bool("json") {
		if err := render.JSON(w, v, "  "); err != nil {
			return s.unprinted(c, what, err)
		}
	} else {
		text(w)
	}
	return s.unprinted(c, what, w.Flush())
}

// say writes a result that is one sentence, which --quiet leaves out.
func (s *session) say(c *cli.Context, v any, format string, args ...any) error {
	if c.Bool("quiet") && !c.Bool("json") {
		return nil
	}
	text := fmt.Sprintf(format, args...)
	return s.emitAs(c, strconv.Quote(text), v, func(w io.Writer) { fmt.Fprintln(w, names.Visible(text)) })
}

func (s *session) progressFunc(c *cli.Context) func(datafs.Progress) {
	terminal, columns := isTerminal(s.stderr), 0
	if f, ok := s.stderr.(*os.File); ok && terminal {
		columns, _, _ = term.GetSize(int(f.Fd()))
	}
	s.bar = newProgress(s.stderr, progressOptions{
		Mode: c.String("progress"), Terminal: terminal, Columns: columns,
		NoColour: os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb",
	})
	return func(p datafs.Progress) {
		s.mu.Lock()
		if p.Label != s.done.Label {
			s.done, s.past = s.past, s.done
		}
		if p.Label != s.done.Label {
			s.done, s.total = progressState{Label: p.Label, Total: s.total}, 0
		}
		s.done.Done += p.Bytes
		s.done.Total = max(p.Total, s.done.Total)
		state := s.done
		s.mu.Unlock()
		s.bar.Update(time.Now(), state)
	}
}

func (s *session) endProgress() {
	if s.bar != nil {
		s.bar.Finish(time.Now())
		s.bar = nil
	}
}

// input is stdin for the whole run, of which answers and contents are read.
func (s *session) input(ctx context.Context) *bufio.Reader {
	if s.lines == nil {
		s.lines = bufio.NewReader(interruptible(ctx, s.stdin))
	}
	return s.lines
}

// interruptible lets ctx end a read: a program that waits for input must obey
// a signal.
func interruptible(ctx context.Context, r io.Reader) io.Reader {
	if _, ok := r.(*os.File); !ok {
		return r
	}
	out, in := io.Pipe()
	go func() {
		_, err := io.CopyBuffer(in, struct{ io.Reader }{r}, make([]byte, 256<<10))
		in.CloseWithError(err)
	}()
	context.AfterFunc(ctx, func() { in.CloseWithError(ctx.Err()) })
	return out
}

// ask asks a question and reads the answer, a line of stdin.
func (s *session) ask(ctx context.Context, question string) (string, error) {
	fmt.Fprint(s.stderr, names.Visible(question))
	line, err := s.input(ctx).ReadString('\n')
	if err != nil || !isTerminal(s.stdin) {
		fmt.Fprintln(s.stderr) // nobody has typed it
	}
	if errors.Is(err, io.EOF) && line == "" {
		return "", fmt.Errorf("no answer to %q: standard input has ended", strings.TrimSpace(question))
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}

// helper asks for required values, if that is wanted.
func (s *session) helper(c *cli.Context) func(key, prompt string) (string, error) {
	if !c.Bool("helper") {
		return nil
	}
	return func(_, prompt string) (string, error) { return s.ask(c.Context, prompt+": ") }
}

// confirm asks before something is lost, on a terminal only.
func (s *session) confirm(c *cli.Context, question string) error {
	if c.Bool("yes") || !isTerminal(s.stdin) {
		return nil
	}
	answer, err := s.ask(c.Context, question+" [y/N] ")
	if err != nil {
		return err
	}
	switch strings.ToLower(answer) {
	case "y", "yes":
		return nil
	}
	return errors.New("not confirmed, nothing was changed")
}

// free returns the free --KEY VALUE options; of a key given twice the last one
// counts.
func (s *session) free() map[string]string {
	m := map[string]string{}
	for _, p := range s.line.Free {
		m[p.Key] = p.Value
	}
	return m
}

// freeSet is free in the form in which metadata is updated.
func (s *session) freeSet() map[string]*string {
	m := map[string]*string{}
	for k, v := range s.free() {
		m[k] = &v
	}
	return m
}

// isTerminal says whether a person is at the other end of a stream.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
