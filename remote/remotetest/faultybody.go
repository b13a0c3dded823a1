package remotetest

import (
	"bytes"
	"io"
)

// faultyBody is the body of a Get. It is read by one goroutine.
type faultyBody struct {
	f     *faulty
	r     io.ReadCloser
	name  string
	fault *Fault
	at    int64
}

func (b *faultyBody) Read(p []byte) (int, error) {
	p, end := b.cut(p)
	if end != nil {
		return 0, end
	}
	n, err := b.r.Read(p)
	if fault := b.fault; fault != nil && fault.How == Corrupt && fault.At >= b.at && fault.At < b.at+int64(n) {
		p[fault.At-b.at] ^= 0xff
	}
	b.at += int64(n)
	b.f.transferred(0, int64(n))
	return n, err
}

// cut shortens p to what may be read before the fault strikes, or says how the
// body ends.
func (b *faultyBody) cut(p []byte) ([]byte, error) {
	if b.fault == nil || b.fault.How != Break && b.fault.How != Truncate {
		return p, nil
	}
	rest := max(b.fault.At-b.at, 0)
	if rest > 0 {
		return p[:min(rest, int64(len(p)))], nil
	}
	if err := b.fault.error(Break, Get, b.name); err != nil {
		return nil, err
	}
	return nil, io.EOF
}

func (b *faultyBody) Close() error { return b.r.Close() }

// spoil reads what is to be put and gives what is put in its stead.
func (ft *Fault) spoil(r io.Reader) (io.ReadSeeker, error) {
	b, err := io.ReadAll(r)
	at := min(ft.At, int64(len(b)))
	if ft.How == Truncate {
		b = b[:at]
	} else if at < int64(len(b)) {
		b[at] ^= 0xff
	}
	return bytes.NewReader(b), err
}
