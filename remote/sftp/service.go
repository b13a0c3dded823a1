package sftp

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

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
	a := newArgs(service, kwargs)
	a.positional(args)
	o := &Options{Root: "/"}
	if host := a.text("host"); strings.Contains(host, "://") {
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
	if a.err == nil && o.Host == "" {
		a.fail("needs a host")
	}
	return o, a.done()
}

// FromURL reads sftp://user:password@host:port/path. The path is that of the
// server's root; /~/path is below the login's directory, which is also what no
// path means. The query may have create, key_filename, hostkey, agent_auth,
// look_for_keys, config_file, known_hosts and timeout.
func FromURL(u *url.URL) (*Options, error) {
	a := newArgs(u.Scheme, nil)
	for key, values := range u.Query() {
		a.left[key] = values[len(values)-1]
	}
	for _, key := range []string{"password", "passwd", "passphrase", "pkey", "private_key", "root", "path", "root_path", "port", "user", "username"} {
		if a.left[key] != nil {
			a.fail("there is no option %.80q", key)
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
		a.left["port"] = port
	}
	a.into(o)
	return o, a.done()
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
func (a *arguments) positional(args []any) {
	if a.left["connection"] != nil {
		args = append([]any{a.left["connection"]}, args...)
		delete(a.left, "connection")
	}
	if len(args) > 0 {
		if pair, ok := args[0].([]any); ok && len(pair) == 2 {
			args = append([]any{pair[0]}, args[1:]...)
			a.set("port", pair[1])
		}
		a.set("host", args[0])
	}
	if len(args) > 1 {
		key := "root_path"
		if _, err := strconv.Atoi(fmt.Sprint(args[1])); err == nil {
			key = "port"
		}
		a.set(key, args[1])
	}
	if len(args) > 2 {
		a.fail("takes a host and a root path, not %d arguments", len(args))
	}
}

// into sets what is given by name.
func (a *arguments) into(o *Options) {
	set := func(p *string, names ...string) {
		if value := a.text(names...); value != "" {
			*p = value
		}
	}
	if port := a.number("port"); port != 0 {
		o.Port = port
	}
	set(&o.User, "username", "user")
	set(&o.Password, "password", "passwd")
	set(&o.Root, "root_path", "root", "path")
	set(&o.Passphrase, "passphrase", "private_key_pass")
	set(&o.HostKey, "hostkey")
	set(&o.ConfigFile, "config_file")
	for _, key := range a.texts("pkey", "key_filename", "private_key") {
		if strings.Contains(key, "-----BEGIN ") {
			o.Key = key
		} else {
			o.KeyFiles = append(o.KeyFiles, key)
		}
	}
	if files := a.texts("known_hosts"); files != nil {
		o.KnownHosts = files
	}
	o.NoAgent = !a.flag("agent_auth", !o.NoAgent)
	o.NoDefaultKeys = !a.flag("look_for_keys", !o.NoDefaultKeys)
	o.Create = a.flag("create", o.Create)
	if timeout := a.seconds("timeout"); timeout != 0 {
		o.Timeout = timeout
	}
}
