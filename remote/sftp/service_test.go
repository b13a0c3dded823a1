package sftp

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
		"a host":                  {[]any{"h"}, nil, Options{Host: "h", Root: "/"}},
		"a host with its port":    {[]any{"h:2222"}, nil, Options{Host: "h", Port: 2222, Root: "/"}},
		"an IPv6 address":         {[]any{"[::1]:2222"}, nil, Options{Host: "::1", Port: 2222, Root: "/"}},
		"a bare IPv6 address":     {[]any{"::1"}, nil, Options{Host: "::1", Root: "/"}},
		"a pair":                  {[]any{[]any{"h", 22}}, nil, Options{Host: "h", Port: 22, Root: "/"}},
		"a host and a port":       {[]any{"h", "22"}, nil, Options{Host: "h", Port: 22, Root: "/"}},
		"a host and a root path":  {[]any{"h", "data"}, nil, Options{Host: "h", Root: "data"}},
		"all by name":             {nil, kw{"host": "h", "port": "22", "username": "ann", "password": 1234, "root_path": "/d", "create": true, "timeout": 1.5}, Options{Host: "h", Port: 22, User: "ann", Password: "1234", Root: "/d", Create: true, Timeout: 1500 * time.Millisecond}},
		"by PyFilesystem's names": {nil, kw{"connection": "h", "agent_auth": false, "look_for_keys": "no", "hostkey": "ssh-x A"}, Options{Host: "h", Root: "/", NoAgent: true, NoDefaultKeys: true, HostKey: "ssh-x A"}},
		"keys":                    {[]any{"h"}, kw{"pkey": []any{"~/a", "b"}, "private_key": "-----BEGIN X", "passphrase": "p"}, Options{Host: "h", Root: "/", KeyFiles: []string{"~/a", "b"}, Key: "-----BEGIN X", Passphrase: "p"}},
		"a URL":                   {[]any{"sftp://u:p%40@h:22/d/e?create=true"}, nil, Options{Host: "h", Port: 22, User: "u", Password: "p@", Root: "/d/e", Create: true}},
		"a URL and a name":        {[]any{"sftp://h/~/d"}, kw{"user": "u", "password": nil}, Options{Host: "h", User: "u", Root: "d"}},
		"a URL without a path":    {[]any{"sftp://h"}, nil, Options{Host: "h"}},
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
		"an unknown name":     {[]any{"h"}, kw{"colour": "red"}, `"colour"`},
		"two hosts":           {[]any{"h"}, kw{"host": "h"}, "twice"},
		"a name and its like": {[]any{"h"}, kw{"user": "a", "username": "b"}, "the same"},
		"a bad port":          {[]any{"h"}, kw{"port": "ssh"}, "port"},
		"a bad port of host":  {[]any{"h:ssh"}, nil, "port"},
		"a list for a string": {[]any{"h"}, kw{"user": []any{"a"}}, "user"},
		"a bad flag":          {[]any{"h"}, kw{"create": "perhaps"}, "create"},
		"an unknown query":    {[]any{"sftp://h/?colour=red"}, nil, `"colour"`},
		"a password in query": {[]any{"sftp://h/?password=secret"}, nil, `"password"`},
		"a URL that is none":  {[]any{"sftp://u:secret@h:x y/"}, nil, "no URL"},
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
	for _, text := range []string{"sftp://h", "sftp://h:22/a/b", "sftp://[::1]:22/", "sftp://h/~/a", "sftp://u:secret@h/a"} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		o, err := FromURL(u)
		if err != nil {
			t.Fatal(err)
		}
		a := open(t, o)
		if got, want := fmt.Sprint(a), strings.Replace(text, "u:secret@", "", 1); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestRootBelowHome(t *testing.T) {
	for root, want := range map[string]string{"~": "sftp://h", "~/a": "sftp://h/~/a", "a/": "sftp://h/~/a", "/~": "sftp://h/~"} {
		if got := fmt.Sprint(open(t, &Options{Host: "h", Root: root})); got != want {
			t.Errorf("root %q: got %s, want %s", root, got, want)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, o := range []Options{{}, {Host: "-oProxyCommand=x"}, {Host: "h", Root: "a\nb"}, {Host: "h", Port: -1}, {Host: "h\r"}, {Host: "h", User: "\x00"}} {
		if _, err := Open(t.Context(), &o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
}

func FuzzWildcard(f *testing.F) {
	f.Add("*.example.?", "a.example.c")
	f.Add("a*b*c", "aXbYbZc")
	f.Add("**", "")
	f.Fuzz(func(t *testing.T, pattern, name string) {
		if len(pattern) > 20 || len(name) > 20 {
			return
		}
		name = strings.ToLower(name)
		if got, want := wildcard(pattern, name), wildcardPlain(pattern, name); got != want {
			t.Errorf("wildcard(%q, %q): got %v, want %v", pattern, name, got, want)
		}
		matches([]string{pattern, "|1|" + pattern}, name)
	})
}

func wildcardPlain(pattern, name string) bool {
	switch {
	case pattern == "":
		return name == ""
	case pattern[0] == '*':
		return wildcardPlain(pattern[1:], name) || name != "" && wildcardPlain(pattern, name[1:])
	case name == "":
		return false
	}
	return (pattern[0] == '?' || lower(pattern[0]) == name[0]) && wildcardPlain(pattern[1:], name[1:])
}
