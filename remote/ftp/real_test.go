package ftp

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

func realOptions(s *servers.FTPServer, root string) *Options {
	o := &Options{Host: s.Host, Port: s.Port, Root: root, CAFile: s.CAFile}
	if s.CAFile != "" {
		o.TLS = ExplicitTLS
	}
	return o
}

func testReal(t *testing.T, s *servers.FTPServer, mode TLSMode) {
	remotetest.Run(t, func(t *testing.T) remote.Authority {
		dir, _ := s.NewDir(t)
		o := realOptions(s, dir)
		o.TLS = mode
		a, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return a
	})
}

func TestServerAuthority(t *testing.T)   { testReal(t, servers.FTP(t, false), NoTLS) }
func TestServerExplicitTLS(t *testing.T) { testReal(t, servers.FTP(t, true), ExplicitTLS) }
func TestServerImplicitTLS(t *testing.T) {
	testReal(t, servers.FTP(t, true, "implicit_ssl=YES"), ImplicitTLS)
}

func TestServerCredentials(t *testing.T) {
	s := servers.FTP(t, false)
	o := realOptions(s, "/")
	o.User, o.Password = "bob", testPassword
	wantErr(t, ask(t, o), fs.ErrPermission, "login of bob was refused")
	o.User, o.TLS = "", ExplicitTLS
	if err := ask(t, o); err == nil || !strings.Contains(err.Error(), "offers no TLS") {
		t.Errorf("a server without TLS: got %v", err)
	}
}

func TestServerCertificate(t *testing.T) {
	s := servers.FTP(t, true)
	o := realOptions(s, "/")
	wantErr(t, ask(t, o), fs.ErrNotExist)
	o.CAFile = ""
	wantErr(t, ask(t, o), fs.ErrPermission, "certificate")
	o.TLS = NoTLS
	wantErr(t, ask(t, o), fs.ErrPermission)
}

func TestServerRoot(t *testing.T) {
	s := servers.FTP(t, false)
	dir, local := s.NewDir(t)
	testRoot(t, realOptions(s, dir+"/not/there"), filepath.Join(local, "not"))
}

func TestServerReadOnly(t *testing.T) {
	s := servers.FTP(t, false, "write_enable=NO")
	dir, local := s.NewDir(t)
	if err := os.WriteFile(filepath.Join(local, "one"), []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	testReadOnly(t, open(t, realOptions(s, dir)))
}

func TestServerDirectoryOfAnother(t *testing.T) {
	s := servers.FTP(t, false)
	dir, local := s.NewDir(t)
	if err := os.WriteFile(filepath.Join(local, "one"), []byte("1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(local, 0, 0); err != nil {
		t.Fatal(err)
	}
	testReadOnly(t, open(t, realOptions(s, dir)))
}
