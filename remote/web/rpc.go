package web

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"

	"github.com/datafs/datafs/remote"
)

// rpcMaxFile is the maximum of bytes of a file: the server holds it whole in
// memory, several times over, to send or to take it.
const rpcMaxFile = 1 << 30

// rpcMaxAnswer is the maximum of bytes of any other answer.
const rpcMaxAnswer = 16 << 20

// RPCOptions say where a server of the XML-RPC interface of PyFilesystem 0.5
// (its module fs.expose.xmlrpc) listens.
type RPCOptions struct {
	// URL is http or https; a user and password in it are sent by Basic
	// authentication. An address without a path means /RPC2.
	URL string
	// Client sends the requests; nil is one of this package's own. Its
	// CheckRedirect is not used.
	Client *http.Client
}

// rpcFS is an authority on a server of that interface. The interface has no
// ranges: a Get of a range makes the server send the file up to the range's end,
// and what lies before it is thrown away. A file is put under a temporary name
// and renamed. It is no Exclusive.
type rpcFS struct {
	web  *webClient
	base *url.URL

	mu   sync.Mutex
	made map[string]bool // mu guards it: directories that were there
}

// OpenRPC gives an authority on an XML-RPC server. It does not connect.
func OpenRPC(o *RPCOptions) (remote.Authority, error) {
	base, user, password, err := webBase(o.URL)
	if err != nil {
		return nil, fmt.Errorf("xml-rpc: %w", err)
	}
	if u, err := url.Parse(o.URL); err == nil {
		base.Path = u.Path // a handler's name: its slash at the end may matter
	}
	if base.Path == "" {
		base.Path = "/RPC2"
	}
	return &rpcFS{web: newWebClient(o.Client, user, password), base: base, made: map[string]bool{}}, nil
}

// RPCFromService reads the argument of the service RPCFS: the URI (positional
// or uri).
func RPCFromService(args []any, kwargs map[string]any) (*RPCOptions, error) {
	a := remote.OneArgument("RPCFS", "uri", args, kwargs)
	o := &RPCOptions{URL: a.Text("uri")}
	if o.URL == "" {
		a.Fail("needs a uri such as http://host:port/path")
	}
	return o, a.Done()
}

// RPCFromURL reads rpc://user:password@host:port/path, which is by http, and
// rpcs://..., by https.
func RPCFromURL(u *url.URL) (*RPCOptions, error) {
	plain := *u
	switch u.Scheme {
	case "rpc":
		plain.Scheme = "http"
	case "rpcs":
		plain.Scheme = "https"
	}
	for key := range u.Query() {
		return nil, fmt.Errorf("%s: there is no option %.80q", u.Scheme, key)
	}
	return &RPCOptions{URL: plain.String()}, nil
}

// String gives the location, as an rpc or rpcs URL.
func (f *rpcFS) String() string { return strings.Replace(f.base.String(), "http", "rpc", 1) }

func (f *rpcFS) Close() error {
	f.web.http.CloseIdleConnections()
	return nil
}

func (f *rpcFS) wrap(op, name string, err error) error {
	return fmt.Errorf("%s %s: %s: %w", op, name, f, err)
}

func (f *rpcFS) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := remote.CheckGet(ctx, name, off); err != nil {
		return nil, err
	}
	wrap := func(err error) error { return f.wrap("get", name, rpcFailure(ctx, err)) }
	a, err := f.send(ctx, "get_contents", rpcMaxFile/2*3, rpcPath(name))
	if err == nil {
		var data io.Reader
		if data, err = a.data(); err == nil {
			err = webSkip(data, off)
		}
		if err == nil {
			return remote.NewBody(ctx, rpcBody{data, a}, n, wrap), nil
		}
		a.Close()
	}
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errRPCInvalid) { // or a directory
		err = f.missing(ctx)
	}
	return nil, wrap(err)
}

// rpcBody is the content of a file, and the answer that it comes in.
type rpcBody struct {
	io.Reader
	io.Closer
}

// Put keeps a file that is there already where the server does not rename over
// it.
func (f *rpcFS) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	temp := webTemporary(name)
	err := f.upload(ctx, temp, r)
	if err == nil {
		_, err = f.call(ctx, "rename", rpcPath(temp), rpcPath(name))
	}
	if err == nil {
		return nil
	}
	clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), webCleanup)
	defer cancel()
	_, _ = f.call(clean, "remove", rpcPath(temp))
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		if gone := f.missing(clean); !errors.Is(gone, fs.ErrNotExist) {
			err = gone
		}
	}
	return f.wrap("put", name, rpcFailure(ctx, err))
}

// upload writes r to a file, making the directories above it.
func (f *rpcFS) upload(ctx context.Context, name string, r io.ReadSeeker) error {
	start, size, err := webMeasure(r)
	if err != nil {
		return err
	}
	if size > rpcMaxFile {
		return fmt.Errorf("%d bytes are too many for xml-rpc, which has to send a file at once", size)
	}
	for again := false; ; again = true {
		if err := f.directory(ctx, path.Dir(name)); err != nil {
			return err
		}
		if _, err := r.Seek(start, io.SeekStart); err != nil {
			return err
		}
		err := f.setContents(ctx, name, r, size)
		if again || !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		f.mu.Lock()
		clear(f.made) // somebody has removed what we had seen
		f.mu.Unlock()
	}
}

func (f *rpcFS) setContents(ctx context.Context, name string, r io.Reader, size int64) error {
	head := append(rpcCall("set_contents", rpcPath(name)), "<param><value><base64>"...)
	const tail = "</base64></value></param>" + rpcCallEnd
	length := int64(len(head)) + (size+2)/3*4 + int64(len(tail))
	body := io.MultiReader(bytes.NewReader(head), &rpcEncoder{r: r}, strings.NewReader(tail))
	a, err := f.post(ctx, body, length, rpcMaxAnswer)
	if err != nil {
		return err
	}
	defer a.Close()
	_, err = a.value()
	return err
}

// directory makes a directory and those above it; "." is the root. The server
// would make a root that is missing, too, so it is looked at before.
func (f *rpcFS) directory(ctx context.Context, dir string) error {
	f.mu.Lock()
	made := f.made[dir]
	f.mu.Unlock()
	if dir == "." || made {
		return nil
	}
	if err := f.missing(ctx); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := f.call(ctx, "makedir", rpcPath(dir), true, true); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.made[dir] = true
	return nil
}

func (f *rpcFS) Delete(ctx context.Context, name string) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	_, err := f.call(ctx, "remove", rpcPath(name))
	if errors.Is(err, fs.ErrNotExist) {
		if err = f.missing(ctx); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	if err != nil {
		return f.wrap("delete", name, rpcFailure(ctx, err))
	}
	return nil
}

// missing says what it means that something is not there: that, or the server
// has lost its root.
func (f *rpcFS) missing(ctx context.Context) error {
	v, err := f.call(ctx, "isdir", rpcPath("."))
	switch {
	case err != nil:
		return err
	case v == false:
		return remote.ErrNoStorage
	}
	return fs.ErrNotExist
}

// rpcPath encodes a path as the interface wants it.
func rpcPath(name string) string {
	return base64.StdEncoding.EncodeToString([]byte(path.Join("/", name)))
}

func (f *rpcFS) call(ctx context.Context, method string, args ...any) (any, error) {
	a, err := f.send(ctx, method, rpcMaxAnswer, args...)
	if err != nil {
		return nil, err
	}
	defer a.Close()
	return a.value()
}

func (f *rpcFS) send(ctx context.Context, method string, limit int64, args ...any) (*rpcAnswer, error) {
	body := append(rpcCall(method, args...), rpcCallEnd...)
	return f.post(ctx, bytes.NewReader(body), int64(len(body)), limit)
}

func (f *rpcFS) post(ctx context.Context, body io.Reader, size, limit int64) (*rpcAnswer, error) {
	header := http.Header{"Content-Type": {"text/xml"}}
	resp, err := f.web.do(ctx, http.MethodPost, f.base.String(), header, body, size)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		webDrain(resp)
		if err := webStatus(resp.StatusCode); !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		return nil, fmt.Errorf("no xml-rpc is served at this path: %w", remote.ErrNoStorage)
	}
	a, err := newRPCAnswer(resp.Body, limit)
	if err != nil {
		resp.Body.Close()
		return nil, rpcFailure(ctx, err)
	}
	return a, nil
}
