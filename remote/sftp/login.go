package sftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/datafs/datafs/index/leaf"
)

// defaultKeys are tried below .ssh of Home where nothing else is configured.
var defaultKeys = []string{"id_ed25519", "id_ecdsa", "id_rsa"}

// login gathers what one host is shown.
type login struct {
	ctx      context.Context
	opts     *Options
	target   *target
	own      bool // the options' keys and password are for this host
	password string
	conn     net.Conn // to the agent
	notes    []string // of keys that could not be used
	offered  int      // keys
}

func newLogin(ctx context.Context, o *Options, t *target, own bool) *login {
	l := &login{ctx: ctx, opts: o, target: t, own: own}
	if own {
		l.password = o.Password
	}
	return l
}

func (l *login) close() {
	if l.conn != nil {
		l.conn.Close()
	}
}

func (l *login) note(format string, a ...any) { l.notes = append(l.notes, fmt.Sprintf(format, a...)) }

func (l *login) noteText() string {
	if len(l.notes) == 0 {
		return ""
	}
	return " (" + strings.Join(l.notes, "; ") + ")"
}

// methods gives the keys first: a password is shown to the server only if it
// takes none of them.
func (l *login) methods() []ssh.AuthMethod {
	methods := []ssh.AuthMethod{ssh.PublicKeysCallback(l.signers)}
	if l.password != "" {
		methods = append(methods, ssh.Password(l.password), ssh.KeyboardInteractive(l.answer))
	}
	return methods
}

// answer gives the password to the one question that a server asks for it.
func (l *login) answer(_, _ string, questions []string, echos []bool) ([]string, error) {
	answers := make([]string, len(questions))
	for i, echo := range echos {
		if echo || len(questions) > 1 {
			return nil, errors.New("the server asks for more than a password")
		}
		answers[i] = l.password
	}
	return answers, nil
}

// signers gives the keys in the order in which they are tried: those of the
// options, of the configuration, of the agent, and the default ones.
func (l *login) signers() ([]ssh.Signer, error) {
	var keys []ssh.Signer
	files := l.target.keyFiles
	if l.own {
		if l.opts.Key != "" {
			keys = l.parse(keys, []byte(l.opts.Key), "the key given")
		}
		var given []string
		for _, file := range l.opts.KeyFiles {
			given = append(given, inHome(l.opts, file))
		}
		files = append(given, files...)
	}
	public := map[string]bool{}
	for _, file := range files {
		keys = l.read(keys, file, true)
		if pub := publicOf(file); pub != nil {
			public[string(pub.Marshal())] = true
		}
	}
	for _, key := range l.agentKeys() {
		if !l.target.identitiesOnly || public[string(key.PublicKey().Marshal())] {
			keys = append(keys, key)
		}
	}
	if len(files) == 0 && l.opts.Home != "" && !l.opts.NoDefaultKeys {
		for _, name := range defaultKeys {
			keys = l.read(keys, filepath.Join(l.opts.Home, ".ssh", name), false)
		}
	}
	keys = distinct(keys)
	l.offered = len(keys)
	return keys, nil
}

// read adds the key of a file.
func (l *login) read(keys []ssh.Signer, file string, wanted bool) []ssh.Signer {
	text, err := os.ReadFile(file)
	if err != nil {
		if wanted {
			l.note("key %s: %s", file, errors.Unwrap(err))
		}
		return keys
	}
	return l.parse(keys, text, "key "+file)
}

func (l *login) parse(keys []ssh.Signer, text []byte, what string) []ssh.Signer {
	key, err := ssh.ParsePrivateKey(text)
	var encrypted *ssh.PassphraseMissingError
	if errors.As(err, &encrypted) && l.own && l.opts.Passphrase != "" {
		key, err = ssh.ParsePrivateKeyWithPassphrase(text, []byte(l.opts.Passphrase))
	}
	switch {
	case err == nil:
		return append(keys, key)
	case errors.As(err, &encrypted):
		l.note("%s is encrypted and not in the ssh agent: ssh-add it", what)
	default:
		l.note("%s: %s", what, leaf.OneLine(err.Error()))
	}
	return keys
}

// publicOf gives the public part of a key that lies beside it, or in it.
func publicOf(file string) ssh.PublicKey {
	if text, err := os.ReadFile(file + ".pub"); err == nil {
		if key, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
			return key
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	key, err := ssh.ParsePrivateKey(text)
	var encrypted *ssh.PassphraseMissingError
	switch {
	case err == nil:
		return key.PublicKey()
	case errors.As(err, &encrypted) && encrypted.PublicKey != nil:
		return encrypted.PublicKey
	}
	return nil
}

// agentKeys asks the ssh agent, if there is one.
func (l *login) agentKeys() []ssh.Signer {
	if l.target.agent == "" || l.opts.NoAgent {
		return nil
	}
	conn, err := (&net.Dialer{}).DialContext(l.ctx, "unix", l.target.agent)
	if err != nil {
		l.note("ssh agent: %s", leaf.OneLine(err.Error()))
		return nil
	}
	context.AfterFunc(l.ctx, func() { conn.Close() })
	l.conn = conn
	keys, err := agent.NewClient(conn).Signers()
	if err != nil {
		l.note("ssh agent: %s", leaf.OneLine(err.Error()))
	}
	return keys
}

// distinct drops keys that come a second time: servers count attempts.
func distinct(keys []ssh.Signer) []ssh.Signer {
	var kept []ssh.Signer
next:
	for _, key := range keys {
		for _, k := range kept {
			if bytes.Equal(k.PublicKey().Marshal(), key.PublicKey().Marshal()) {
				continue next
			}
		}
		kept = append(kept, key)
	}
	return kept
}
