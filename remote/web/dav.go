package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/datafs/datafs/remote"
)

// DAVOptions say where a WebDAV server (RFC 4918) keeps the files.
type DAVOptions struct {
	// URL is the root collection, http or https.
	URL string
	// Username and Password are sent by Basic authentication (RFC 7617) if one
	// of them is set. Over http they can be read on the way.
	Username, Password string
	// Create makes the root collection on the first Put when it is missing.
	Create bool
	// Client sends the requests; nil is one of this package's own. Its
	// CheckRedirect is not used.
	Client *http.Client
}

// davFS is an authority on a WebDAV server. A file is put under a temporary
// name and moved to its own with "Overwrite: F", so that it is whole or not
// there, and there once. RFC 4918 does not say that a server must check for
// the target and move in one step; those that do not cannot give PutNew's
// promise to callers at the same moment.
type davFS struct {
	web    *webClient
	base   *url.URL // its path has no slash at the end; "" is the server's root
	create bool

	mu   sync.Mutex
	made map[string]bool // mu guards it: paths of collections that were there
}

var _ remote.Exclusive = (*davFS)(nil)

// OpenDAV gives an authority, which is Exclusive, on a WebDAV server. It does
// not connect.
func OpenDAV(o *DAVOptions) (remote.Authority, error) {
	base, user, password, err := webBase(o.URL)
	if err != nil {
		return nil, fmt.Errorf("webdav: %w", err)
	}
	if o.Username != "" || o.Password != "" {
		user, password = o.Username, o.Password
	}
	web := newWebClient(o.Client, user, password)
	return &davFS{web: web, base: base, create: o.Create, made: map[string]bool{}}, nil
}

// webBase takes an http address apart.
func webBase(address string) (base *url.URL, user, password string, err error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, "", "", errors.New("the address is no URL") // the error would show a password
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, "", "", fmt.Errorf("%.200q is no http or https address", safeURL(u))
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, "", "", fmt.Errorf("%.200q: an address has no query", safeURL(u))
	}
	password, _ = u.User.Password()
	clean := strings.TrimSuffix(path.Clean("/"+u.Path), "/")
	return &url.URL{Scheme: u.Scheme, Host: u.Host, Path: clean}, u.User.Username(), password, nil
}

// DAVFromService reads the arguments of the service DAVFS: the URL (positional
// or url), username (or login), password, root (or path; below the URL) and
// create.
func DAVFromService(args []any, kwargs map[string]any) (*DAVOptions, error) {
	a := remote.OneArgument("DAVFS", "url", args, kwargs)
	address, root := a.Text("url"), a.Text("root", "path")
	o := &DAVOptions{Username: a.Text("username", "login"), Password: a.Text("password"), Create: a.Flag("create", false)}
	if err := a.Done(); err != nil {
		return nil, err
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return nil, errors.New("DAVFS: needs a url such as https://host/path")
	}
	switch u.Scheme {
	case "dav":
		u.Scheme = "http"
	case "davs":
		u.Scheme = "https"
	}
	o.URL = u.JoinPath("/", root).String()
	return o, nil
}

// DAVFromURL reads dav://user:password@host/path (http) and davs://... (https);
// create=true may stand in the query.
func DAVFromURL(u *url.URL) (*DAVOptions, error) {
	kwargs := map[string]any{}
	for key, values := range u.Query() {
		if key != "create" {
			return nil, fmt.Errorf("%s: there is no option %.80q", u.Scheme, key)
		}
		kwargs[key] = values[len(values)-1]
	}
	plain := *u
	plain.RawQuery = ""
	return DAVFromService([]any{plain.String()}, kwargs)
}

// String gives the location, as a dav or davs URL.
func (d *davFS) String() string {
	return strings.Replace(d.base.String(), "http", "dav", 1)
}

func (d *davFS) Close() error {
	d.web.http.CloseIdleConnections()
	return nil
}

func (d *davFS) wrap(op, name string, err error) error {
	return fmt.Errorf("%s %s: %s: %w", op, name, d, err)
}

// path gives a file's path at the server.
func (d *davFS) path(name string) string { return path.Join(d.base.Path+"/", name) }

func (d *davFS) url(p string) string {
	u := *d.base
	u.Path = p
	return u.String()
}

func (d *davFS) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := remote.CheckGet(ctx, name, off); err != nil {
		return nil, err
	}
	resp, err := d.open(ctx, d.path(name), off, n)
	if errors.Is(err, fs.ErrNotExist) {
		err = d.missing(ctx)
	}
	if err != nil {
		return nil, d.wrap("get", name, err)
	}
	wrap := func(err error) error { return d.wrap("get", name, webError(ctx, err)) }
	return remote.NewBody(ctx, resp, n, wrap), nil
}

// open gives the content of the file at p from off on. A server may ignore
// that n bytes are enough, or that they are not wanted from the start.
func (d *davFS) open(ctx context.Context, p string, off, n int64) (io.ReadCloser, error) {
	resp, err := d.web.do(ctx, http.MethodGet, d.url(p), davRange(off, n), nil, 0)
	if err != nil {
		return nil, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		if err = webSkip(resp.Body, off); err != nil {
			err = webError(ctx, err)
		}
	case http.StatusPartialContent:
		if !strings.HasPrefix(resp.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", off)) {
			err = errors.New("the server gives another range than the one that was asked for")
		}
	case http.StatusRequestedRangeNotSatisfiable:
		webDrain(resp)
		return http.NoBody, nil
	case http.StatusMethodNotAllowed: // a collection
		err = fs.ErrNotExist
	default:
		err = webStatus(resp.StatusCode)
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp.Body, nil
}

// davRange asks for n bytes from off on, and for one where none are wanted: a
// file that is not there must be told from an empty one.
func davRange(off, n int64) http.Header {
	h := http.Header{}
	switch {
	case n < 0 && off == 0:
	case n < 0 || n > math.MaxInt64-off:
		h.Set("Range", fmt.Sprintf("bytes=%d-", off))
	default:
		h.Set("Range", fmt.Sprintf("bytes=%d-%d", off, off+max(n, 1)-1))
	}
	return h
}
