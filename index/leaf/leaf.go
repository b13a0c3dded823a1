// Package leaf has the few functions that every room needs and the standard library
// lacks. It imports no other package of this module and keeps no state.
package leaf

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
	"unicode"
)

// SyncDir writes the names in a directory to disk, where its filesystem can do so.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // it has no such call
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(SyncNames(d), d.Close())
}

// SyncNames is SyncDir for a directory that is open.
func SyncNames(d *os.File) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	err := d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil // there is nothing better to do
	}
	return err
}

// Sleep returns nil after wait, or the cause of ctx when that ends before.
func Sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// contextReader is the reader of ContextReader. It has the one method, so that io.Copy
// does not pass it by.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

// ContextReader returns a reader of r that fails with the error of ctx when that is over.
func ContextReader(ctx context.Context, r io.Reader) io.Reader { return &contextReader{ctx, r} }

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

const maxText = 300 // bytes of another program's text in a message

// OneLine returns text of another program as one line that can be printed, of at most
// 300 bytes and three dots.
func OneLine(text string) string {
	clean := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, text)
	clean = strings.Join(strings.Fields(clean), " ")
	if len(clean) > maxText {
		clean = strings.ToValidUTF8(clean[:maxText], "") + "..."
	}
	return clean
}

// kindError is the error of Errorf.
type kindError struct {
	text string
	kind error
}

func (e *kindError) Error() string { return e.text }
func (e *kindError) Unwrap() error { return e.kind }

// markedError is the error of Mark.
type markedError struct{ err, kind error }

func (e *markedError) Error() string   { return e.err.Error() }
func (e *markedError) Unwrap() []error { return []error{e.kind, e.err} }

// Mark returns err, with its text, as an error that errors.Is finds to be of a kind too.
func Mark(err, kind error) error { return &markedError{err, kind} }

// Errorf returns an error that errors.Is finds to be of a kind, and whose text does not
// name the kind: for texts that users and scripts know.
func Errorf(kind error, format string, args ...any) error {
	return &kindError{fmt.Sprintf(format, args...), kind}
}
