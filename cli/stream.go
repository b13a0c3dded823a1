package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/datafs/datafs/index/leaf"
)

// openInput opens contents that are read as "-" is: what the process was given
// open, such as /dev/stdin or <(COMMAND). Of anything else it returns nil.
func (s *session) openInput(ctx context.Context, name string) (io.ReadCloser, error) {
	fd, ok := leaf.Descriptor(name)
	if fi, err := os.Stat(name); !ok || err == nil && fi.IsDir() {
		return nil, nil
	}
	if fd == 0 {
		return io.NopCloser(s.input(ctx)), nil
	}
	f, err := leaf.OpenDescriptor(fd, name)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{interruptible(ctx, f), f}, nil
}

// outputError is an error of writing to standard output.
type outputError struct {
	err  error
	done string // what could not be printed of a command that has done its work; "": it had nothing else to do
}

func (e *outputError) Error() string {
	if e.done != "" {
		return fmt.Sprintf("the work is done, but %s could not be printed: %v", e.done, e.err)
	}
	return "print the result: " + e.err.Error()
}

func (e *outputError) Unwrap() error { return e.err }

func (e *outputError) hint() string {
	if e.done != "" {
		return "there is no need to run the command again; what standard output goes to is full, or gone"
	}
	return "what standard output goes to is full, or gone"
}

// changing are the commands whose result is more than what they print.
var changing = map[string]bool{
	"create": true, "update": true, "import": true, "delete": true, "undelete": true, "download": true, "checkout": true, "run": true,
	"init": true, "gc": true, "lock": true, "yank": true, "unyank": true, "push": true, "pull": true, "resolve": true, "migrate": true,
	"admin create-table": true, "admin delete-table": true,
}

// unprinted says of an error of the standard output what it means.
func (s *session) unprinted(c *cli.Context, what string, err error) error {
	if err == nil {
		return nil
	}
	changes := changing[s.line.Command] || c.Bool("repair") || c.Bool("rebuild-index")
	if !changes || c.Bool("dry-run") || c.Bool("check") {
		what = ""
	}
	return &outputError{err, what}
}

// sticky keeps the first error of its writes, for a writer that looks at none.
type sticky struct {
	w   io.Writer
	err error
}

func (s *sticky) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if s.err == nil {
		s.err = err
	}
	return n, err
}

// contentWriter passes contents on to standard output, and says of an error that it
// is one of that.
type contentWriter struct{ w io.Writer }

func (c contentWriter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	if err != nil {
		err = &outputError{err: err}
	}
	return n, err
}
