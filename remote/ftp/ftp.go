// Package ftp is an authority on an FTP server (RFC 959 with the extensions of
// RFC 3659), by TLS where wanted (RFC 4217). FTP has no way to make a file only
// if there is none: it is no remote.Exclusive, and no place for a catalogue. Its
// one invariant: where TLS is wanted nothing is sent without it, and no
// certificate is taken that is not verified.
package ftp

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
	"sync"
	"syscall"
	"time"

	"github.com/datafs/datafs/remote"
)

// TLSMode says how a connection is encrypted.
type TLSMode int

// No TLS; AUTH TLS on the usual port; TLS from the first byte, on a port of its
// own.
const (
	NoTLS TLSMode = iota
	ExplicitTLS
	ImplicitTLS
)

// Options say where the files are and who logs in.
type Options struct {
	Host string
	// Port 0 is 21, and 990 for ImplicitTLS.
	Port int
	// User "" is anonymous.
	User, Password string
	// Root is the directory of the files. A relative one is below the directory
	// that a login begins in; "" is that directory.
	Root string
	// Create makes Root on the first Put when it is missing.
	Create bool
	TLS    TLSMode
	// CAFile has certificates (PEM) of authorities to trust; "": the system's.
	CAFile string
	// Timeout is how long the server may take for anything before it is given
	// up; 0 is 60 seconds.
	Timeout time.Duration
	// Connections is how many there may be at once; each transfer takes one. 0
	// is 4.
	Connections int
	// Rand is where temporary names come from; nil: crypto/rand.
	Rand io.Reader
}

const (
	defaultTimeout     = 60 * time.Second
	defaultConnections = 4
	cancelGrace        = 2 * time.Second // for what is under way when its context is over
)

// place is the authority: a pool of connections.
type place struct {
	opts Options
	name string
	free chan struct{} // what may still be put in, connections may be used

	mu     sync.Mutex // guards what follows
	idle   []*conn
	made   map[string]bool // directories that were there
	closed bool
}

// Open gives an authority on an FTP server. It does not connect; ctx is not
// used.
func Open(_ context.Context, o *Options) (remote.Authority, error) {
	for what, s := range map[string]string{"host": o.Host, "user": o.User, "password": o.Password, "root": o.Root} {
		if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, fmt.Errorf("ftp: a control character in the %s: %w", what, fs.ErrInvalid)
		}
	}
	if o.Host == "" || o.Port < 0 || o.Port > 65535 {
		return nil, fmt.Errorf("ftp: %.200q, port %d is no host: %w", o.Host, o.Port, fs.ErrInvalid)
	}
	p := &place{opts: *o, made: map[string]bool{}}
	p.opts.Root = belowHome(o.Root)
	p.name = location(&p.opts)
	p.setDefaults()
	p.free = make(chan struct{}, p.opts.Connections)
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

func (p *place) setDefaults() {
	o := &p.opts
	if o.Port == 0 {
		o.Port = 21
		if o.TLS == ImplicitTLS {
			o.Port = 990
		}
	}
	if o.User == "" {
		o.User = "anonymous"
		if o.Password == "" {
			o.Password = "anonymous"
		}
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Connections <= 0 {
		o.Connections = defaultConnections
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
}

// location gives a URL that FromURL reads, without a password.
func location(o *Options) string {
	text := "ftp://"
	if o.TLS != NoTLS {
		text = "ftps://"
	}
	if o.Port != 0 {
		text += net.JoinHostPort(o.Host, strconv.Itoa(o.Port))
	} else {
		text += o.Host
	}
	switch {
	case strings.HasPrefix(o.Root, "/"):
		return text + path.Clean(o.Root)
	case o.Root == "":
		return text
	}
	return text + "/~/" + path.Clean(o.Root)
}

// String gives the location, without user and password.
func (p *place) String() string { return p.name }

// Close gives up the connections that nothing uses, and those in use when they
// come back.
func (p *place) Close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.quit()
	}
	return nil
}

// acquire gives a connection for the caller alone. One that was used before may
// have been given up by the server meanwhile.
func (p *place) acquire(ctx context.Context) (c *conn, used bool, err error) {
	if err := ctx.Err(); err != nil {
		return nil, false, err
	}
	select {
	case p.free <- struct{}{}:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	p.mu.Lock()
	closed := p.closed
	if n := len(p.idle); n > 0 {
		c, p.idle = p.idle[n-1], p.idle[:n-1]
	}
	p.mu.Unlock()
	switch {
	case closed:
		err = final(fs.ErrClosed)
	case c == nil:
		c, err = dial(ctx, &p.opts)
	default:
		return c, true, nil
	}
	if err != nil {
		<-p.free
		return nil, false, err
	}
	return c, false, nil
}

// release takes a connection back; one that is not in order is closed.
func (p *place) release(c *conn, good bool) {
	p.mu.Lock()
	keep := good && !p.closed && !c.failed.Load()
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		c.end()
	}
	<-p.free
}

// dropIdle closes the connections that nothing uses: where the server has given
// up one it has probably given up all.
func (p *place) dropIdle() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, c := range idle {
		c.end()
	}
}

// do calls f with a connection, and once more with a new one if it turns out
// that the server had given up the first.
func (p *place) do(ctx context.Context, op, name string, f func(c *conn) error) error {
	return p.lend(ctx, op, name, func(c *conn, end func()) (bool, error) {
		defer end()
		return false, f(c)
	})
}

// lend is do for an f that may keep the connection: it then calls end, which
// ends the watch over ctx, and releases the connection.
func (p *place) lend(ctx context.Context, op, name string, f func(c *conn, end func()) (keep bool, err error)) error {
	for {
		c, used, err := p.acquire(ctx)
		if err != nil {
			return p.wrap(ctx, op, name, err)
		}
		keep, err := f(c, c.guard(ctx))
		if keep {
			return nil
		}
		gone := c.failed.Load() || replyCode(err) == 421
		p.release(c, err == nil || inOrder(err))
		if err == nil {
			return nil
		}
		if !used || !gone || ctx.Err() != nil {
			return p.wrap(ctx, op, name, err)
		}
		p.dropIdle()
	}
}

func (p *place) wrap(ctx context.Context, op, name string, err error) error {
	err = kindOf(ctx, err)
	if p.opts.Password != "" && p.opts.User != "anonymous" && strings.Contains(err.Error(), p.opts.Password) {
		err = bareKind(err)
	}
	return fmt.Errorf("%s %.600s: %s: %w", op, name, p, err)
}

// bareKind is an error without its text, where the server has repeated the
// password in it.
func bareKind(err error) error {
	kinds := []error{context.Canceled, context.DeadlineExceeded, remote.ErrNoStorage, remote.ErrUnavailable,
		fs.ErrPermission, fs.ErrNotExist, syscall.ENOSPC, errors.ErrUnsupported}
	for _, kind := range kinds {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return errors.New("refused by the server")
}
