package ftp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net"
	"os"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	jlaffaye "github.com/jlaffaye/ftp"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

// conn is a control connection, logged in. One goroutine at a time uses it.
type conn struct {
	*jlaffaye.ServerConn
	root   string
	create bool
	failed atomic.Bool // the control connection broke, or was closed

	dialing context.Context // over when the connection is
	cancel  context.CancelFunc

	mu    sync.Mutex
	wires map[*wire]bool // mu guards it: what is open
}

// dial connects and logs in.
func dial(ctx context.Context, o *Options) (*conn, error) {
	config, err := tlsConfig(o)
	if err != nil {
		return nil, err
	}
	c := &conn{create: o.Create, wires: map[*wire]bool{}}
	c.dialing, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, c.end)
	defer stop()
	if err := c.login(o, config); err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

// tlsConfig is for one control connection and its data connections, which must
// resume its session: servers take that as the proof that both have one client.
func tlsConfig(o *Options) (*tls.Config, error) {
	if o.TLS == NoTLS {
		return nil, nil
	}
	config := &tls.Config{ServerName: o.Host, MinVersion: tls.VersionTLS12, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	if o.CAFile == "" {
		return config, nil
	}
	text, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, refused("ca_file: %s", leaf.OneLine(err.Error()))
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(text) {
		return nil, refused("ca_file: %s has no certificates", o.CAFile)
	}
	return config, nil
}

func (c *conn) login(o *Options, config *tls.Config) error {
	options := []jlaffaye.DialOption{jlaffaye.DialWithDialFunc(c.dialer(o, config))}
	switch o.TLS {
	case ExplicitTLS:
		options = append(options, jlaffaye.DialWithExplicitTLS(config))
	case ImplicitTLS:
		options = append(options, jlaffaye.DialWithTLS(config))
	}
	server, err := jlaffaye.Dial(net.JoinHostPort(o.Host, strconv.Itoa(o.Port)), options...)
	if code := replyCode(err); code >= 500 && o.TLS == ExplicitTLS {
		return finalf("the server offers no TLS: it says %s", leaf.OneLine(err.Error()))
	}
	if err != nil {
		return err
	}
	c.ServerConn = server
	if err := server.Login(o.User, o.Password); err != nil {
		return c.loginError(o, err)
	}
	if c.root = path.Clean(o.Root); !path.IsAbs(c.root) {
		home, err := server.CurrentDir()
		if err != nil {
			return err
		}
		c.root = path.Join("/", home, o.Root)
	}
	return nil
}

// loginError tells a refusal from a connection that broke: the library gives
// some of the server's answers as plain text.
func (c *conn) loginError(o *Options, err error) error {
	code := replyCode(err)
	if c.failed.Load() || code == 421 || isNetwork(err) {
		return err
	}
	if code == 0 || code == 530 || code == 532 || code == 430 || code == 332 {
		return refused("login of %s was refused: %s", o.User, leaf.OneLine(err.Error()))
	}
	return err
}

// dialer opens the control connection the first time, then data connections.
func (c *conn) dialer(o *Options, config *tls.Config) func(network, addr string) (net.Conn, error) {
	control := true
	return func(network, addr string) (net.Conn, error) {
		raw, err := (&net.Dialer{Timeout: o.Timeout}).DialContext(c.dialing, network, addr)
		if err != nil {
			return nil, err
		}
		w := &wire{Conn: raw, conn: c, timeout: o.Timeout, control: control}
		if !c.add(w) {
			raw.Close()
			return nil, net.ErrClosed
		}
		first := control
		control = false
		switch {
		case config == nil || first && o.TLS == ExplicitTLS:
			return w, nil
		case first:
			return tls.Client(w, config), nil
		}
		return &sealed{Conn: tls.Client(w, config), raw: raw}, nil
	}
}

func (c *conn) add(w *wire) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wires[w] = true
	return c.dialing.Err() == nil
}

// end closes the connection and what transfers it has.
func (c *conn) end() {
	c.failed.Store(true)
	c.cancel()
	c.mu.Lock()
	wires := c.wires
	c.wires = map[*wire]bool{}
	c.mu.Unlock()
	for w := range wires {
		w.Conn.Close()
	}
}

// quit takes leave of the server.
func (c *conn) quit() {
	stop := time.AfterFunc(cancelGrace, c.end)
	c.Quit()
	stop.Stop()
	c.end()
}

// guard ends the connection when ctx is over and what was under way does not end
// soon. The function returned is to be called at the end.
func (c *conn) guard(ctx context.Context) func() {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(cancelGrace)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
			c.end()
		}
	})
	return func() { stop(); close(ended) }
}

// rootError says why the root cannot be used, nil if it can.
func (c *conn) rootError() error {
	err := c.ChangeDir(c.root)
	switch {
	case err == nil || !inOrder(err):
		return err
	case denied(err):
		return refused("directory %s: %s", c.root, leaf.OneLine(err.Error()))
	}
	return finalf("directory %s: %w", c.root, remote.ErrNoStorage)
}

// path gives the path of a file at the server.
func (c *conn) path(name string) string { return path.Join(c.root, name) }

// unusable says what a refusal to read or delete a file means: servers have one
// code, 550, for a file that is not there and one that is not for us.
func (c *conn) unusable(name string, err error) error {
	if code := replyCode(err); code != 550 && code != 551 && code != 553 {
		return err
	}
	if denied(err) {
		return refused("the server says %s", leaf.OneLine(err.Error()))
	}
	if _, sizeErr := c.FileSize(c.path(name)); sizeErr == nil {
		return refused("the server says %s", leaf.OneLine(err.Error()))
	} else if !inOrder(sizeErr) {
		return sizeErr
	}
	rootErr := c.rootError()
	if rootErr == nil || c.create && errors.Is(rootErr, remote.ErrNoStorage) {
		return final(fs.ErrNotExist)
	}
	return rootErr
}
