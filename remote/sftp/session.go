package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	pkgsftp "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
)

const (
	maxRequests = 64              // of one file under way at once, 32 KiB each
	cancelGrace = 2 * time.Second // for what is under way when its context is over
	maxJumps    = 4               // hosts on the way
	keepAlive   = "keepalive@openssh.com"
)

// session is one connection with its SFTP channel.
type session struct {
	ssh    *ssh.Client
	hops   []io.Closer // the hosts on the way, the nearest last
	client *pkgsftp.Client
	root   string
	create bool
	done   chan struct{} // closed when the connection is over
	broken atomic.Bool   // as soon as somebody knows that it is

	mu        sync.Mutex
	made      map[string]bool // mu guards it: directories that were there
	exclusive exclusiveWay    // mu guards it
}

// dialSession connects, logs in and starts SFTP.
func dialSession(ctx context.Context, o *Options) (*session, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, o.Timeout, errTimeout)
	defer cancel()
	s, err := dialStart(ctx, o)
	if err != nil && context.Cause(ctx) == errTimeout {
		return nil, final("%w: no connection within %s", remote.ErrUnavailable, o.Timeout)
	}
	return s, err
}

var errTimeout = errors.New("timeout")

func dialStart(ctx context.Context, o *Options) (*session, error) {
	client, hops, err := dialHost(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &session{ssh: client, hops: hops, create: o.Create, done: make(chan struct{}), made: map[string]bool{}}
	stop := context.AfterFunc(ctx, s.close)
	defer stop()
	if err := s.start(o.Root); err != nil {
		s.close()
		return nil, err
	}
	go func() { s.client.Wait(); s.close(); close(s.done) }()
	go s.keepAlive(o.KeepAlive)
	return s, nil
}

// start begins SFTP and finds the root directory.
func (s *session) start(root string) error {
	client, err := pkgsftp.NewClient(s.ssh, pkgsftp.UseConcurrentReads(true), pkgsftp.UseConcurrentWrites(true),
		pkgsftp.MaxConcurrentRequestsPerFile(maxRequests))
	var refusal *ssh.OpenChannelError
	if errors.As(err, &refusal) || err != nil && strings.Contains(err.Error(), "subsystem request failed") {
		return final("the server offers no sftp: %s", leaf.OneLine(err.Error()))
	}
	if err != nil {
		return err
	}
	s.client = client
	if s.root = path.Clean(root); path.IsAbs(s.root) {
		return nil
	}
	home, err := client.RealPath(".")
	s.root = path.Join(home, s.root)
	return err
}

// keepAlive ends a connection whose other end does not answer any more, so that
// nothing waits for it for ever.
func (s *session) keepAlive(every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-ticker.C:
		}
		if !s.alive(2 * every) {
			s.close()
			return
		}
	}
}

func (s *session) alive(within time.Duration) bool {
	answer := make(chan error, 1)
	go func() {
		_, _, err := s.ssh.SendRequest(keepAlive, true, nil)
		answer <- err
	}()
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case err := <-answer:
		return err == nil
	case <-timer.C:
		return false
	}
}

// over says whether the connection has ended.
func (s *session) over() bool { return s.broken.Load() }

// close ends the connection: every request under way fails.
func (s *session) close() {
	s.broken.Store(true)
	s.ssh.Close()
	for i := len(s.hops) - 1; i >= 0; i-- {
		s.hops[i].Close()
	}
}

// guard has the connection closed when ctx is over and what was under way does
// not end soon. A request cannot be taken back, and others use the connection:
// so those that end by themselves are waited for. The function returned is to
// be called at the end.
func (s *session) guard(ctx context.Context) func() {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(cancelGrace)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
			s.close()
		}
	})
	return func() { stop(); close(ended) }
}

// path gives the path of a file at the server.
func (s *session) path(name string) string { return path.Join(s.root, name) }

// missing is the error for a file that is not there: it tells a missing root.
func (s *session) missing() error {
	info, err := s.client.Stat(s.root)
	switch {
	case err == nil && info.IsDir(), s.create && errors.Is(err, fs.ErrNotExist):
		return fs.ErrNotExist
	case err == nil:
		return final("%s is no directory: %w", s.root, remote.ErrNoStorage)
	case errors.Is(err, fs.ErrNotExist):
		return final("directory %s: %w", s.root, remote.ErrNoStorage)
	}
	return err
}

// mkdir makes sure of a directory, and of those that it lies in down from the
// root. It remembers them.
func (s *session) mkdir(dir string) error {
	s.mu.Lock()
	made := s.made[dir]
	s.mu.Unlock()
	if made {
		return nil
	}
	if err := s.mkdirNow(dir); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made[dir] = true
	return nil
}

func (s *session) mkdirNow(dir string) error {
	if info, err := s.client.Stat(dir); err == nil {
		if info.IsDir() {
			return nil
		}
		return final("%s is no directory", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	switch {
	case dir == s.root && !s.create:
		return s.missing()
	case dir == "/":
		return fs.ErrNotExist
	}
	if err := s.mkdir(path.Dir(dir)); err != nil {
		return err
	}
	err := s.client.Mkdir(dir)
	if err == nil {
		return nil
	}
	if info, statErr := s.client.Stat(dir); statErr == nil && info.IsDir() {
		return nil // another made it meanwhile
	}
	return fmt.Errorf("make directory %s: %w", dir, err)
}

// forget drops what is remembered of directories, and says if that was anything.
func (s *session) forget() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	some := len(s.made) > 0
	s.made = map[string]bool{}
	return some
}
