package ftp

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

const testPassword = "open sesame"

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
	for name, mlsd := range map[string]bool{"listed by MLSD": true, "listed by LIST": false} {
		t.Run(name, func(t *testing.T) {
			remotetest.Run(t, func(t *testing.T) remote.Authority {
				s := newFake(t)
				s.mlsd = mlsd
				a, err := Open(t.Context(), s.options())
				if err != nil {
					t.Fatal(err)
				}
				return a
			})
		})
	}
}

func TestRoot(t *testing.T) {
	s := newFake(t)
	o := s.options()
	o.Root = "not/there"
	testRoot(t, o, filepath.Join(s.dir, "home", "not"))
}

// testRoot wants the root of the options to be missing, and local with it.
func testRoot(t *testing.T, o *Options, local string) {
	t.Helper()
	a := open(t, o)
	_, err := get(t, a, "one")
	wantErr(t, err, remote.ErrNoStorage, "not/there")
	wantErr(t, a.Put(t.Context(), "one", strings.NewReader("1")), remote.ErrNoStorage)
	wantErr(t, a.Delete(t.Context(), "one"), remote.ErrNoStorage)
	for _, prefix := range []string{"", "packs/ab/"} {
		listed := false
		for _, err := range a.List(t.Context(), prefix) {
			listed = true
			wantErr(t, err, remote.ErrNoStorage)
		}
		if !listed {
			t.Errorf("List(%q) of a root that is missing: no error", prefix)
		}
	}
	if _, err := os.Stat(local); err == nil {
		t.Error("the root directory was made")
	}
	create := *o
	create.Create = true
	a = open(t, &create)
	_, err = get(t, a, "one")
	wantErr(t, err, fs.ErrNotExist)
	put(t, a, "one", []byte("1"))
	if got, err := get(t, a, "one"); string(got) != "1" {
		t.Errorf("got %q, %v", got, err)
	}
}

func testReadOnly(t *testing.T, a remote.Authority) {
	t.Helper()
	wantErr(t, a.Put(t.Context(), "a/two", strings.NewReader("2")), fs.ErrPermission)
	wantErr(t, a.Delete(t.Context(), "one"), fs.ErrPermission)
	if got, err := get(t, a, "one"); string(got) != "1" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestWrongPassword(t *testing.T) {
	s := newFake(t)
	o := s.options()
	o.Password = "wrong " + testPassword
	wantErr(t, ask(t, o), fs.ErrPermission)
	s.set("PASS", "530 "+o.Password+" is wrong")
	wantErr(t, ask(t, o), fs.ErrPermission)
}

func TestRefusals(t *testing.T) {
	for reply, want := range map[string]error{
		"552 Disk full":          syscall.ENOSPC,
		"452 Disk full":          syscall.ENOSPC,
		"550 Permission denied":  fs.ErrPermission,
		"553 Bad name":           fs.ErrPermission,
		"425 No data connection": remote.ErrUnavailable,
		"421 Closing":            remote.ErrUnavailable,
		"502 What":               errors.ErrUnsupported,
	} {
		s := newFake(t)
		s.set("STOR", reply)
		wantErr(t, open(t, s.options()).Put(t.Context(), "a/b", strings.NewReader("1")), want, reply[:3])
	}
}

func TestRenameOverAFileThatTheServerKeeps(t *testing.T) {
	s := newFake(t)
	a := open(t, s.options())
	put(t, a, "one", []byte("1"))
	s.set("RNTO", "553 File exists")
	put(t, a, "one", []byte("1"))
	wantErr(t, a.Put(t.Context(), "two", strings.NewReader("2")), fs.ErrPermission)
	if entries, err := os.ReadDir(filepath.Join(s.dir, "home", ".tmp")); err != nil || len(entries) != 0 {
		t.Errorf("got %v, %v, want nothing left", entries, err)
	}
}

func TestDirectoryRemovedByAnother(t *testing.T) {
	s := newFake(t)
	a := open(t, s.options())
	put(t, a, "packs/ab/one", []byte("1"))
	for _, dir := range []string{"packs", ".tmp"} {
		if err := os.RemoveAll(filepath.Join(s.dir, "home", dir)); err != nil {
			t.Fatal(err)
		}
		put(t, a, "packs/ab/two", []byte("2"))
	}
}

func TestConnectionsThatTheServerGaveUp(t *testing.T) {
	s := newFake(t)
	a := open(t, s.options())
	put(t, a, "one", []byte("1"))
	s.hangUp()
	put(t, a, "two", []byte("2"))
	s.set("DELE", "421 Timeout")
	wantErr(t, a.Delete(t.Context(), "one"), remote.ErrUnavailable)
}

func TestServedFileEndsEarly(t *testing.T) {
	s := newFake(t)
	a := open(t, s.options())
	put(t, a, "big", make([]byte, 3<<20))
	s.mu.Lock()
	s.cut = 2 << 20
	s.mu.Unlock()
	_, err := get(t, a, "big")
	wantErr(t, err, remote.ErrUnavailable, "426")
	if _, err := get(t, a, "none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after that: got %v", err)
	}
}

func TestKilledAndBack(t *testing.T) {
	s := newFake(t)
	a := open(t, s.options())
	want := bytes.Repeat([]byte("0123456789abcdef"), 2<<20)
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
	wantErr(t, err, remote.ErrUnavailable, "get big: ftp://")
	_, err = get(t, a, "big")
	wantErr(t, err, remote.ErrUnavailable)
	s.start()
	if got, err := get(t, a, "big"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("after the server came back: %d bytes, %v", len(got), err)
	}
}

func TestSilentServer(t *testing.T) {
	s := newFake(t)
	o := s.options()
	o.Timeout = 50 * time.Millisecond
	s.set("SIZE", "")
	wantErr(t, open(t, o).Put(t.Context(), "one", strings.NewReader("1")), remote.ErrUnavailable)
}

func TestNoSecretIsShown(t *testing.T) {
	remotetest.RunSecret(t, func(secret string) (remote.Authority, error) {
		return Open(t.Context(), &Options{Host: "127.0.0.1", Port: 1, User: "u", Password: secret})
	})
}
