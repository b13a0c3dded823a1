package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"

	pkgsftp "github.com/pkg/sftp"

	"github.com/datafs/datafs/remote"
)

// The bytes that a body asks for at once: a first packet's worth of a file whose
// length is not known, then more. They go out as requests of 32 KiB each.
const (
	firstRead = 32 << 10
	mostRead  = 1 << 20
)

// Get is that of remote.Authority.
func (p *place) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := remote.CheckName(name); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, p.wrap(ctx, "get", name, fmt.Errorf("offset %d: %w", off, fs.ErrInvalid))
	}
	var b *body
	err := p.do(ctx, "get", name, func(s *session) error {
		f, err := s.client.Open(s.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			err = s.missing()
		}
		b = &body{ctx: ctx, place: p, session: s, file: f, name: name, off: off, left: n, ask: firstRead}
		return err
	})
	if err != nil {
		return nil, err
	}
	if n < 0 {
		b.left = math.MaxInt64
	} else {
		b.ask = mostRead
	}
	return b, nil
}

// body reads a part of a file, several packets at once.
type body struct {
	ctx     context.Context // of the Get
	place   *place
	session *session
	file    *pkgsftp.File
	name    string
	off     int64 // of what is asked for next
	left    int64 // that may be asked for
	ask     int64
	buf     []byte
	pending []byte // part of buf that is not given out yet
	err     error  // after pending
}

func (b *body) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, b.place.wrap(b.ctx, "get", b.name, err)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.pending) == 0 && b.err == nil {
		b.fill()
	}
	if len(b.pending) == 0 {
		return 0, b.err
	}
	n := copy(p, b.pending)
	b.pending = b.pending[n:]
	return n, nil
}

// fill asks for the next bytes. Only io.EOF itself, bare, is the server's word
// that the file ends: that of a connection comes wrapped.
func (b *body) fill() {
	size := min(b.ask, b.left)
	if size == 0 {
		b.err = io.EOF
		return
	}
	if int64(cap(b.buf)) < size {
		b.buf = make([]byte, size)
	}
	end := b.session.guard(b.ctx)
	n, err := b.file.ReadAt(b.buf[:size], b.off)
	if err != nil && err != io.EOF && b.isDir() {
		err = fs.ErrNotExist
	}
	end()
	b.pending = b.buf[:n]
	b.off += int64(n)
	b.left -= int64(n)
	b.ask = min(2*b.ask, mostRead)
	if err != nil && err != io.EOF {
		b.pending = nil
		err = b.place.ended(b.ctx, b.session, "get", b.name, err)
	}
	b.err = err
}

// isDir says whether the name is that of a directory: servers open those.
func (b *body) isDir() bool {
	info, err := b.session.client.Stat(b.session.path(b.name))
	return err == nil && info.IsDir()
}

// Close gives the file back to the server. Whether that succeeds does not matter
// to anybody.
func (b *body) Close() error {
	if b.file != nil {
		end := b.session.guard(b.ctx)
		b.file.Close()
		end()
		b.file, b.pending, b.err = nil, nil, fs.ErrClosed
	}
	return nil
}
