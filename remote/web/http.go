package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"net/http"
	"net/url"
	"strings"

	"github.com/datafs/datafs/remote"
)

// HTTPOptions say where a web server has the files.
type HTTPOptions struct {
	// URL is the http or https address that names are appended to. A user name
	// and password in it are used unless the fields say others; a query is sent
	// with each request. Neither is ever shown.
	URL                string
	Username, Password string
	Client             *http.Client // nil: one with timeouts and the proxy of the environment
}

// httpFS reads from a plain web server.
type httpFS struct {
	client         *http.Client
	base           *url.URL // without a user
	user, password string
}

// OpenHTTP gives the authority below an http or https address. It can only be
// read, and has no listing: the error of List wraps errors.ErrUnsupported. It
// follows redirects that stay with the protocol. It does not connect.
func OpenHTTP(opts *HTTPOptions) (remote.Authority, error) {
	u, err := url.Parse(opts.URL)
	if err != nil {
		return nil, errors.New("http: the address is no URL") // the error would show a password
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("http: %.200q is no http or https address", safeURL(u))
	}
	h := &httpFS{user: opts.Username, password: opts.Password}
	if h.user == "" && h.password == "" {
		h.user = u.User.Username()
		h.password, _ = u.User.Password()
	}
	u.User, u.Fragment = nil, ""
	h.base = u
	client := http.Client{Transport: webTransport()}
	if opts.Client != nil {
		client = *opts.Client
	}
	client.CheckRedirect = httpRedirect
	h.client = &client
	return h, nil
}

// safeURL is what may be shown of a URL: a query may hold a token.
func safeURL(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// String is the address, without user and query.
func (h *httpFS) String() string { return safeURL(h.base) }

// ReadOnly marks an authority that can never be written, so that a push says so
// before it begins.
func (h *httpFS) ReadOnly() {}

// httpRedirect follows a redirect that stays with the protocol. One to the name
// with a slash says that it is a directory's.
func httpRedirect(req *http.Request, via []*http.Request) error {
	if req.URL.Scheme != via[0].URL.Scheme || len(via) > webRedirects {
		return errMoved
	}
	if req.URL.Path == via[len(via)-1].URL.Path+"/" {
		return fs.ErrNotExist
	}
	return nil
}

// Get is that of Authority.
func (h *httpFS) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	wrap := func(err error) error { return fmt.Errorf("get %.80s: %s: %w", name, h, err) }
	if err := remote.CheckGet(ctx, name, off); err != nil {
		return nil, wrap(err)
	}
	body, err := h.get(ctx, name, off, n)
	if err != nil {
		return nil, wrap(err)
	}
	return remote.NewBody(ctx, body, n, func(err error) error { return wrap(webError(ctx, err)) }), nil
}

// get gives the file from off on, up to n bytes at least where it has them.
func (h *httpFS) get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	req, err := h.request(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return nil, webError(ctx, err)
	}
	switch resp.StatusCode {
	case http.StatusOK: // the server knows no ranges, or this one is all
		if err := webSkip(resp.Body, off); err != nil {
			resp.Body.Close()
			return nil, webError(ctx, err)
		}
		return resp.Body, nil
	case http.StatusPartialContent:
		body, err := partial(resp, off, n)
		if err != nil {
			resp.Body.Close()
		}
		return body, err
	}
	defer webDrain(resp)
	if resp.StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return http.NoBody, nil
	}
	return nil, webStatus(resp.StatusCode)
}

func (h *httpFS) request(ctx context.Context, name string, off, n int64) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.base.JoinPath(name).String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept-Encoding", "identity")
	if off > 0 || n >= 0 {
		req.Header.Set("Range", byteRange(off, n))
	}
	if h.user != "" || h.password != "" {
		req.SetBasicAuth(h.user, h.password)
	}
	return req, nil
}

// byteRange is the value of a Range header. There is no range of no bytes: one
// is asked for then.
func byteRange(off, n int64) string {
	if n < 0 || n > math.MaxInt64-off {
		return fmt.Sprintf("bytes=%d-", off)
	}
	return fmt.Sprintf("bytes=%d-%d", off, off+max(n, 1)-1)
}

// partial checks that an answer is the part that was asked for. One that the
// server chose to make shorter ends as a connection that breaks does, so that
// the reader asks for the rest.
func partial(resp *http.Response, off, n int64) (io.ReadCloser, error) {
	var first, last, total int64
	header := resp.Header.Get("Content-Range")
	if _, err := fmt.Sscanf(header, "bytes %d-%d/%d", &first, &last, &total); err != nil {
		total = -1 // "*", or what cannot be understood
		if _, err := fmt.Sscanf(header, "bytes %d-%d/", &first, &last); err != nil {
			return nil, fmt.Errorf("the server's answer has the range %.80q", header)
		}
	}
	if first != off || last < first {
		return nil, fmt.Errorf("the server's answer has the range %.80q, not that from %d on", header, off)
	}
	want := last - first + 1
	if total > last {
		want = total - first
	}
	if n >= 0 {
		want = min(want, n)
	}
	return &wholeBody{resp.Body, want}, nil
}

// wholeBody fails if it ends before rest bytes.
type wholeBody struct {
	io.ReadCloser
	rest int64
}

func (b *wholeBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.rest -= int64(n)
	if err == io.EOF && b.rest > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// Put is refused.
func (h *httpFS) Put(_ context.Context, name string, _ io.ReadSeeker) error {
	return h.refuse("put", name)
}

// Delete is refused.
func (h *httpFS) Delete(_ context.Context, name string) error {
	return h.refuse("delete", name)
}

func (h *httpFS) refuse(op, name string) error {
	err := remote.CheckName(name)
	if err == nil {
		err = remote.ErrReadOnly
	}
	return fmt.Errorf("%s %.80s: %s: %w", op, name, h, err)
}

// List is not to be had.
func (h *httpFS) List(_ context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		err := remote.CheckPrefix(prefix)
		if err == nil {
			err = fmt.Errorf("a plain web server has no listing: %w", errors.ErrUnsupported)
		}
		yield(remote.Info{}, fmt.Errorf("list %.80s: %s: %w", prefix, h, err))
	}
}

// Close is that of Authority.
func (h *httpFS) Close() error {
	h.client.CloseIdleConnections()
	return nil
}

// HTTPFromService reads the arguments of the service HTTPFS: the URL
// (positional or url), username (or user) and password (or passwd).
func HTTPFromService(args []any, kwargs map[string]any) (*HTTPOptions, error) {
	a := remote.OneArgument("HTTPFS", "url", args, kwargs)
	o := &HTTPOptions{URL: a.Text("url"), Username: a.Text("username", "user"), Password: a.Text("password", "passwd")}
	if o.URL == "" {
		a.Fail("needs a url such as https://host/path")
	}
	return o, a.Done()
}

// HTTPFromURL reads an http or https URL, whose query is part of it.
func HTTPFromURL(u *url.URL) (*HTTPOptions, error) {
	if !strings.HasPrefix(u.Scheme, "http") {
		return nil, fmt.Errorf("%.80q is no http or https address", safeURL(u))
	}
	return &HTTPOptions{URL: u.String()}, nil
}
