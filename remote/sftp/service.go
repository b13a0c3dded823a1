package sftp

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/datafs/datafs/remote"
)

// arguments are those of one service or URL.
type arguments struct{ *remote.Arguments }

func newArguments(name string, kwargs map[string]any) arguments {
	return arguments{remote.NewArguments(name, kwargs)}
}

const service = "SFTPFS"

// FromService reads the arguments of the service SFTPFS: a host ("host",
// "host:port", [host, port] or an sftp URL) and, after it, a root path (or a
// port); by name host (or connection), port, root_path (or root, path), username
// (or user), password (or passwd), pkey (or key_filename, private_key: a path, a
// list of them, or a private key itself), passphrase, hostkey (a public key),
// agent_auth, look_for_keys, config_file ("none": no ssh configuration),
// known_hosts (a path or a list of them), timeout (seconds) and create. The root
// path is "/" if it is not given, and below the login's directory if it has no
// slash before it.
//
// Home, LocalUser and AgentSocket are the caller's to set.
func FromService(args []any, kwargs map[string]any) (*Options, error) {
	a := newArguments(service, kwargs)
	a.positional(args)
	o := &Options{Root: "/"}
	if host := a.Text("host"); strings.Contains(host, "://") {
		u, err := url.Parse(host)
		if err != nil {
			return nil, errors.New(service + ": the host is no URL") // the error would show a password
		}
		if o, err = FromURL(u); err != nil {
			return nil, err
		}
	} else if host != "" {
		var err error
		if o.Host, o.Port, err = splitHostPort(host); err != nil {
			return nil, fmt.Errorf("%s: host %.200q: %w", service, host, err)
		}
	}
	a.into(o)
	if o.Host == "" {
		a.Fail("needs a host")
	}
	return o, a.Done()
}

// FromURL reads sftp://user:password@host:port/path. The path is that of the
// server's root; /~/path is below the login's directory, which is also what no
// path means. The query may have create, key_filename, hostkey, agent_auth,
// look_for_keys, config_file, known_hosts and timeout.
func FromURL(u *url.URL) (*Options, error) {
	a := newArguments(u.Scheme, nil)
	for key, values := range u.Query() {
		a.Set(key, values[len(values)-1])
	}
	for _, key := range []string{"password", "passwd", "passphrase", "pkey", "private_key", "root", "path", "root_path", "port", "user", "username"} {
		if _, value := a.Take(key); value != nil {
			a.Fail("there is no option %.80q", key)
		}
	}
	o := &Options{Host: u.Hostname(), Root: u.Path}
	if rest, ok := strings.CutPrefix(u.Path, "/~"); ok && (rest == "" || rest[0] == '/') {
		o.Root = strings.TrimLeft(rest, "/")
	}
	if u.User != nil {
		o.User = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	if port := u.Port(); port != "" {
		a.Set("port", port)
	}
	a.into(o)
	return o, a.Done()
}

// splitHostPort takes "host", "host:port" and "[address]:port" apart.
func splitHostPort(s string) (string, int, error) {
	if strings.Count(s, ":") != 1 && !strings.HasPrefix(s, "[") {
		return s, 0, nil
	}
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		if bare, ok := strings.CutSuffix(s, "]"); ok {
			return strings.TrimPrefix(bare, "["), 0, nil
		}
		return "", 0, errors.New("no host and port")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%.40q is no port", port)
	}
	return host, int(n), nil
}

// positional takes the host, and a root path or a port after it.
func (a arguments) positional(args []any) {
	if _, connection := a.Take("connection"); connection != nil {
		args = append([]any{connection}, args...)
	}
	if len(args) > 0 {
		if pair, ok := args[0].([]any); ok && len(pair) == 2 {
			args = append([]any{pair[0]}, args[1:]...)
			a.Set("port", pair[1])
		}
		a.Set("host", args[0])
	}
	if len(args) > 1 {
		key := "root_path"
		if _, err := strconv.Atoi(fmt.Sprint(args[1])); err == nil {
			key = "port"
		}
		a.Set(key, args[1])
	}
	if len(args) > 2 {
		a.Fail("takes a host and a root path, not %d arguments", len(args))
	}
}

// into sets what is given by name.
func (a arguments) into(o *Options) {
	set := func(p *string, names ...string) {
		if value := a.Text(names...); value != "" {
			*p = value
		}
	}
	if port := a.Port("port"); port != 0 {
		o.Port = port
	}
	set(&o.User, "username", "user")
	set(&o.Password, "password", "passwd")
	set(&o.Root, "root_path", "root", "path")
	set(&o.Passphrase, "passphrase", "private_key_pass")
	set(&o.HostKey, "hostkey")
	set(&o.ConfigFile, "config_file")
	for _, key := range a.Texts("pkey", "key_filename", "private_key") {
		if strings.Contains(key, "-----BEGIN ") {
			o.Key = key
		} else {
			o.KeyFiles = append(o.KeyFiles, key)
		}
	}
	if files := a.Texts("known_hosts"); files != nil {
		o.KnownHosts = files
	}
	o.NoAgent = !a.Flag("agent_auth", !o.NoAgent)
	o.NoDefaultKeys = !a.Flag("look_for_keys", !o.NoDefaultKeys)
	o.Create = a.Flag("create", o.Create)
	if timeout := a.Seconds("timeout"); timeout != 0 {
		o.Timeout = timeout
	}
}
