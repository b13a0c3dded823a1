package ftp

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestFromService(t *testing.T) {
	type kw = map[string]any
	for name, c := range map[string]struct {
		args   []any
		kwargs kw
		want   Options
	}{
		"a host":            {[]any{"h"}, nil, Options{Host: "h"}},
		"a host and port":   {[]any{"h:2121"}, nil, Options{Host: "h", Port: 2121}},
		"an IPv6 address":   {[]any{"[::1]:2121"}, nil, Options{Host: "::1", Port: 2121}},
		"all by name":       {nil, kw{"host": "h", "user": "u", "passwd": 12, "acct": "", "port": "21", "timeout": 9, "root": "d", "tls": true, "ca_file": "f", "connections": 2, "create": "yes"}, Options{Host: "h", User: "u", Password: "12", Port: 21, Timeout: 9 * time.Second, Root: "d", TLS: ExplicitTLS, CAFile: "f", Connections: 2, Create: true}},
		"implicit TLS":      {[]any{"h"}, kw{"tls": "implicit"}, Options{Host: "h", TLS: ImplicitTLS}},
		"a URL":             {[]any{"ftp://u:p%40@h:21/d/e?create=true"}, nil, Options{Host: "h", Port: 21, User: "u", Password: "p@", Root: "/d/e", Create: true}},
		"a URL of the home": {[]any{"ftps://h/~/d"}, kw{"user": "u"}, Options{Host: "h", User: "u", Root: "d", TLS: ExplicitTLS}},
		"a URL, implicit":   {[]any{"ftps://h?tls=implicit"}, nil, Options{Host: "h", TLS: ImplicitTLS}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := FromService(c.args, c.kwargs)
			if err != nil || !reflect.DeepEqual(*got, c.want) {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
	for name, c := range map[string]struct {
		args   []any
		kwargs kw
		text   string
	}{
		"no host":             {nil, nil, "needs a host"},
		"two arguments":       {[]any{"h", "u"}, nil, "one argument"},
		"an unknown name":     {[]any{"h"}, kw{"colour": "red"}, `"colour"`},
		"an account":          {[]any{"h"}, kw{"acct": "a"}, "acct"},
		"a bad port":          {[]any{"h:ftp"}, nil, "port"},
		"a bad mode of TLS":   {[]any{"h"}, kw{"tls": "perhaps"}, "tls"},
		"ftps without TLS":    {[]any{"ftps://h/?tls=none"}, nil, "tls=none"},
		"a password in query": {[]any{"ftp://h/?password=secret"}, nil, `"password"`},
		"another scheme":      {[]any{"http://h/"}, nil, "no ftp"},
		"a URL that is none":  {[]any{"ftp://u:secret@h:x y/"}, nil, "no URL"},
		"a bad timeout":       {[]any{"h"}, kw{"timeout": "soon"}, "timeout"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := FromService(c.args, c.kwargs)
			if err == nil || !strings.Contains(err.Error(), c.text) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v, want %q in it, and no secret", err, c.text)
			}
		})
	}
}

func TestLocation(t *testing.T) {
	for _, text := range []string{"ftp://h", "ftps://h:22/a/b", "ftp://[::1]:21/", "ftp://h/~/a", "ftp://u:secret@h/a"} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		o, err := FromURL(u)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := fmt.Sprint(open(t, o)), strings.Replace(text, "u:secret@", "", 1); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRootBelowHome(t *testing.T) {
	for root, want := range map[string]string{"~": "ftp://h", "~/a": "ftp://h/~/a", "a/": "ftp://h/~/a", "/~": "ftp://h/~"} {
		if got := fmt.Sprint(open(t, &Options{Host: "h", Root: root})); got != want {
			t.Errorf("root %q: got %s, want %s", root, got, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, o := range []Options{{}, {Host: "h", Root: "a\r\nDELE b"}, {Host: "h", Port: -1}, {Host: "h\n"}, {Host: "h", User: "\x00"}, {Host: "h", Password: "secret\n"}} {
		if _, err := Open(t.Context(), &o); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: got %v", o, err)
		}
	}
}
