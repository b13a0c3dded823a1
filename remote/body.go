package remote

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"github.com/datafs/datafs/index/leaf"
)

// CheckGet refuses what no driver's Get can do: a bad name, a negative offset, and a
// context that is over.
func CheckGet(ctx context.Context, name string, off int64) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if off < 0 {
		return fmt.Errorf("offset %d: %w", off, fs.ErrInvalid)
	}
	return ctx.Err()
}

// CheckList refuses what no driver's List can do: a bad prefix, and a context that is over.
func CheckList(ctx context.Context, prefix string) error {
	if err := CheckPrefix(prefix); err != nil {
		return err
	}
	return ctx.Err()
}

// body is what NewBody returns. It has no more methods than these, so that io.Copy does
// not pass by Read.
type body struct {
	io.Reader
	io.Closer
	wrap func(error) error
}

// NewBody returns what a driver's Get returns: at most n bytes of r (all if n < 0) until
// ctx ends, with errors that wrap has said more about.
func NewBody(ctx context.Context, r io.ReadCloser, n int64, wrap func(error) error) io.ReadCloser {
	b := &body{leaf.ContextReader(ctx, r), r, wrap}
	if n >= 0 {
		b.Reader = io.LimitReader(b.Reader, n)
	}
	return b
}

func (b *body) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = b.wrap(err)
	}
	return n, err
}

const copyBuffer = 256 << 10 // bytes

// Copy writes what r has left to w, until ctx ends.
func Copy(ctx context.Context, w io.Writer, r io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{w}, leaf.ContextReader(ctx, r), make([]byte, copyBuffer))
	return err
}
