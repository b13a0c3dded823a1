package remote

import (
	"context"
	"io"
	"io/fs"
)

// Get is that of Authority.
func (r *retrier) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	b := &retryBody{r: r, ctx: ctx, name: name, off: off, left: n}
	if err := r.do(ctx, b.open); err != nil {
		return nil, err
	}
	return b, nil
}

// retryBody reads on where it broke. It keeps the context of the Get that made
// it, as a body does.
type retryBody struct {
	r       *retrier
	ctx     context.Context
	name    string
	off     int64         // of the next byte
	left    int64         // bytes; negative: to the end
	body    io.ReadCloser // nil: it broke with pending, or is closed
	pending error
	tries   tries
	err     error // to end with; nil: none yet
}

func (b *retryBody) open() (err error) {
	b.body, err = b.r.inner.Get(b.ctx, b.name, b.off, b.left)
	return err
}

func (b *retryBody) Read(p []byte) (int, error) {
	for len(p) > 0 && b.err == nil {
		if b.body == nil {
			b.err = b.reopen()
			continue
		}
		n, err := b.body.Read(p)
		b.advance(n)
		switch {
		case err == io.EOF:
			b.err = err
		case err != nil:
			b.body.Close()
			b.body = nil
			b.broke(n, err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// advance notes what has been read.
func (b *retryBody) advance(n int) {
	if n == 0 {
		return
	}
	b.off += int64(n)
	if b.left > 0 {
		b.left -= int64(n)
	}
	b.r.progress(&b.tries)
}

// broke decides what a failed read means. The caller has the n bytes that came
// with the error at once, so the wait is put off to the next Read.
func (b *retryBody) broke(n int, err error) {
	if n > 0 && b.left == 0 {
		b.err = io.EOF // the last byte was there
		return
	}
	b.pending = err
}

// reopen waits and asks for what is left.
func (b *retryBody) reopen() error {
	err := b.pending
	for err != nil {
		if err := b.r.again(b.ctx, &b.tries, err); err != nil {
			return err
		}
		err = b.open()
	}
	return nil
}

// Close is that of io.Closer. What could not be read has been said by Read.
func (b *retryBody) Close() error {
	if b.err == nil {
		b.err = fs.ErrClosed
	}
	if b.body == nil {
		return nil
	}
	err := b.body.Close()
	b.body = nil
	return err
}
