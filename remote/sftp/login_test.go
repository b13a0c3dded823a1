package sftp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/remote"
)

// wantIn expects that a login succeeds: the file asked for is not there.
func wantIn(t *testing.T, o *Options) {
	t.Helper()
	wantErr(t, ask(t, o), fs.ErrNotExist)
}

func TestUnknownHostIsRefused(t *testing.T) {
	s := newTestServer(t)
	o := s.optionsFor(home(t), t.TempDir())
	o.Password = testPassword
	wantErr(t, ask(t, o), fs.ErrPermission, "is not known", fmt.Sprintf("run `ssh -p %d 127.0.0.1` once to accept its key", o.Port))
}

func TestChangedHostKeyIsRefusedLoudly(t *testing.T) {
	s, dir := newTestServer(t), ""
	dir = home(t, s)
	line := knownhosts.Line([]string{s.addr}, newKey(t).PublicKey())
	writeFile(t, filepath.Join(dir, ".ssh", "known_hosts"), []byte("# a comment\n"+line))
	o := s.optionsFor(dir, t.TempDir())
	o.Password = testPassword
	wantErr(t, ask(t, o), fs.ErrPermission, "HAS CHANGED", "known_hosts:2", "ssh-keygen -R")
}

func TestKnownHostsLines(t *testing.T) {
	s := newTestServer(t)
	own, other := s.hostKey.PublicKey(), newKey(t).PublicKey()
	public := func(key ssh.PublicKey) string { return string(ssh.MarshalAuthorizedKey(key)) }
	hashed := knownhosts.HashHostname(knownhosts.Normalize(s.addr))
	port := s.addr[len("127.0.0.1:"):]
	for name, c := range map[string]struct {
		text  string
		known bool
	}{
		"a hashed name":                        {hashed + " " + public(own), true},
		"a pattern":                            {"[127.0.0.*]:" + port + " " + public(own), true},
		"a pattern with a negated one":         {"[127.0.0.*]:" + port + ",![127.0.0.1]:" + port + " " + public(own), false},
		"the name at another port":             {"127.0.0.1 " + public(own), false},
		"two keys of which one is right":       {hashed + " " + public(other) + hashed + " " + public(own), true},
		"a line of a type that nobody knows":   {hashed + " ssh-future AAAA\n" + hashed + " " + public(own), true},
		"a revoked key that is also accepted":  {"@revoked * " + public(own) + hashed + " " + public(own), false},
		"a revoked key that is not the host's": {"@revoked * " + public(other) + hashed + " " + public(own), true},
		"an authority's key is no host's":      {"@cert-authority * " + public(own), false},
		"nothing":                              {"", false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := home(t, s)
			writeFile(t, filepath.Join(dir, ".ssh", "known_hosts"), []byte(c.text))
			want := fs.ErrPermission
			if c.known {
				want = fs.ErrNotExist
			}
			wantErr(t, ask(t, s.optionsFor(dir, t.TempDir())), want)
		})
	}
}

func TestHostCertificate(t *testing.T) {
	s, ca := newTestServer(t), newKey(t)
	key := newKey(t)
	cert := &ssh.Certificate{Key: key.PublicKey(), CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity}
	if err := cert.SignCert(rand.Reader, ca); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s.edit(func() { s.config.AddHostKey(signer) })
	dir := home(t, s)
	_, port, _ := net.SplitHostPort(s.addr)
	line := "@cert-authority [127.0.0.?]:" + port + " " + string(ssh.MarshalAuthorizedKey(ca.PublicKey()))
	writeFile(t, filepath.Join(dir, ".ssh", "known_hosts"), []byte(line))
	wantIn(t, s.optionsFor(dir, t.TempDir()))
	line = "@cert-authority other.example " + string(ssh.MarshalAuthorizedKey(ca.PublicKey()))
	writeFile(t, filepath.Join(dir, ".ssh", "known_hosts"), []byte(line))
	wantErr(t, ask(t, s.optionsFor(dir, t.TempDir())), fs.ErrPermission)
}

func TestHostIsAskedForTheTypeOfKeyThatIsKnown(t *testing.T) {
	s := newTestServer(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	s.edit(func() { s.config.AddHostKey(key) })
	for _, key := range []ssh.Signer{s.hostKey, key} {
		dir := home(t, s)
		line := knownhosts.HashHostname(knownhosts.Normalize(s.addr)) + " " + string(ssh.MarshalAuthorizedKey(key.PublicKey()))
		writeFile(t, filepath.Join(dir, ".ssh", "known_hosts"), []byte(line))
		wantIn(t, s.optionsFor(dir, t.TempDir()))
	}
}

func TestHostKeyOfTheOptions(t *testing.T) {
	s := newTestServer(t)
	dir := home(t, s)
	writeFile(t, filepath.Join(dir, ".ssh", "known_hosts"), nil)
	o := s.optionsFor(dir, t.TempDir())
	o.HostKey = string(ssh.MarshalAuthorizedKey(s.hostKey.PublicKey()))
	wantIn(t, o)
	o.HostKey = string(ssh.MarshalAuthorizedKey(newKey(t).PublicKey()))
	wantErr(t, ask(t, o), fs.ErrPermission, "HAS CHANGED")
}

func TestWrongCredentials(t *testing.T) {
	s := newTestServer(t)
	dir := home(t, s)
	o := s.optionsFor(dir, t.TempDir())
	o.User = "bob"
	wantErr(t, ask(t, o), fs.ErrPermission, "login of bob", "was refused")
	o = s.optionsFor(dir, t.TempDir())
	o.NoDefaultKeys = true
	wantErr(t, ask(t, o), fs.ErrPermission, "no usable key")
	o.KeyFiles = []string{"~/nothing"}
	wantErr(t, ask(t, o), fs.ErrPermission, filepath.Join(dir, "nothing"), "no such file")
	o.KeyFiles, o.Password = nil, "wrong"
	wantErr(t, ask(t, o), fs.ErrPermission, "was refused")
	o.Password = testPassword
	wantIn(t, o)
	o.Password, o.Key = "", string(s.userKey)
	wantIn(t, o)
}

func TestServerWrongKey(t *testing.T) {
	// The server accepts the user's key only: its own is a wrong one.
	s := servers.SFTP(t)
	o := realOptions(s, t.TempDir())
	wantIn(t, o)
	o.KeyFiles = []string{filepath.Join(filepath.Dir(s.KeyFile), "host")}
	wantErr(t, ask(t, o), fs.ErrPermission, "was refused")
	o.KnownHosts = []string{}
	wantErr(t, ask(t, o), fs.ErrPermission, "is not known")
}

func TestEncryptedKey(t *testing.T) {
	s := newTestServer(t)
	dir := home(t, s)
	key, err := ssh.ParsePrivateKey(s.userKey)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, ".ssh", "id_ed25519"), encode(t, key, "opens the key"))
	o := s.optionsFor(dir, t.TempDir())
	wantErr(t, ask(t, o), fs.ErrPermission, "id_ed25519 is encrypted", "ssh-add")
	o.AgentSocket = startAgent(t, key)
	wantIn(t, o)
	o.NoAgent = true
	wantErr(t, ask(t, o), fs.ErrPermission, "id_ed25519 is encrypted")
	o.Passphrase = "opens the key"
	wantIn(t, o)
}

// startAgent gives the socket of an ssh agent that has some keys.
func startAgent(t *testing.T, keyring ...ssh.Signer) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	ring := agent.NewKeyring()
	for _, key := range keyring {
		if err := ring.Add(agent.AddedKey{PrivateKey: keys[string(key.PublicKey().Marshal())]}); err != nil {
			t.Fatal(err)
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go agent.ServeAgent(ring, conn)
		}
	}()
	return socket
}

func TestIdentitiesOnly(t *testing.T) {
	s := newTestServer(t)
	s.edit(func() { s.config.MaxAuthTries = 2 })
	key, err := ssh.ParsePrivateKey(s.userKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := home(t, s)
	o := s.optionsFor(dir, t.TempDir())
	o.AgentSocket = startAgent(t, newKey(t), newKey(t), newKey(t), key)
	wantErr(t, ask(t, o), fs.ErrPermission)
	writeFile(t, filepath.Join(dir, ".ssh", "id_ed25519"), encode(t, key, "secret"))
	writeFile(t, filepath.Join(dir, ".ssh", "config"), []byte("Host *\n IdentitiesOnly yes\n IdentityFile ~/.ssh/id_ed25519\n"))
	wantIn(t, o)
}

func TestConfiguration(t *testing.T) {
	s, far := newTestServer(t), newTestServer(t)
	far.edit(func() { far.config.PublicKeyCallback = s.config.PublicKeyCallback })
	dir := home(t, s, far)
	farKnown := knownhosts.Line([]string{far.addr}, far.hostKey.PublicKey())
	writeFile(t, filepath.Join(dir, "far hosts"), []byte(farKnown))
	_, port, _ := net.SplitHostPort(s.addr)
	_, farPort, _ := net.SplitHostPort(far.addr)
	text := fmt.Sprintf(`
Host near
  HostName 127.0.0.1
  Port %s
  User ann
Host far
  HostName 127.0.0.1
  Port %s
  ProxyJump near
Host alias
  HostName 127.0.0.1
  Port %[2]s
  HostKeyAlias farm
Host command
  ProxyCommand nc %%h %%p
Host chain
  ProxyJump near,far
Host loop
  ProxyJump loop
Host badport
  Port ssh
`, port, farPort)
	writeFile(t, filepath.Join(dir, ".ssh", "config"), []byte(text))
	at := func(host string) *Options {
		return &Options{Host: host, Root: t.TempDir(), Home: dir, LocalUser: testUser}
	}
	wantIn(t, at("near"))
	dials := s.count()
	wantIn(t, at("far"))
	if s.count() != dials+1 || far.count() != 1 {
		t.Errorf("got %d connections to the first host and %d to the second, want one each", s.count()-dials, far.count())
	}
	for host, texts := range map[string][]string{
		"alias":   {"host key of 127.0.0.1", "run `ssh alias` once"},
		"command": {"ProxyCommand", ".ssh/config"}, "chain": {"several hosts"}, "loop": {"more than 4"}, "badport": {`"ssh" is no port`},
	} {
		err := ask(t, at(host))
		if err == nil {
			t.Errorf("%s: no error", host)
			continue
		}
		wantErr(t, err, err, texts...)
	}
	writeFile(t, filepath.Join(dir, ".ssh", "config"), []byte("Match exec true\n"))
	if err := ask(t, at("near")); err == nil {
		t.Error("a configuration that cannot be read: no error")
	}
	o := s.optionsFor(dir, t.TempDir())
	o.ConfigFile = "none"
	wantIn(t, o)
}

func TestNobodyListens(t *testing.T) {
	s := newTestServer(t)
	dir := home(t, s)
	o := s.optionsFor(dir, t.TempDir())
	s.stop()
	wantErr(t, ask(t, o), remote.ErrUnavailable, "refused")
	listener, err := net.Listen("tcp", "127.0.0.1:0") // and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	o.Port, _ = strconv.Atoi(port)
	o.Timeout = 1
	wantErr(t, ask(t, o), remote.ErrUnavailable, "no connection within")
}
