package sftp

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	pkgsftp "github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// testServer is an SSH server in this process that serves the file system.
type testServer struct {
	t       *testing.T
	hostKey ssh.Signer
	userKey []byte // in OpenSSH's format
	addr    string
	config  *ssh.ServerConfig
	options []pkgsftp.ServerOption
	wrap    func(io.ReadWriteCloser) io.ReadWriteCloser // of sftp; may be nil

	mu       sync.Mutex
	listener net.Listener // mu guards these
	conns    []net.Conn
	dials    int
}

const (
	testUser     = "ann"
	testPassword = "open sesame"
)

func newTestServer(t *testing.T, options ...pkgsftp.ServerOption) *testServer {
	t.Helper()
	s := &testServer{t: t, options: options, hostKey: newKey(t)}
	user := newKey(t)
	s.userKey = encode(t, user, "")
	s.config = &ssh.ServerConfig{
		PublicKeyCallback: func(c ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if c.User() != testUser || string(key.Marshal()) != string(user.PublicKey().Marshal()) {
				return nil, os.ErrPermission
			}
			return nil, nil
		},
		PasswordCallback: func(c ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if c.User() != testUser || string(password) != testPassword {
				return nil, os.ErrPermission
			}
			return nil, nil
		},
	}
	s.config.AddHostKey(s.hostKey)
	s.addr = "127.0.0.1:0"
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *testServer) start() {
	s.t.Helper()
	listener, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener, s.addr = listener, listener.Addr().String()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns, s.dials = append(s.conns, conn), s.dials+1
			s.mu.Unlock()
			go s.serve(conn)
		}
	}()
}

// edit changes what later connections meet.
func (s *testServer) edit(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// stop ends the server and breaks its connections.
func (s *testServer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listener.Close()
	for _, conn := range s.conns {
		conn.Close()
	}
	s.conns = nil
}

func (s *testServer) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

func (s *testServer) serve(conn net.Conn) {
	s.mu.Lock()
	config := *s.config
	s.mu.Unlock()
	_, channels, requests, err := ssh.NewServerConn(conn, &config)
	if err != nil {
		conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	for channel := range channels {
		switch channel.ChannelType() {
		case "session":
			go s.session(channel)
		case "direct-tcpip":
			go forward(channel)
		default:
			channel.Reject(ssh.UnknownChannelType, "")
		}
	}
}

func (s *testServer) session(channel ssh.NewChannel) {
	c, requests, err := channel.Accept()
	if err != nil {
		return
	}
	defer c.Close()
	for r := range requests {
		if r.Type != "subsystem" {
			r.Reply(false, nil)
			continue
		}
		r.Reply(true, nil)
		go ssh.DiscardRequests(requests)
		s.mu.Lock()
		stream := io.ReadWriteCloser(c)
		if s.wrap != nil {
			stream = s.wrap(c)
		}
		s.mu.Unlock()
		if server, err := pkgsftp.NewServer(stream, s.options...); err == nil {
			server.Serve()
		}
		return
	}
}

// forward does what sshd does for ProxyJump.
func forward(channel ssh.NewChannel) {
	var to struct {
		Host     string
		Port     uint32
		From     string
		FromPort uint32
	}
	if ssh.Unmarshal(channel.ExtraData(), &to) != nil {
		channel.Reject(ssh.ConnectionFailed, "")
		return
	}
	conn, err := (&net.Dialer{}).Dial("tcp", net.JoinHostPort(to.Host, strconv.Itoa(int(to.Port))))
	if err != nil {
		channel.Reject(ssh.ConnectionFailed, "")
		return
	}
	c, requests, err := channel.Accept()
	if err != nil {
		conn.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	go func() { io.Copy(conn, c); conn.Close() }()
	io.Copy(c, conn)
	c.Close()
}

// home gives a home directory whose owner knows the servers and has the key of
// the first.
func home(t *testing.T, servers ...*testServer) string {
	t.Helper()
	dir := t.TempDir()
	var known []byte
	for _, s := range servers {
		known = append(known, knownhosts.Line([]string{s.addr}, s.hostKey.PublicKey())+"\n"...)
	}
	writeFile(t, filepath.Join(dir, ".ssh", "known_hosts"), known)
	if len(servers) > 0 {
		writeFile(t, filepath.Join(dir, ".ssh", "id_ed25519"), servers[0].userKey)
	}
	return dir
}

// options are those that log in with the key of a home directory.
func (s *testServer) optionsFor(home, root string) *Options {
	host, port, err := splitHostPort(s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	return &Options{Host: host, Port: port, User: testUser, Root: root, Home: home}
}

func newKey(t *testing.T) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	keys[string(key.PublicKey().Marshal())] = private
	return key
}

// keys remembers the private part of the keys that newKey made.
var keys = map[string]ed25519.PrivateKey{}

func encode(t *testing.T, key ssh.Signer, passphrase string) []byte {
	t.Helper()
	private := keys[string(key.PublicKey().Marshal())]
	block, err := ssh.MarshalPrivateKey(private, "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

func writeFile(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	slices.Sort(got)
	return got
}
