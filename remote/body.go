package remote

import (
	"context"
	"fmt"
	"io"
	"io/fs"
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

// contextReader reads until its context is over. It has the one method, so that
// io.Copy does not pass it by.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c *contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}

// contextBody is a body that is read until its context is over.
type contextBody struct {
	ctx   context.Context
	r     io.Reader
	close func() error // may be nil
}

func (b *contextBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.r.Read(p)
}

func (b *contextBody) Close() error {
	if b.close == nil {
		return nil
	}
	return b.close()
}
