// Package sftp is an authority on an SSH server: files below one directory,
// reached by SFTP (version 3, draft-ietf-secsh-filexfer-02, with OpenSSH's
// extensions where the server has them). It reads the user's ssh configuration,
// keys and known hosts, but never asks anybody anything and never changes those
// files. Its one invariant: nothing is sent, no password and no file, to a host
// whose key is not known.
package sftp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/datafs/datafs/remote"
)

// Options say where the files are and who logs in.
type Options struct {
	// Host is a name, an address, or an alias of the ssh configuration.
	Host string
	// Port and User are those of the ssh configuration when they are 0 and ""
	// (else 22 and LocalUser).
	Port int
	User string
	// Password is tried after the keys, if there is one.
	Password string
	// Key is a private key (PEM or OpenSSH's format), KeyFiles are paths of
	// some, "~/" being Home. They are tried first.
	Key      string
	KeyFiles []string
	// Passphrase opens keys that are encrypted.
	Passphrase string
	// HostKey is the host's public key ("ssh-ed25519 AAAA..."); "": the known
	// hosts files say which it is.
	HostKey string
	// Root is the directory of the files. A relative one is below the
	// directory that a login begins in; "" is that directory.
	Root string
	// Create makes Root on the first Put when it is missing.
	Create bool
	// NoAgent leaves out the ssh agent, NoDefaultKeys those keys of Home that
	// ssh would try without being told.
	NoAgent, NoDefaultKeys bool

	// Home holds .ssh; "": there is no configuration, key or known host.
	Home string
	// LocalUser logs in when nothing else says who.
	LocalUser string
	// AgentSocket is the path of the ssh agent's socket (SSH_AUTH_SOCK).
	AgentSocket string
	// ConfigFile is the ssh configuration, "" is .ssh/config of Home, "none"
	// is none.
	ConfigFile string
	// KnownHosts are the known hosts files; nil: those of the configuration,
	// else OpenSSH's.
	KnownHosts []string

	// Timeout is for connecting and logging in; 0 is 30 seconds.
	Timeout time.Duration
	// KeepAlive is how often the server is asked whether it is still there; it
	// has twice that time to answer. 0 is 15 seconds.
	KeepAlive time.Duration
	// Rand is where temporary names come from; nil: crypto/rand.
	Rand io.Reader
}

const (
	defaultTimeout   = 30 * time.Second
	defaultKeepAlive = 15 * time.Second
)

// place is the authority. One connection serves all calls; it is made when the
// first call needs it and again after it broke.
type place struct {
	opts Options
	name string

	lock    chan struct{} // of capacity 1; who has put something in may use what follows
	session *session
	closed  bool
}

var _ remote.Exclusive = (*place)(nil)

// Open gives an authority, which is Exclusive, on an SSH server. It neither
// connects nor reads a file; ctx is not used.
func Open(_ context.Context, o *Options) (remote.Authority, error) {
	p := &place{opts: *o, lock: make(chan struct{}, 1)}
	for what, s := range map[string]string{"host": o.Host, "user": o.User, "root": o.Root} {
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("sftp: a control character in %s %.200q: %w", what, s, fs.ErrInvalid)
		}
	}
	if o.Host == "" || strings.HasPrefix(o.Host, "-") {
		return nil, fmt.Errorf("sftp: %.200q is no host: %w", o.Host, fs.ErrInvalid)
	}
	if o.Port < 0 || o.Port > 65535 {
		return nil, fmt.Errorf("sftp: port %d: %w", o.Port, fs.ErrInvalid)
	}
	if p.opts.Timeout <= 0 {
		p.opts.Timeout = defaultTimeout
	}
	if p.opts.KeepAlive <= 0 {
		p.opts.KeepAlive = defaultKeepAlive
	}
	if p.opts.Rand == nil {
		p.opts.Rand = rand.Reader
	}
	p.opts.Root = belowHome(o.Root)
	p.name = location(&p.opts)
	return p, nil
}

// belowHome takes "~/" from a path: one without a slash before it is below the
// login's directory anyway.
func belowHome(root string) string {
	if root == "~" {
		return ""
	}
	return strings.TrimPrefix(root, "~/")
}

// location gives a URL that FromURL reads, without a password.
func location(o *Options) string {
	host := o.Host
	if o.Port != 0 {
		host = net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
	}
	switch {
	case strings.HasPrefix(o.Root, "/"):
		return "sftp://" + host + path.Clean(o.Root)
	case o.Root == "":
		return "sftp://" + host
	}
	return "sftp://" + host + "/~/" + path.Clean(o.Root)
}

// String gives the location, without user and password.
func (p *place) String() string { return p.name }

// enter takes the lock.
func (p *place) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// connect gives the connection, a new one when there is none that works.
func (p *place) connect(ctx context.Context) (*session, error) {
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-p.lock }()
	if p.closed {
		return nil, fs.ErrClosed
	}
	if p.session != nil && !p.session.over() {
		return p.session, nil
	}
	if p.session != nil {
		p.session.close()
		p.session = nil
	}
	s, err := dialSession(ctx, &p.opts)
	if err != nil {
		return nil, err
	}
	p.session = s
	return s, nil
}

// Close ends the connection and with it what still goes on.
func (p *place) Close() error {
	p.lock <- struct{}{}
	defer func() { <-p.lock }()
	p.closed = true
	if p.session != nil {
		p.session.close()
		p.session = nil
	}
	return nil
}

// do calls f with the connection and says what went wrong in the terms of
// remote.
func (p *place) do(ctx context.Context, op, name string, f func(s *session) error) error {
	s, err := p.connect(ctx)
	if err != nil {
		return p.wrap(ctx, op, name, err)
	}
	end := s.guard(ctx)
	err = f(s)
	end()
	return p.ended(ctx, s, op, name, err)
}

// ended is wrap for an error of a request: after one of the network the
// connection is of no use to the next call.
func (p *place) ended(ctx context.Context, s *session, op, name string, err error) error {
	err = p.wrap(ctx, op, name, err)
	if errors.Is(err, remote.ErrUnavailable) && !errors.Is(err, remote.ErrNoStorage) {
		s.close()
	}
	return err
}

func (p *place) wrap(ctx context.Context, op, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %.600s: %s: %w", op, name, p, kindOf(ctx, err))
}

// Delete is that of remote.Authority.
func (p *place) Delete(ctx context.Context, name string) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	return p.do(ctx, "delete", name, func(s *session) error {
		err := s.client.Remove(s.path(name))
		if errors.Is(err, fs.ErrNotExist) {
			if err = s.missing(); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
		}
		return err
	})
}
