package ftp

import (
	"crypto/tls"
	"io"
	"net"
	"time"
)

// wire is a connection whose every read and write must get on within a time.
type wire struct {
	net.Conn
	conn    *conn
	timeout time.Duration
	control bool
}

func (w *wire) Read(p []byte) (int, error) {
	w.Conn.SetReadDeadline(time.Now().Add(w.timeout))
	n, err := w.Conn.Read(p)
	return n, w.note(err)
}

func (w *wire) Write(p []byte) (int, error) {
	w.Conn.SetWriteDeadline(time.Now().Add(w.timeout))
	n, err := w.Conn.Write(p)
	return n, w.note(err)
}

func (w *wire) note(err error) error {
	if err != nil && w.control {
		w.conn.failed.Store(true)
	}
	return err
}

func (w *wire) Close() error {
	w.conn.mu.Lock()
	delete(w.conn.wires, w)
	w.conn.mu.Unlock()
	return w.Conn.Close()
}

// sealed is a data connection by TLS.
type sealed struct {
	*tls.Conn
	raw   net.Conn
	wrote bool
}

func (s *sealed) Write(p []byte) (int, error) {
	s.wrote = true
	return s.Conn.Write(p)
}

// Handshake is called before an empty file is sent.
func (s *sealed) Handshake() error {
	s.wrote = true
	return s.Conn.Handshake()
}

// Close says that all was sent and waits until the server has closed its side.
// A plain close would be a reset where the server has sent something that was
// not read (by TLS 1.3 it sends tickets), and the server would lose the end of
// the file.
func (s *sealed) Close() error {
	if s.wrote && s.CloseWrite() == nil {
		if half, ok := s.raw.(interface{ CloseWrite() error }); ok {
			half.CloseWrite()
		}
		io.Copy(io.Discard, s.Conn)
	}
	s.Conn.Close()
	return nil
}
