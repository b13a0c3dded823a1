package web

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"io"
)

// rpcEncoder gives r's bytes in base64. Unlike base64.NewEncoder it is read.
type rpcEncoder struct {
	r    io.Reader
	raw  [3 << 10]byte
	text [4 << 10]byte
	left []byte // of text
	err  error
}

func (e *rpcEncoder) Read(p []byte) (int, error) {
	if len(e.left) == 0 && e.err == nil {
		var n int
		n, e.err = io.ReadFull(e.r, e.raw[:])
		if e.err == io.ErrUnexpectedEOF {
			e.err = io.EOF
		}
		e.left = e.text[:base64.StdEncoding.EncodedLen(n)]
		base64.StdEncoding.Encode(e.left, e.raw[:n])
	}
	if len(e.left) == 0 {
		return 0, e.err
	}
	n := copy(p, e.left)
	e.left = e.left[n:]
	return n, nil
}

// data gives the bytes of a base64 value as they come.
func (a *rpcAnswer) data() (io.Reader, error) {
	if err := a.enter("base64"); err != nil {
		return nil, err
	}
	return &rpcData{answer: a, r: base64.NewDecoder(base64.StdEncoding, rpcText{a.buf})}, nil
}

// rpcData ends only when the document that it stands in is whole.
type rpcData struct {
	answer *rpcAnswer
	r      io.Reader
}

func (d *rpcData) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if err == io.EOF {
		if end := d.answer.end(); end != nil {
			err = end
		}
	}
	return n, err
}

// rpcText is the text up to the next tag, without spaces.
type rpcText struct{ buf *bufio.Reader }

func (t rpcText) Read(p []byte) (int, error) {
	for {
		if _, err := t.buf.Peek(1); err == io.EOF {
			return 0, io.ErrUnexpectedEOF
		} else if err != nil {
			return 0, err
		}
		b, _ := t.buf.Peek(min(len(p), t.buf.Buffered()))
		tag := bytes.IndexByte(b, '<')
		if tag == 0 {
			return 0, io.EOF
		}
		if tag > 0 {
			b = b[:tag]
		}
		n := 0
		for _, c := range b {
			if c > ' ' {
				p[n] = c
				n++
			}
		}
		_, _ = t.buf.Discard(len(b))
		if n > 0 || len(p) == 0 {
			return n, nil
		}
	}
}
