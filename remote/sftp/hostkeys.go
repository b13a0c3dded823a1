package sftp

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/datafs/datafs/index/leaf"
)

// hostKeys are the keys that one host may have: the lines of known_hosts files
// (see sshd(8)) that are about it. Lines that cannot be read are passed over, as
// ssh does: golang.org/x/crypto/ssh/knownhosts would refuse the whole file.
type hostKeys struct {
	target  *target
	keys    []hostKey
	cas     []hostKey // that sign keys of hosts
	revoked []ssh.PublicKey
	refusal error // why check failed
}

type hostKey struct {
	key   ssh.PublicKey
	where string
}

// knownHostsOf reads what is known of a host.
func knownHostsOf(o *Options, t *target, last bool) (*hostKeys, error) {
	h := &hostKeys{target: t}
	if o.HostKey != "" && last {
		key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(o.HostKey))
		if err != nil {
			return nil, refused("the host key given is no public key: %s", leaf.OneLine(err.Error()))
		}
		h.keys = []hostKey{{key, "the configuration"}}
		return h, nil
	}
	for _, file := range t.knownHosts {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, refused("known hosts: %s", leaf.OneLine(err.Error()))
		}
		h.read(text, file)
	}
	return h, nil
}

// name is what known_hosts files call the host.
func (h *hostKeys) name() string {
	if h.target.hostKeyAlias != "" {
		return strings.ToLower(h.target.hostKeyAlias)
	}
	return strings.ToLower(knownhosts.Normalize(h.target.addr()))
}

// read takes the lines that are about the host.
func (h *hostKeys) read(text []byte, file string) {
	for i, line := range bytes.Split(text, []byte("\n")) {
		marker, patterns, key, _, _, err := ssh.ParseKnownHosts(line)
		if err != nil || !matches(patterns, h.name()) {
			continue
		}
		known := hostKey{key, fmt.Sprintf("%s:%d", file, i+1)}
		switch marker {
		case "":
			h.keys = append(h.keys, known)
		case "cert-authority":
			h.cas = append(h.cas, known)
		case "revoked":
			h.revoked = append(h.revoked, key)
		}
	}
}

// matches says whether a name is one of the patterns, and not one of those with
// a "!" before it.
func matches(patterns []string, name string) bool {
	found := false
	for _, pattern := range patterns {
		pattern, negated := strings.CutPrefix(pattern, "!")
		if !matchOne(pattern, name) {
			continue
		}
		if negated {
			return false
		}
		found = true
	}
	return found
}

// matchOne compares a name with "|1|salt|hash" (HMAC-SHA1 of the name, both in
// base64) or a pattern with "*" and "?".
func matchOne(pattern, name string) bool {
	if rest, ok := strings.CutPrefix(pattern, "|1|"); ok {
		salt64, hash64, _ := strings.Cut(rest, "|")
		salt, err1 := base64.StdEncoding.DecodeString(salt64)
		hash, err2 := base64.StdEncoding.DecodeString(hash64)
		if err1 != nil || err2 != nil {
			return false
		}
		mac := hmac.New(sha1.New, salt)
		mac.Write([]byte(name))
		return hmac.Equal(mac.Sum(nil), hash)
	}
	return wildcard(pattern, name)
}

// wildcard matches "*" with any characters and "?" with one, in linear space
// and without recursion: on a mismatch it goes back to the last "*".
func wildcard(pattern, name string) bool {
	p, n, star, mark := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark, p = p, n, p+1
		case p < len(pattern) && (pattern[p] == '?' || lower(pattern[p]) == name[n]):
			p, n = p+1, n+1
		case star >= 0:
			mark++
			p, n = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// algorithms asks the server for a key of the types that are known: it may have
// others that are not. The rest follows, so that a host whose keys are new is
// told as one whose key has changed.
func (h *hostKeys) algorithms() []string {
	all := ssh.SupportedAlgorithms().HostKeys
	var first []string
	for _, algorithm := range all {
		plain := strings.TrimSuffix(algorithm, "-cert-v01@openssh.com")
		certificate := plain != algorithm
		if certificate && len(h.cas) > 0 || !certificate && h.hasType(plain) {
			first = append(first, algorithm)
		}
	}
	for _, algorithm := range all {
		if !slices.Contains(first, algorithm) && !strings.Contains(algorithm, "-cert-") {
			first = append(first, algorithm)
		}
	}
	return first
}

func (h *hostKeys) hasType(algorithm string) bool {
	if strings.HasPrefix(algorithm, "rsa-sha2-") {
		algorithm = ssh.KeyAlgoRSA
	}
	return slices.ContainsFunc(h.keys, func(k hostKey) bool { return k.key.Type() == algorithm })
}

// check is an ssh.HostKeyCallback.
func (h *hostKeys) check(addr string, remote net.Addr, key ssh.PublicKey) error {
	checker := ssh.CertChecker{
		IsHostAuthority: func(ca ssh.PublicKey, _ string) bool { return has(h.cas, ca) },
		IsRevoked:       func(c *ssh.Certificate) bool { return h.isRevoked(c.Key) || h.isRevoked(c.SignatureKey) },
		HostKeyFallback: func(_ string, _ net.Addr, key ssh.PublicKey) error { return h.checkPlain(key) },
	}
	err := checker.CheckHostKey(addr, remote, key)
	var known finalError
	if err != nil && !errors.As(err, &known) {
		err = refused("the host key of %s is not accepted: %s", h.target.host, leaf.OneLine(err.Error()))
	}
	h.refusal = err
	return err
}

func has(keys []hostKey, key ssh.PublicKey) bool {
	return slices.ContainsFunc(keys, func(k hostKey) bool { return bytes.Equal(k.key.Marshal(), key.Marshal()) })
}

func (h *hostKeys) isRevoked(key ssh.PublicKey) bool {
	return slices.ContainsFunc(h.revoked, func(k ssh.PublicKey) bool { return bytes.Equal(k.Marshal(), key.Marshal()) })
}

func (h *hostKeys) checkPlain(key ssh.PublicKey) error {
	shown := key.Type() + " " + ssh.FingerprintSHA256(key)
	switch {
	case h.isRevoked(key):
		return refused("the host key of %s (%s) is REVOKED", h.target.host, shown)
	case has(h.keys, key):
		return nil
	case len(h.keys) > 0:
		return refused("THE HOST KEY OF %s HAS CHANGED: it shows %s, which is not the key in %s; somebody may be listening in. "+
			"If the change is known to be right, remove the old key with `ssh-keygen -R '%s'` and run `%s` once",
			h.target.host, shown, h.keys[0].where, h.name(), h.target.sshCommand())
	}
	return refused("the host key of %s (%s) is not known: run `%s` once to accept its key", h.target.host, shown, h.target.sshCommand())
}

// sshCommand is how the user connects to the host.
func (t *target) sshCommand() string {
	if t.alias == t.host && t.port != 22 {
		return fmt.Sprintf("ssh -p %d %s", t.port, t.host)
	}
	return "ssh " + t.alias
}
