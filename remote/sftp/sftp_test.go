package sftp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pkgsftp "github.com/pkg/sftp"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

func open(t *testing.T, o *Options) remote.Authority {
	t.Helper()
	a, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// ask makes the authority connect.
func ask(t *testing.T, o *Options) error {
	t.Helper()
	_, err := open(t, o).Get(t.Context(), "none", 0, -1)
	return err
}

func wantErr(t *testing.T, err, want error, texts ...string) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got %v, want one that is %v", err, want)
		return
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("got %q, want %q in it", err, text)
		}
	}
	if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), testPassword) {
		t.Errorf("%q has several lines, or a secret", err)
	}
}

func put(t *testing.T, a remote.Authority, name string, content []byte) {
	t.Helper()
	if err := a.Put(t.Context(), name, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, a remote.Authority, name string) ([]byte, error) {
	t.Helper()
	r, err := a.Get(t.Context(), name, 0, -1)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func TestAuthority(t *testing.T) {
	s := newTestServer(t)
	dir := home(t, s)
	remotetest.Run(t, func(t *testing.T) remote.Authority {
		a, err := Open(t.Context(), s.optionsFor(dir, t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}

func TestServerAuthority(t *testing.T) {
	s := servers.SFTP(t)
	remotetest.Run(t, func(t *testing.T) remote.Authority {
		a, err := Open(t.Context(), realOptions(s, t.TempDir()))
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}

func realOptions(s *servers.SFTPServer, root string) *Options {
	return &Options{Host: s.Host, Port: s.Port, User: s.User, KeyFiles: []string{s.KeyFile},
		KnownHosts: []string{s.KnownHosts}, NoAgent: true, Root: root}
}

func TestNothingIsDoneBeforeItIsNeeded(t *testing.T) {
	s := newTestServer(t)
	a := open(t, s.optionsFor(home(t, s), t.TempDir()))
	if got := s.count(); got != 0 {
		t.Errorf("got %d connections after Open, want 0", got)
	}
	for range 3 {
		_, err := get(t, a, "none")
		wantErr(t, err, fs.ErrNotExist)
	}
	if got := s.count(); got != 1 {
		t.Errorf("got %d connections after three calls, want 1", got)
	}
}

func TestRoot(t *testing.T) {
	s := newTestServer(t, pkgsftp.WithServerWorkingDirectory(t.TempDir()))
	dir := home(t, s)
	missing := filepath.Join(t.TempDir(), "not", "there")
	a := open(t, s.optionsFor(dir, missing))
	_, err := get(t, a, "one")
	wantErr(t, err, remote.ErrNoStorage, missing)
	wantErr(t, a.Put(t.Context(), "one", strings.NewReader("1")), remote.ErrNoStorage)
	wantErr(t, a.Delete(t.Context(), "one"), remote.ErrNoStorage)
	for _, prefix := range []string{"", "packs/ab/"} {
		for _, err := range a.List(t.Context(), prefix) {
			wantErr(t, err, remote.ErrNoStorage)
		}
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("the root directory was made")
	}

	o := s.optionsFor(dir, missing)
	o.Create = true
	a = open(t, o)
	_, err = get(t, a, "one")
	wantErr(t, err, fs.ErrNotExist)
	put(t, a, "one", []byte("1"))
	if got, err := get(t, a, "one"); string(got) != "1" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestServerRelativeRootIsBelowTheLoginsDirectory(t *testing.T) {
	s := servers.SFTP(t)
	o := realOptions(s, "")
	a := open(t, o).(*place)
	session, err := a.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if me, err := user.Current(); err == nil && session.root != me.HomeDir { // HOME may say otherwise
		t.Errorf("got root %q, want %q", session.root, me.HomeDir)
	}
}

func TestDirectoryRemovedByAnother(t *testing.T) {
	s, root := newTestServer(t), t.TempDir()
	a := open(t, s.optionsFor(home(t, s), root))
	put(t, a, "packs/ab/one", []byte("1"))
	for _, dir := range []string{"packs", ".tmp"} {
		if err := os.RemoveAll(filepath.Join(root, dir)); err != nil {
			t.Fatal(err)
		}
		put(t, a, "packs/ab/two", []byte("2"))
	}
	if got := names(t, filepath.Join(root, ".tmp")); len(got) != 0 {
		t.Errorf("left in .tmp: %v", got)
	}
}

func TestKilledAndBack(t *testing.T) {
	s := newTestServer(t)
	a := open(t, s.optionsFor(home(t, s), t.TempDir()))
	want := bytes.Repeat([]byte("0123456789abcdef"), 8<<16)
	put(t, a, "big", want)
	r, err := a.Get(t.Context(), "big", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadFull(r, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	s.stop()
	_, err = io.Copy(io.Discard, r)
	wantErr(t, err, remote.ErrUnavailable, "get big: sftp://127.0.0.1")
	_, err = get(t, a, "big")
	wantErr(t, err, remote.ErrUnavailable)
	s.start()
	if got, err := get(t, a, "big"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("after the server came back: %d bytes, %v", len(got), err)
	}
}

// stuck is a stream whose other end is gone without a word.
type stuck struct {
	io.ReadWriteCloser
	stop chan struct{}
}

func (s *stuck) Write(p []byte) (int, error) {
	select {
	case <-s.stop:
		return len(p), nil
	default:
		return s.ReadWriteCloser.Write(p)
	}
}

func TestCancelEndsARequestThatIsNotAnswered(t *testing.T) {
	s, stop := newTestServer(t), make(chan struct{})
	s.edit(func() { s.wrap = func(c io.ReadWriteCloser) io.ReadWriteCloser { return &stuck{c, stop} } })
	a := open(t, s.optionsFor(home(t, s), t.TempDir()))
	put(t, a, "one", []byte("1"))
	close(stop)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := a.Get(ctx, "one", 0, -1)
	wantErr(t, err, context.DeadlineExceeded)
}

func TestDeadServerIsNoticed(t *testing.T) {
	s := newTestServer(t)
	silent := make(chan struct{})
	defer close(silent)
	o := s.optionsFor(home(t, s), t.TempDir())
	o.KeepAlive = time.Hour
	a := open(t, o).(*place)
	session, err := a.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !session.alive(time.Minute) {
		t.Error("a server that answers is taken for dead")
	}
	if session.alive(0) {
		t.Error("a server that does not answer in time is taken for alive")
	}
}

func TestReadOnly(t *testing.T) {
	s, root := newTestServer(t, pkgsftp.ReadOnly()), t.TempDir()
	writeFile(t, filepath.Join(root, "one"), []byte("1"))
	testReadOnly(t, open(t, s.optionsFor(home(t, s), root)))
}

func TestServerReadOnly(t *testing.T) {
	s, root := servers.SFTP(t, "Subsystem sftp internal-sftp -R"), t.TempDir()
	writeFile(t, filepath.Join(root, "one"), []byte("1"))
	testReadOnly(t, open(t, realOptions(s, root)))
}

func testReadOnly(t *testing.T, a remote.Authority) {
	t.Helper()
	wantErr(t, a.Put(t.Context(), "a/two", strings.NewReader("2")), fs.ErrPermission)
	wantErr(t, a.(remote.Exclusive).PutNew(t.Context(), "a/two", strings.NewReader("2")), fs.ErrPermission)
	wantErr(t, a.Delete(t.Context(), "one"), fs.ErrPermission)
	if got, err := get(t, a, "one"); string(got) != "1" {
		t.Errorf("got %q, %v", got, err)
	}
}

// The test server's plain rename replaces, as some servers' does.
func TestWithoutExtensions(t *testing.T) {
	if err := pkgsftp.SetSFTPExtensions(); err != nil {
		t.Fatal(err)
	}
	defer pkgsftp.SetSFTPExtensions("hardlink@openssh.com", "posix-rename@openssh.com", "statvfs@openssh.com")
	s, root := newTestServer(t), t.TempDir()
	a := open(t, s.optionsFor(home(t, s), root))
	put(t, a, "a/one", []byte("1"))
	err := a.(remote.Exclusive).PutNew(t.Context(), "a/two", strings.NewReader("2"))
	wantErr(t, err, errors.ErrUnsupported)
	if got := append(names(t, filepath.Join(root, ".tmp")), names(t, filepath.Join(root, "a"))...); len(got) != 1 {
		t.Errorf("got files %v, want a/one alone", got)
	}
}

func TestNoSecretIsShown(t *testing.T) {
	for name, key := range map[string]bool{"a password": false, "a key": true} {
		t.Run(name, func(t *testing.T) {
			remotetest.RunSecret(t, func(secret string) (remote.Authority, error) {
				o := &Options{Host: "127.0.0.1", Port: 1, User: "u", Password: secret, Passphrase: secret, NoAgent: true}
				if key {
					o.Key = secret
				}
				return Open(t.Context(), o)
			})
		})
	}
}
