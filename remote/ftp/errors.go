package ftp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/textproto"
	"os"
	"strings"
	"syscall"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

// finalError is what this package has said already in the terms of remote, or
// what comes from the caller's reader: kindOf leaves it as it is.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func final(err error) error { return finalError{err} }

func finalf(format string, a ...any) error { return finalError{fmt.Errorf(format, a...)} }

// refused is an error of what is not allowed.
func refused(format string, a ...any) error {
	return finalf("%s: %w", fmt.Sprintf(format, a...), fs.ErrPermission)
}

// replyCode gives the code of the server's answer, 0 when an error is none.
func replyCode(err error) int {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply.Code
	}
	return 0
}

// inOrder says whether the connection can be used after an error: what it is
// about was said by the server, or was not about the connection.
func inOrder(err error) bool {
	var done finalError
	if errors.As(err, &done) {
		return true
	}
	code := replyCode(err)
	return code != 0 && code != 421 && !isNetwork(err)
}

func isNetwork(err error) bool {
	var network net.Error
	return errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded)
}

// denied says whether the text of an answer is about permission: the code for
// it is that of a missing file.
func denied(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "permission") || strings.Contains(text, "denied") || strings.Contains(text, "not allowed")
}

// kindOf says what an error is in the terms of remote. What is no answer of the
// server is an end of the connection.
func kindOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var done finalError
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &done):
		return done.error
	case errors.As(err, &cert):
		return fmt.Errorf("the server's certificate is not accepted: %s: %w", leaf.OneLine(cert.Error()), fs.ErrPermission)
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("no such host %q: %w", dns.Name, remote.ErrNoStorage)
	case replyCode(err) == 0:
		return fmt.Errorf("%w: %s", remote.ErrUnavailable, leaf.OneLine(err.Error()))
	}
	return replyError(replyCode(err), leaf.OneLine(err.Error()))
}

// replyError reads an answer of the server; see RFC 959, section 4.2.
func replyError(code int, text string) error {
	var kind error
	switch {
	case code == 452 || code == 552:
		kind = syscall.ENOSPC
	case code == 430 || code == 530 || code == 532 || code == 534 || code == 550 || code == 553:
		kind = fs.ErrPermission
	case code < 500:
		kind = remote.ErrUnavailable
	case code >= 500 && code <= 504:
		kind = errors.ErrUnsupported
	default:
		return fmt.Errorf("the server says %s", text)
	}
	return fmt.Errorf("the server says %s: %w", text, kind)
}
