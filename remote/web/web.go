// Package web has the authorities that are reached by HTTP: plain web servers, which can
// only be read, WebDAV, and the XML-RPC of the original program. They share a client.
package web

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/datafs/datafs/remote"
)

const (
	webConnections = 8                // kept open to one server
	webDial        = 30 * time.Second // to connect, and to shake hands
	webAnswer      = 2 * time.Minute  // from the end of a request to the head of its answer
	webCleanup     = 10 * time.Second // to remove an unfinished file
	webRedirects   = 5
)

// webClient sends requests with a user's name and password, for the drivers
// that write over HTTP.
type webClient struct {
	http *http.Client
	user *url.Userinfo // nil: none
}

func newWebClient(client *http.Client, user, password string) *webClient {
	c := &webClient{}
	if user != "" || password != "" {
		c.user = url.UserPassword(user, password)
	}
	if client == nil {
		client = &http.Client{Transport: webTransport()}
	}
	own := *client
	own.CheckRedirect = webRedirect
	c.http = &own
	return c
}

func webTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: webDial}).DialContext,
		TLSHandshakeTimeout:   webDial,
		ResponseHeaderTimeout: webAnswer,
		IdleConnTimeout:       time.Minute,
		MaxIdleConnsPerHost:   webConnections,
		DisableCompression:    true,
		ForceAttemptHTTP2:     true,
	}
}

var errMoved = errors.New("the server sends us elsewhere")

// webRedirect follows a GET to another path of the same server. Other methods
// would become a GET on the way, and a name that becomes a directory's is none
// of a file.
func webRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if first.Method != http.MethodGet {
		return http.ErrUseLastResponse
	}
	if req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host || len(via) > webRedirects {
		return errMoved
	}
	if req.URL.Path == first.URL.Path+"/" {
		return fs.ErrNotExist
	}
	return nil
}

// do sends a request whose body, if there is one, has size bytes. The body is
// not read any more once do has failed or the answer has been closed, so that
// the caller may seek it and try again.
func (c *webClient) do(ctx context.Context, method, target string, header http.Header, body io.Reader, size int64) (*http.Response, error) {
	sent := &webBody{r: body, closed: make(chan struct{})}
	var content io.Reader = http.NoBody
	if size > 0 {
		content = sent
	}
	req, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, err
	}
	if size > 0 {
		req.ContentLength = size
	} else {
		close(sent.closed)
	}
	if header != nil {
		req.Header = header
	}
	req.Header.Set("Accept-Encoding", "identity")
	if c.user != nil {
		password, _ := c.user.Password()
		req.SetBasicAuth(c.user.Username(), password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		<-sent.closed
		if sent.err != nil {
			return nil, sent.err
		}
		return nil, webError(ctx, err)
	}
	resp.Body = &webAnswerBody{ReadCloser: resp.Body, sent: sent.closed}
	return resp, nil
}

// webBody is the body of a request. Its transport closes it from another
// goroutine, possibly after the request has failed; no Read goes on behind that.
type webBody struct {
	mu     sync.Mutex // one Read or Close at a time
	r      io.Reader
	err    error         // of r; may be read when closed is closed
	ended  bool          // mu guards it
	closed chan struct{} // closed when nothing reads r any more
}

func (b *webBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, fs.ErrClosed
	}
	n, err := b.r.Read(p)
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}

func (b *webBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.ended = true
		close(b.closed)
	}
	return nil
}

type webAnswerBody struct {
	io.ReadCloser
	sent <-chan struct{}
}

func (b *webAnswerBody) Close() error {
	err := b.ReadCloser.Close()
	<-b.sent
	return err
}

// webDrain reads the little that is left of an answer, so that its connection
// can be used again, and closes it.
func webDrain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10)
	_ = resp.Body.Close()
}

// webError says which kind of error one of net/http is.
func webError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return fmt.Errorf("%w: %w", remote.ErrNoStorage, err)
	case errors.As(err, &cert), errors.Is(err, errMoved), errors.Is(err, fs.ErrNotExist):
		return err
	}
	return fmt.Errorf("%w: %w", remote.ErrUnavailable, err)
}

// webStatus says which kind of error a status code stands for, where it is not
// the success that the caller waited for.
func webStatus(code int) error {
	text := strings.ToLower(strings.TrimSpace(fmt.Sprint(code, " ", http.StatusText(code))))
	switch {
	case code == http.StatusUnauthorized, code == http.StatusForbidden:
		return fmt.Errorf("%s: %w", text, fs.ErrPermission)
	case code == http.StatusNotFound, code == http.StatusGone:
		return fs.ErrNotExist
	case code == http.StatusInsufficientStorage:
		return fmt.Errorf("%s: %w", text, syscall.ENOSPC)
	case code == http.StatusNotImplemented:
		return errors.New(text)
	case code >= 500, code == http.StatusLocked, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code == http.StatusTooEarly:
		return fmt.Errorf("%s: %w", text, remote.ErrUnavailable)
	}
	return errors.New(text)
}

// webSkip reads off bytes of r. One that ends before is at its end.
func webSkip(r io.Reader, off int64) error {
	_, err := io.CopyN(io.Discard, r, off)
	if err == io.EOF {
		return nil
	}
	return err
}

// webLimited fails, rather than end, behind its maximum.
type webLimited struct {
	r    io.Reader
	left int64
}

var errTooLong = errors.New("the server's answer is too long")

func (l *webLimited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errTooLong
	}
	if int64(len(p)) > l.left {
		p = p[:l.left]
	}
	n, err := l.r.Read(p)
	l.left -= int64(n)
	return n, err
}

// webMeasure gives the offset that r is at and the number of bytes from there on.
func webMeasure(r io.Seeker) (start, size int64, err error) {
	if start, err = r.Seek(0, io.SeekCurrent); err != nil {
		return 0, 0, err
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, err
	}
	_, err = r.Seek(start, io.SeekStart)
	return start, end - start, err
}

// webTemporary is a name for an unfinished file in the directory of name.
func webTemporary(name string) string {
	return path.Join(path.Dir(name), ".put-"+strings.ToLower(rand.Text()))
}
