package ftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	jlaffaye "github.com/jlaffaye/ftp"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

// smallRead is how many bytes are read at once, so that their connection is free
// again before the caller looks at them.
const smallRead = 1 << 20

// Get is that of remote.Authority. A body takes one of the connections until it
// is closed or read to its end, unless it is for 1 MiB or less.
func (p *place) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := remote.CheckName(name); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, p.wrap(ctx, "get", name, finalf("offset %d: %w", off, fs.ErrInvalid))
	}
	left := n
	if n < 0 {
		left = math.MaxInt64
	}
	var body io.ReadCloser
	err := p.lend(ctx, "get", name, func(c *conn, end func()) (bool, error) {
		r, err := c.retrieve(name, off)
		if err != nil || r == nil {
			end()
			body = io.NopCloser(bytes.NewReader(nil))
			return false, err
		}
		b := &transfer{ctx: ctx, place: p, conn: c, end: end, response: r, name: name, left: left}
		if left > smallRead {
			body = b
			return true, nil
		}
		data, err := b.all()
		body = io.NopCloser(bytes.NewReader(data))
		return false, err
	})
	if err != nil {
		return nil, err
	}
	return body, nil
}

// retrieve begins a transfer. There is none, without an error, when the offset is
// behind the end of the file: servers refuse that, or send what they like.
func (c *conn) retrieve(name string, off int64) (*jlaffaye.Response, error) {
	if off > 0 {
		size, err := c.FileSize(c.path(name))
		if replyCode(err) == 550 {
			return nil, c.unusable(name, err)
		}
		if err == nil && off >= size {
			return nil, nil
		}
		if err != nil && !inOrder(err) {
			return nil, err
		}
	}
	r, err := c.RetrFrom(c.path(name), uint64(off))
	if err == nil {
		return r, nil
	}
	err = c.unusable(name, err)
	if !errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	// It is there now: if it came after it was asked for, it can be read now.
	if r, err := c.RetrFrom(c.path(name), uint64(off)); err == nil {
		return r, nil
	} else if !inOrder(err) {
		return nil, err
	}
	return nil, err
}

// transfer is a file on its way. The end of the data is the end of the file only
// when the server then says so.
type transfer struct {
	ctx      context.Context // of the Get
	place    *place
	conn     *conn
	end      func()
	response *jlaffaye.Response
	name     string
	left     int64
	ended    bool
	err      error // of the end
}

// all reads what is left and leaves the connection to the caller.
func (b *transfer) all() ([]byte, error) {
	defer b.end()
	var data bytes.Buffer
	_, err := io.Copy(&data, io.LimitReader(b.response, b.left))
	if err == nil && int64(data.Len()) == b.left {
		if !b.abort() {
			b.conn.end()
		}
		return data.Bytes(), nil
	}
	if err = b.confirm(err); err != nil {
		b.conn.end()
	}
	return data.Bytes(), err
}

// confirm reads the server's word on a transfer that ended by itself. Many
// servers end TLS without saying so in TLS: their word counts.
func (b *transfer) confirm(err error) error {
	closeErr := b.response.Close()
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if code := replyCode(closeErr); code/100 == 2 {
		return nil
	} else if code != 0 {
		return finalf("%w: the server says %s", remote.ErrUnavailable, leaf.OneLine(closeErr.Error()))
	}
	return closeErr
}

// abort ends a transfer of which no more is wanted, and says whether the
// connection can be used for another. Servers answer such an end with one reply
// or two: the answer to a command shows that none is left.
func (b *transfer) abort() bool {
	if err := b.response.Close(); err != nil && replyCode(err) == 0 {
		return false
	}
	return b.conn.NoOp() == nil
}

func (b *transfer) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil && !b.ended {
		b.finish(false, b.place.wrap(b.ctx, "get", b.name, err))
	}
	if b.ended || len(p) == 0 {
		return 0, b.err
	}
	n, err := b.response.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	switch {
	case b.left == 0:
		b.finish(b.abort(), io.EOF)
	case err != nil:
		if err == io.EOF {
			err = nil
		}
		if err = b.confirm(err); err == nil {
			b.finish(true, io.EOF)
		} else {
			b.finish(false, b.place.wrap(b.ctx, "get", b.name, err))
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, b.err
}

// finish gives the connection back.
func (b *transfer) finish(good bool, err error) {
	b.ended, b.err = true, err
	b.end()
	b.place.release(b.conn, good)
}

// Close gives the connection back if that was not done at the end.
func (b *transfer) Close() error {
	if !b.ended {
		b.finish(b.abort(), fmt.Errorf("get %s: %w", b.name, fs.ErrClosed))
	}
	return nil
}
