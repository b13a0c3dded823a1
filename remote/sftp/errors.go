package sftp

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	pkgsftp "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

// finalError is what this package has said already in the terms of remote, or
// what comes from the caller's reader: kindOf leaves it as it is.
type finalError struct{ error }

func (e finalError) Unwrap() error { return e.error }

func final(format string, a ...any) error { return finalError{fmt.Errorf(format, a...)} }

// refused is an error of what is wrong with credentials or keys.
func refused(format string, a ...any) error {
	return final("%s: %w", fmt.Sprintf(format, a...), fs.ErrPermission)
}

// kindOf says what an error is in the terms of remote. What is no answer of the
// server is an end of the connection.
func kindOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var done finalError
	switch {
	case errors.As(err, &done):
		return done.error
	case errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist
	case errors.Is(err, fs.ErrPermission):
		return fs.ErrPermission
	case errors.Is(err, fs.ErrClosed), errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrInvalid),
		errors.Is(err, errors.ErrUnsupported), errors.Is(err, remote.ErrUnavailable), errors.Is(err, syscall.ENOSPC):
		return err
	}
	var status *pkgsftp.StatusError
	if !errors.As(err, &status) {
		return networkError(err)
	}
	return statusError(status)
}

// statusError reads an answer of the server. SFTP has one code, failure, for a
// full disk, a file that exists and much else.
func statusError(status *pkgsftp.StatusError) error {
	text := leaf.OneLine(status.Error())
	low := strings.ToLower(text)
	switch {
	case status.FxCode() == pkgsftp.ErrSSHFxConnectionLost, status.FxCode() == pkgsftp.ErrSSHFxNoConnection:
		return fmt.Errorf("%w: %s", remote.ErrUnavailable, text)
	case status.FxCode() == pkgsftp.ErrSSHFxOpUnsupported:
		return fmt.Errorf("the server says %s: %w", text, errors.ErrUnsupported)
	case strings.Contains(low, "no space"), strings.Contains(low, "quota"):
		return fmt.Errorf("the server says %s: %w", text, syscall.ENOSPC)
	}
	return fmt.Errorf("the server says %s", text)
}

// networkError is an error of dialling, or of a connection that broke.
func networkError(err error) error {
	var dns *net.DNSError
	var algorithms *ssh.AlgorithmNegotiationError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("no such host %q: %w", dns.Name, remote.ErrNoStorage)
	case errors.As(err, &algorithms):
		return fmt.Errorf("%s", leaf.OneLine(err.Error()))
	}
	return fmt.Errorf("%w: %s", remote.ErrUnavailable, leaf.OneLine(err.Error()))
}
