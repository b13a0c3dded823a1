package ftp

import (
	"errors"
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

const service = "FTPFS"

// FromService reads the arguments of the service FTPFS: a host ("host",
// "host:port" or an ftp or ftps URL) and by name host, user (or username),
// passwd (or password), port, timeout (seconds), root (or root_path, path), tls
// (true or "explicit", "implicit", false or "none"), ca_file, connections and
// create. The root is the login's directory if it is not given, and below that
// if it has no slash before it.
func FromService(args []any, kwargs map[string]any) (*Options, error) {
	a := newArguments(service, kwargs)
	if len(args) > 0 {
		a.Set("host", args[0])
	}
	if len(args) > 1 {
		a.Fail("takes one argument, the host, not %d", len(args))
	}
	o := &Options{}
	host := a.Text("host")
	if strings.Contains(host, "://") {
		u, err := url.Parse(host)
		if err != nil {
			return nil, errors.New(service + ": the host is no URL") // the error would show a password
		}
		if o, err = FromURL(u); err != nil {
			return nil, err
		}
	} else {
		o.Host = host
		if strings.Count(host, ":") == 1 || strings.HasPrefix(host, "[") {
			a.hostPort(o, host)
		}
	}
	a.into(o)
	if o.Host == "" {
		a.Fail("needs a host")
	}
	return o, a.Done()
}

func (a arguments) hostPort(o *Options, text string) {
	if strings.HasSuffix(text, "]") {
		o.Host = strings.Trim(text, "[]")
		return
	}
	host, port, err := net.SplitHostPort(text)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || n == 0 {
		a.Fail("host %.200q: no port", text)
		return
	}
	o.Host, o.Port = host, int(n)
}

// FromURL reads ftp://user:password@host:port/path, and ftps:// for explicit
// TLS. The path is that of the server's root; /~/path is below the login's
// directory, which is also what no path means. The query may have tls, ca_file,
// timeout, connections and create.
func FromURL(u *url.URL) (*Options, error) {
	a := newArguments(u.Scheme, nil)
	for key, values := range u.Query() {
		switch key {
		case "tls", "ca_file", "timeout", "connections", "create":
			a.Set(key, values[len(values)-1])
		default:
			a.Fail("there is no option %.80q", key)
		}
	}
	o := &Options{Host: u.Hostname(), Root: u.Path}
	switch u.Scheme {
	case "ftp":
	case "ftps":
		o.TLS = ExplicitTLS
	default:
		a.Fail("is no ftp or ftps URL")
	}
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
	if u.Scheme == "ftps" && o.TLS == NoTLS {
		a.Fail("tls=none with ftps")
	}
	return o, a.Done()
}

// into sets what is given by name.
func (a arguments) into(o *Options) {
	set := func(p *string, names ...string) {
		if value := a.Text(names...); value != "" {
			*p = value
		}
	}
	set(&o.User, "user", "username")
	set(&o.Password, "passwd", "password")
	set(&o.Root, "root", "root_path", "path")
	set(&o.CAFile, "ca_file")
	if port := a.Port("port"); port != 0 {
		o.Port = port
	}
	if n := a.Port("connections"); n != 0 {
		o.Connections = min(n, 64)
	}
	if timeout := a.Seconds("timeout"); timeout != 0 {
		o.Timeout = timeout
	}
	if a.Text("acct") != "" {
		a.Fail("acct is not supported")
	}
	switch mode := strings.ToLower(a.Text("tls")); mode {
	case "":
	case "explicit", "true", "yes", "1":
		o.TLS = ExplicitTLS
	case "implicit":
		o.TLS = ImplicitTLS
	case "none", "false", "no", "0":
		o.TLS = NoTLS
	default:
		a.Fail("tls must be explicit, implicit or none, not %.40q", mode)
	}
	o.Create = a.Flag("create", o.Create)
}
