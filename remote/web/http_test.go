package web_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
	"github.com/datafs/datafs/remote/web"
)

func openHTTP(t *testing.T, url string) remote.Authority {
	t.Helper()
	a, err := web.OpenHTTP(&web.HTTPOptions{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// webServer gives the address of a server that a handler answers.
func webServer(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s.URL
}

func webFiles(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestHTTP(t *testing.T) {
	remotetest.RunReadOnly(t, func(t *testing.T, files map[string][]byte) remote.Authority {
		handler := http.StripPrefix("/base", http.FileServer(http.Dir(webFiles(t, files))))
		return openHTTP(t, webServer(t, handler.ServeHTTP)+"/base/")
	})
}

func TestHTTPWithoutRanges(t *testing.T) {
	remotetest.RunReadOnly(t, func(t *testing.T, files map[string][]byte) remote.Authority {
		handler := http.FileServer(http.Dir(webFiles(t, files)))
		return openHTTP(t, webServer(t, func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Range")
			handler.ServeHTTP(w, r)
		}))
	})
}

func TestServerHTTP(t *testing.T) {
	for _, base := range []string{"", "/unranged"} {
		t.Run("nginx"+base, func(t *testing.T) {
			remotetest.RunReadOnly(t, func(t *testing.T, files map[string][]byte) remote.Authority {
				return openHTTP(t, servers.Static(t, webFiles(t, files))+base)
			})
		})
	}
	t.Run("nginx refuses", func(t *testing.T) {
		a := openHTTP(t, servers.Static(t, webFiles(t, map[string][]byte{"dir/a": nil})))
		if _, err := a.Get(t.Context(), "forbidden/a", 0, -1); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v, want fs.ErrPermission", err)
		}
		if _, err := a.Get(t.Context(), "dir", 0, -1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a directory: got %v, want fs.ErrNotExist", err)
		}
	})
}

func TestHTTPStatus(t *testing.T) {
	a := openHTTP(t, webServer(t, func(w http.ResponseWriter, r *http.Request) {
		var code int
		fmt.Sscanf(r.URL.Path, "/%d", &code)
		w.WriteHeader(code)
	}))
	for code, want := range map[int]error{
		401: fs.ErrPermission, 403: fs.ErrPermission, 404: fs.ErrNotExist,
		429: remote.ErrUnavailable, 500: remote.ErrUnavailable, 503: remote.ErrUnavailable,
	} {
		_, err := a.Get(t.Context(), fmt.Sprint(code), 10, 10)
		if !errors.Is(err, want) {
			t.Errorf("%d: got %v, want %v", code, err, want)
		}
	}
	r, err := a.Get(t.Context(), "416", 10, 10)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); len(got) != 0 || err != nil {
		t.Errorf("416: got %q, %v, want nothing", got, err)
	}
}

func TestHTTPShortBody(t *testing.T) {
	a := openHTTP(t, webServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/broken" {
			w.Header().Set("Content-Length", "100")
		} else {
			w.Header().Set("Content-Range", "bytes 10-14/100")
			w.WriteHeader(http.StatusPartialContent)
		}
		io.WriteString(w, "12345")
	}))
	for name, off := range map[string]int64{"broken": 0, "shortened": 10} {
		r, err := a.Get(t.Context(), name, off, 50)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if string(got) != "12345" || !errors.Is(err, remote.ErrUnavailable) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %q, %v, want ErrUnavailable", name, got, err)
		}
	}
	if _, err := a.Get(t.Context(), "shortened", 20, 50); err == nil {
		t.Error("a part that begins elsewhere was taken")
	}
}

func TestHTTPSecrets(t *testing.T) {
	var user, password, query string
	base := webServer(t, func(w http.ResponseWriter, r *http.Request) {
		user, password, _ = r.BasicAuth()
		query = r.URL.RawQuery
		w.WriteHeader(500)
	})
	a := openHTTP(t, strings.Replace(base, "://", "://me:hunter2@", 1)+"/x?sig=token7")
	_, err := a.Get(t.Context(), "a", 0, -1)
	if user != "me" || password != "hunter2" || query != "sig=token7" {
		t.Errorf("sent %s:%s?%s", user, password, query)
	}
	a2 := openHTTP(t, "http://me:hunter2@127.0.0.1:1/?sig=token7")
	_, err2 := a2.Get(t.Context(), "a", 0, -1)
	for _, err := range []error{err, err2} {
		if !errors.Is(err, remote.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "token7") {
			t.Errorf("got %v, want ErrUnavailable without secrets", err)
		}
	}
}

func TestHTTPRedirects(t *testing.T) {
	plain := webServer(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "plain") })
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain+"/elsewhere", http.StatusFound)
	}))
	defer secure.Close()
	a, err := web.OpenHTTP(&web.HTTPOptions{URL: secure.URL, Client: secure.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := a.Get(t.Context(), "a", 0, -1); err == nil {
		r.Close()
		t.Error("a redirect from https to http was followed")
	}
	b := openHTTP(t, webServer(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, plain+"/elsewhere", http.StatusFound)
	}))
	r, err := b.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); string(got) != "plain" {
		t.Errorf("got %q, %v, want plain", got, err)
	}
}

func TestHTTPListing(t *testing.T) {
	a := openHTTP(t, "http://127.0.0.1:1/")
	for _, err := range a.List(t.Context(), "") {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v, want errors.ErrUnsupported", err)
		}
	}
}

func TestHTTPBodyHonoursContext(t *testing.T) {
	a := openHTTP(t, webServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	ctx, cancel := context.WithCancel(t.Context())
	r, err := a.Get(ctx, "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := io.ReadAll(r); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestOptionsOfHTTP(t *testing.T) {
	got, err := web.HTTPFromService([]any{"https://host/x"}, map[string]any{"user": "me", "password": 12})
	if err != nil || *got != (web.HTTPOptions{URL: "https://host/x", Username: "me", Password: "12"}) {
		t.Errorf("HTTPFS: got %+v, %v", got, err)
	}
}

func TestNoSecretIsShown(t *testing.T) {
	for name, open := range map[string]func(secret string) (remote.Authority, error){
		"http": func(secret string) (remote.Authority, error) {
			return web.OpenHTTP(&web.HTTPOptions{URL: "http://u:" + secret + "@127.0.0.1:1/files?token=" + secret})
		},
		"http with a password": func(secret string) (remote.Authority, error) {
			return web.OpenHTTP(&web.HTTPOptions{URL: "http://127.0.0.1:1", Username: "u", Password: secret})
		},
		"dav": func(secret string) (remote.Authority, error) {
			return web.OpenDAV(&web.DAVOptions{URL: "http://u:" + secret + "@127.0.0.1:1/files"})
		},
		"dav with a password": func(secret string) (remote.Authority, error) {
			return web.OpenDAV(&web.DAVOptions{URL: "http://127.0.0.1:1", Username: "u", Password: secret})
		},
		"rpc": func(secret string) (remote.Authority, error) {
			return web.OpenRPC(&web.RPCOptions{URL: "http://u:" + secret + "@127.0.0.1:1"})
		},
	} {
		t.Run(name, func(t *testing.T) { remotetest.RunSecret(t, open) })
	}
	for _, address := range []string{"http://host/?token=s3cr3t", "ftp://u:s3cr3t@host/?token=s3cr3t", "http://u:s3cr3t@ho st/"} {
		_, davErr := web.OpenDAV(&web.DAVOptions{URL: address})
		_, rpcErr := web.OpenRPC(&web.RPCOptions{URL: address})
		for _, err := range []error{davErr, rpcErr} {
			if err == nil || strings.Contains(err.Error(), "s3cr3t") {
				t.Errorf("%s: got %v, want an error that shows no secret", address, err)
			}
		}
	}
}
