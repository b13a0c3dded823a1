package web_test

import (
	"encoding/base64"
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

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
	"github.com/datafs/datafs/remote/web"
)

func openRPC(t *testing.T, address string) remote.Authority {
	t.Helper()
	a, err := web.OpenRPC(&web.RPCOptions{URL: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// rpcDouble answers every call with the status and text that it points to.
func rpcDouble(t *testing.T, code *int, answer *string) remote.Authority {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(*code)
		_, _ = io.WriteString(w, *answer)
	}))
	t.Cleanup(s.Close)
	return openRPC(t, s.URL)
}

func TestServerXMLRPC(t *testing.T) {
	remotetest.Run(t, func(t *testing.T) remote.Authority {
		return openRPC(t, servers.XMLRPC(t, t.TempDir()))
	})
}

func TestServerXMLRPCWithoutWhatItServed(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "root")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	a := openRPC(t, servers.XMLRPC(t, dir))
	for range 2 { // the second finds that the directory that it had made is gone
		if err := a.Put(t.Context(), "a/b/one", strings.NewReader("1")); err != nil {
			t.Fatal(err)
		}
		if err := a.Delete(t.Context(), "a/b"); err == nil {
			t.Error("a directory was deleted")
		}
		os.RemoveAll(filepath.Join(dir, "a"))
	}
	os.Remove(dir)
	_, getErr := a.Get(t.Context(), "one", 0, -1)
	for op, err := range map[string]error{"get": getErr, "list": firstError(t, a, ""), "delete": a.Delete(t.Context(), "one"),
		"put": a.Put(t.Context(), "one", strings.NewReader("1")), "put below": a.Put(t.Context(), "c/one", strings.NewReader("1"))} {
		if !errors.Is(err, remote.ErrNoStorage) {
			t.Errorf("%s: got %v, want ErrNoStorage", op, err)
		}
	}
}

func TestRPCFaultsAndAnswersThatAreWrong(t *testing.T) {
	code, answer := 200, ""
	a := rpcDouble(t, &code, &answer)
	const fault = `<?xml version='1.0'?><methodResponse><fault><value><struct>
		<member><name>faultCode</name><value><int>1</int></value></member>
		<member><name>faultString</name><value><string>&lt;class '%s'&gt;:text</string></value></member></struct></value></fault></methodResponse>`
	const content = `<methodResponse><params><param><value><base64>MDEyMzQ1Njc4OQ==</base64></value></param></params></methodResponse>`
	get := func() error {
		r, err := a.Get(t.Context(), "one", 0, -1)
		if err == nil {
			_, err = io.ReadAll(r)
			r.Close()
		}
		return err
	}
	other := errors.New("another error")
	for _, c := range []struct {
		code   int
		answer string
		want   error
	}{
		{200, fmt.Sprintf(fault, "fs.errors.PermissionDeniedError"), fs.ErrPermission},
		{200, fmt.Sprintf(fault, "fs.errors.RemoteConnectionError"), remote.ErrUnavailable},
		{200, fmt.Sprintf(fault, "fs.errors.UnsupportedError"), remote.ErrReadOnly},
		{200, fmt.Sprintf(fault, "exceptions.ValueError"), other},
		{200, content, nil}, {200, content[:len(content)-5], remote.ErrUnavailable}, {200, content[:50], remote.ErrUnavailable},
		{200, content[:54], remote.ErrUnavailable}, {200, strings.Replace(content, "MDE", "#", 1), other}, {200, "<html></html>", other},
		{200, strings.ReplaceAll(content, "base64>", "int>"), other},
		{404, "", remote.ErrNoStorage}, {401, "", fs.ErrPermission}, {503, "", remote.ErrUnavailable},
	} {
		code, answer = c.code, c.answer
		err := get()
		if c.want == other && err != nil && !errors.Is(err, remote.ErrUnavailable) {
			continue
		}
		if !errors.Is(err, c.want) {
			t.Errorf("answer %d %.200q: got %v, want %v", c.code, c.answer, err, c.want)
		}
	}
}

func TestRPCListOfAnotherPlace(t *testing.T) {
	const list = `<methodResponse><params><param><value><array><data><value>%s</value></data></array></value></param></params></methodResponse>`
	code, answer := 200, ""
	a := rpcDouble(t, &code, &answer)
	for _, name := range []string{"../up", "a/b", ".hidden", "Upper", ".."} {
		answer = fmt.Sprintf(list, base64.StdEncoding.EncodeToString([]byte(name)))
		if got, err := listAll(t, a); got != "" || err != nil {
			t.Errorf("List where the server has %q: got %q, %v", name, got, err)
		}
	}
	answer = fmt.Sprintf(list, "not base64")
	if got, err := listAll(t, a); err == nil {
		t.Errorf("List of a name that is not encoded: got %q", got)
	}
}

func TestRPCServerThatIsNotThere(t *testing.T) {
	code, answer := 200, ""
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	a := openRPC(t, s.URL)
	if err := a.Put(t.Context(), "one", strings.NewReader("1")); !errors.Is(err, remote.ErrUnavailable) || errors.Is(err, remote.ErrNoStorage) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if err := rpcDouble(t, &code, &answer).Delete(t.Context(), "one"); !errors.Is(err, remote.ErrUnavailable) {
		t.Errorf("an empty answer: got %v, want ErrUnavailable", err)
	}
}

func TestRPCOptions(t *testing.T) {
	o, err := web.RPCFromService([]any{"http://me:word@host:8000"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if a, err := web.OpenRPC(o); err != nil || fmt.Sprint(a) != "rpc://host:8000/RPC2" {
		t.Errorf("OpenRPC: got %v, %v", a, err)
	}
	u, err := url.Parse("rpcs://host/path/")
	if err != nil {
		t.Fatal(err)
	}
	if o, err := web.RPCFromURL(u); err != nil || o.URL != "https://host/path/" {
		t.Errorf("RPCFromURL: got %+v, %v", o, err)
	}
	for want, kwargs := range map[string]map[string]any{`"transport"`: {"uri": "http://h", "transport": 1}, "needs a uri": {}} {
		if _, err := web.RPCFromService(nil, kwargs); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("RPCFromService(%v): got %v, want %s", kwargs, err, want)
		}
	}
}
