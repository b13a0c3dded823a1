package web_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/webdav"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
	"github.com/datafs/datafs/remote/web"
)

// davServer serves dir at /dav to user "u" with password "p" and calls see with
// each request; one that see answers goes no further.
func davServer(t *testing.T, dir string, see func(w http.ResponseWriter, r *http.Request) (answered bool)) string {
	t.Helper()
	h := &webdav.Handler{Prefix: "/dav", FileSystem: webdav.Dir(dir), LockSystem: webdav.NewMemLS()}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if see == nil || !see(w, r) {
			h.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/dav"
}

func openDAV(t *testing.T, o *web.DAVOptions) remote.Authority {
	t.Helper()
	if o.Username == "" {
		o.Username, o.Password = "u", "p"
	}
	a, err := web.OpenDAV(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func firstError(t *testing.T, a remote.Authority, prefix string) error {
	t.Helper()
	for _, err := range a.List(t.Context(), prefix) {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestDAV(t *testing.T) {
	remotetest.Run(t, func(t *testing.T) remote.Authority {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "a team"), 0o700); err != nil {
			t.Fatal(err)
		}
		return openDAV(t, &web.DAVOptions{URL: davServer(t, dir, nil) + "/a%20team"})
	})
}

func TestDAVKeepsWhatIsNotAFile(t *testing.T) {
	dir := t.TempDir()
	a := openDAV(t, &web.DAVOptions{URL: davServer(t, dir, nil)})
	if err := a.Put(t.Context(), "packs/ab/one", strings.NewReader("1")); err != nil {
		t.Fatal(err)
	}
	if err := a.Delete(t.Context(), "packs"); err == nil {
		t.Error("a directory was deleted")
	}
	if _, err := a.Get(t.Context(), "packs", 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get of a directory: got %v, want fs.ErrNotExist", err)
	}
	for _, name := range []string{"Upper", ".put-left"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := listAll(t, a); err != nil || got != "packs/ab/one:1" {
		t.Errorf("List: got %q, %v", got, err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "packs/ab/.*"))
	if err != nil || len(left) > 0 {
		t.Errorf("unfinished files are left: %q, %v", left, err)
	}
}

func listAll(t *testing.T, a remote.Authority) (string, error) {
	t.Helper()
	var all []string
	for i, err := range a.List(t.Context(), "") {
		if err != nil {
			return "", err
		}
		all = append(all, fmt.Sprint(i.Name, ":", i.Size))
	}
	return strings.Join(all, " "), nil
}

func TestDAVRootIsMissing(t *testing.T) {
	dir := t.TempDir()
	address := davServer(t, dir, nil) + "/not/there"
	a := openDAV(t, &web.DAVOptions{URL: address})
	_, getErr := a.Get(t.Context(), "one", 0, -1)
	for op, err := range map[string]error{
		"get": getErr, "put": a.Put(t.Context(), "one", strings.NewReader("1")), "list": firstError(t, a, ""),
		"put below": a.Put(t.Context(), "a/b/one", strings.NewReader("1")), "delete": a.Delete(t.Context(), "one"),
	} {
		if !errors.Is(err, remote.ErrNoStorage) {
			t.Errorf("%s: got %v, want ErrNoStorage", op, err)
		}
	}
	a = openDAV(t, &web.DAVOptions{URL: address, Create: true})
	if got, err := listAll(t, a); got != "" || err != nil {
		t.Errorf("List of a root that will be made: got %q, %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "not")); err == nil {
		t.Error("the root was made by reading")
	}
	if err := a.Put(t.Context(), "a/b/one", strings.NewReader("1")); err != nil {
		t.Errorf("Put that makes the root: %v", err)
	}
	if got, err := listAll(t, a); got != "a/b/one:1" || err != nil {
		t.Errorf("List: got %q, %v", got, err)
	}
}

func TestDAVDirectoryIsRemovedBySomebodyElse(t *testing.T) {
	dir := t.TempDir()
	a := openDAV(t, &web.DAVOptions{URL: davServer(t, dir, nil)})
	for range 2 {
		if err := a.Put(t.Context(), "a/b/one", strings.NewReader("1")); err != nil {
			t.Fatal(err)
		}
		os.RemoveAll(filepath.Join(dir, "a"))
	}
}

func TestDAVStatusCodes(t *testing.T) {
	code, method := 0, ""
	address := davServer(t, t.TempDir(), func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method {
			return false
		}
		w.WriteHeader(code)
		return true
	})
	a := openDAV(t, &web.DAVOptions{URL: address})
	for _, c := range []struct {
		method string
		code   int
		want   error
	}{
		{"MKCOL", 403, fs.ErrPermission}, {"PUT", 403, fs.ErrPermission}, {"PUT", 401, fs.ErrPermission}, {"PUT", 405, remote.ErrReadOnly},
		{"PUT", 503, remote.ErrUnavailable}, {"MOVE", 502, remote.ErrUnavailable}, {"PUT", 429, remote.ErrUnavailable},
		{"MOVE", 404, remote.ErrUnavailable},
	} {
		code, method = c.code, c.method
		if err := a.Put(t.Context(), "a/one", strings.NewReader("1")); !errors.Is(err, c.want) {
			t.Errorf("Put where %s gets %d: got %v, want %v", c.method, c.code, err, c.want)
		}
	}
	code, method = 507, "PUT"
	if err := a.Put(t.Context(), "one", strings.NewReader("1")); err == nil || errors.Is(err, remote.ErrUnavailable) {
		t.Errorf("Put to a full server: got %v", err)
	}
	bad := openDAV(t, &web.DAVOptions{URL: address, Username: "u", Password: "secret"})
	if err := bad.Put(t.Context(), "one", strings.NewReader("1")); !errors.Is(err, fs.ErrPermission) || strings.Contains(err.Error(), "secret") {
		t.Errorf("Put with a wrong password: got %v", err)
	}
}

func TestDAVServerWithoutRanges(t *testing.T) {
	address := davServer(t, t.TempDir(), func(w http.ResponseWriter, r *http.Request) bool {
		r.Header.Del("Range")
		return false
	})
	a := openDAV(t, &web.DAVOptions{URL: address})
	if err := a.Put(t.Context(), "one", strings.NewReader("0123456789")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		off, n int64
		want   string
	}{{3, 4, "3456"}, {8, 9, "89"}, {10, 1, ""}, {11, -1, ""}, {0, 0, ""}, {9, -1, "9"}} {
		if got := readRange(t, a, "one", c.off, c.n); got != c.want {
			t.Errorf("Get(%d, %d): got %q, want %q", c.off, c.n, got, c.want)
		}
	}
}

func TestDAVAnswersThatAreWrong(t *testing.T) {
	const item = `<D:response><D:href>%s</D:href><D:propstat><D:prop><D:getcontentlength>1</D:getcontentlength></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>`
	answer := ""
	address := davServer(t, t.TempDir(), func(w http.ResponseWriter, r *http.Request) bool {
		w.WriteHeader(http.StatusMultiStatus)
		w.Write([]byte(answer))
		return true
	})
	a := openDAV(t, &web.DAVOptions{URL: address})
	whole := func(href string) string {
		return `<D:multistatus xmlns:D="DAV:">` + fmt.Sprintf(item, href) + `</D:multistatus>`
	}
	for _, href := range []string{"/other/one", "/dav/../one", "/dav/a/one", "/dav/%2e%2e", "/dav/a%2fb", "%zz"} {
		answer = whole(href)
		if err := firstError(t, a, ""); err == nil {
			t.Errorf("an answer that names %s is taken", href)
		}
	}
	answer = whole("http://another.name/dav/%6fne")
	if got, err := listAll(t, a); got != "one:1" || err != nil {
		t.Errorf("an absolute and escaped href: got %q, %v", got, err)
	}
	answer = answer[:len(answer)-20]
	if err := firstError(t, a, ""); !errors.Is(err, remote.ErrUnavailable) {
		t.Errorf("a truncated answer: got %v, want ErrUnavailable", err)
	}
}

func TestDAVFollowsOnlyTheSameServer(t *testing.T) {
	var to string
	address := davServer(t, t.TempDir(), func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/from") {
			return false
		}
		http.Redirect(w, r, to, http.StatusFound)
		return true
	})
	a := openDAV(t, &web.DAVOptions{URL: address})
	if err := a.Put(t.Context(), "to", strings.NewReader("here")); err != nil {
		t.Fatal(err)
	}
	to = address + "/to"
	if got := readRange(t, a, "from", 0, -1); got != "here" {
		t.Errorf("got %q", got)
	}
	to = "http://127.0.0.1:1/to"
	if _, err := a.Get(t.Context(), "from", 0, -1); err == nil || errors.Is(err, remote.ErrUnavailable) {
		t.Errorf("Get that is sent to another server: got %v", err)
	}
}

func TestDAVOptions(t *testing.T) {
	u, err := url.Parse("davs://me:word@host:8443/a%20b/?create=true")
	if err != nil {
		t.Fatal(err)
	}
	o, err := web.DAVFromURL(u)
	if err != nil || o.URL != "https://me:word@host:8443/a%20b" || !o.Create {
		t.Errorf("DAVFromURL: got %+v, %v", o, err)
	}
	if a, err := web.OpenDAV(o); err != nil || fmt.Sprint(a) != "davs://host:8443/a%20b" {
		t.Errorf("OpenDAV: got %v, %v", a, err)
	}
	o, err = web.DAVFromService([]any{"http://host/x"}, map[string]any{"login": "me", "password": 12, "root": "y/z", "create": "no"})
	if err != nil || *o != (web.DAVOptions{URL: "http://host/x/y/z", Username: "me", Password: "12"}) {
		t.Errorf("DAVFromService: got %+v, %v", o, err)
	}
	for want, kwargs := range map[string]map[string]any{
		`"colour"`: {"url": "http://h", "colour": 1}, "needs a url": {}, "create must": {"url": "http://h", "create": "maybe"}, "password must": {"password": []any{}},
	} {
		if _, err := web.DAVFromService(nil, kwargs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("DAVFromService(%v): got %v, want %s", kwargs, err, want)
		}
	}
	if _, err := web.OpenDAV(&web.DAVOptions{URL: "ftp://me:word@host/"}); err == nil || strings.Contains(err.Error(), "word") {
		t.Errorf("OpenDAV of an ftp address: got %v", err)
	}
}

func readRange(t *testing.T, a remote.Authority, name string, off, n int64) string {
	t.Helper()
	r, err := a.Get(t.Context(), name, off, n)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b strings.Builder
	if _, err := io.Copy(&b, r); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
