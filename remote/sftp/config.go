package sftp

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kevinburke/ssh_config"

	"github.com/datafs/datafs/index/leaf"
)

const globalKnownHosts = "/etc/ssh/ssh_known_hosts"

// target is one host with what the configuration says of it.
type target struct {
	alias          string // as the user calls it
	host           string
	port           int
	user           string
	keyFiles       []string // of IdentityFile
	identitiesOnly bool
	agent          string // path of the socket, "" for none
	knownHosts     []string
	hostKeyAlias   string
	jump           string // of ProxyJump
}

// userConfig is the user's ssh configuration; see ssh_config(5).
type userConfig struct {
	file string
	*ssh_config.Config
}

// readConfig reads the configuration. One that is not there is empty, unless
// the options name it.
func readConfig(o *Options) (*userConfig, error) {
	c := &userConfig{file: o.ConfigFile, Config: &ssh_config.Config{}}
	if c.file == "" && o.Home != "" {
		c.file = filepath.Join(o.Home, ".ssh", "config")
	}
	if c.file == "" || c.file == "none" {
		return c, nil
	}
	c.file = inHome(o, c.file)
	text, err := os.ReadFile(c.file)
	if errors.Is(err, fs.ErrNotExist) && o.ConfigFile == "" {
		return c, nil
	}
	if err == nil {
		c.Config, err = ssh_config.Decode(bytes.NewReader(text))
	}
	if err != nil {
		return nil, final("ssh configuration %s: %s", c.file, leaf.OneLine(err.Error()))
	}
	return c, nil
}

// first gives the first value of an option for a host, as ssh does.
func (c *userConfig) first(host, option string) string {
	value, _ := c.Get(host, option)
	return unquote(value)
}

func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// target looks a host up. Port and user are "not given" when they are 0 and "".
func (c *userConfig) target(o *Options, alias string, port int, user string) (*target, error) {
	if command := c.first(alias, "ProxyCommand"); command != "" && !strings.EqualFold(command, "none") {
		return nil, final("ssh configuration %s: ProxyCommand (for host %s) is not supported, ProxyJump is", c.file, alias)
	}
	t := &target{alias: alias, host: alias, port: port, user: user, hostKeyAlias: c.first(alias, "HostKeyAlias")}
	if name := c.first(alias, "HostName"); name != "" {
		t.host = strings.NewReplacer("%h", alias, "%%", "%").Replace(name)
	}
	if t.user == "" {
		t.user = c.first(alias, "User")
	}
	if t.user == "" {
		t.user = o.LocalUser
	}
	if t.user == "" {
		return nil, finalError{errNoUser}
	}
	if err := t.setPort(c.first(alias, "Port")); err != nil {
		return nil, final("ssh configuration %s: host %s: %s", c.file, alias, err)
	}
	if jump := c.first(alias, "ProxyJump"); !strings.EqualFold(jump, "none") {
		t.jump = jump
	}
	c.files(o, t)
	return t, nil
}

func (t *target) setPort(configured string) error {
	if t.port != 0 {
		return nil
	}
	t.port = 22
	if configured == "" {
		return nil
	}
	n, err := strconv.ParseUint(configured, 10, 16)
	if err != nil || n == 0 {
		return fmt.Errorf("%.40q is no port", configured)
	}
	t.port = int(n)
	return nil
}

// files sets what names files.
func (c *userConfig) files(o *Options, t *target) {
	t.identitiesOnly = strings.EqualFold(c.first(t.alias, "IdentitiesOnly"), "yes")
	all, _ := c.GetAll(t.alias, "IdentityFile")
	for _, file := range all {
		if file = unquote(file); !strings.EqualFold(file, "none") {
			t.keyFiles = append(t.keyFiles, t.expand(o, file))
		}
	}
	t.agent = o.AgentSocket
	switch value := c.first(t.alias, "IdentityAgent"); {
	case value == "" || value == "SSH_AUTH_SOCK" || value == "$SSH_AUTH_SOCK":
	case strings.EqualFold(value, "none"):
		t.agent = ""
	default:
		t.agent = t.expand(o, value)
	}
	t.knownHosts = o.KnownHosts
	if t.knownHosts != nil {
		return
	}
	t.knownHosts = []string{globalKnownHosts}
	users := c.first(t.alias, "UserKnownHostsFile")
	if users == "" && o.Home != "" {
		users = "~/.ssh/known_hosts ~/.ssh/known_hosts2"
	}
	for _, file := range strings.Fields(users) {
		if !strings.EqualFold(file, "none") {
			t.knownHosts = append(t.knownHosts, t.expand(o, unquote(file)))
		}
	}
}

// expand replaces "~/" and the tokens of ssh_config(5).
func (t *target) expand(o *Options, file string) string {
	file = strings.NewReplacer("%%", "%", "%d", o.Home, "%h", t.host, "%n", t.alias,
		"%p", strconv.Itoa(t.port), "%r", t.user, "%u", o.LocalUser).Replace(file)
	return inHome(o, file)
}

func inHome(o *Options, file string) string {
	if rest, ok := strings.CutPrefix(file, "~/"); ok {
		return filepath.Join(o.Home, rest)
	}
	return file
}

// jump looks up the host that t is reached over: [user@]host[:port].
func (c *userConfig) jump(o *Options, t *target) (*target, error) {
	if strings.ContainsAny(t.jump, ", ") {
		return nil, final("ssh configuration %s: ProxyJump over several hosts (for host %s) is not supported; give each host a ProxyJump of its own", c.file, t.alias)
	}
	user, host := "", strings.TrimPrefix(t.jump, "ssh://")
	if i := strings.LastIndexByte(host, '@'); i >= 0 {
		user, host = host[:i], host[i+1:]
	}
	host, port, err := splitHostPort(host)
	if err != nil {
		return nil, final("ssh configuration %s: ProxyJump %.80q: %s", c.file, t.jump, err)
	}
	return c.target(o, host, port, user)
}
