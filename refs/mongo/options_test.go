package mongo

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

type kw = map[string]any

func TestServicesAreReadAsThePythonProgramWritesThem(t *testing.T) {
	cases := []struct {
		name   string
		kwargs kw
		want   Options
	}{
		{"as little as may be", kw{"database_name": "db"}, Options{URI: "mongodb://localhost/", Database: "db"}},
		{"a host and a port", kw{"database_name": "db", "table_name": "t", "client_kwargs": kw{"host": "h", "port": 27018}},
			Options{URI: "mongodb://h:27018/", Database: "db", Table: "t"}},
		{"a host with its port", kw{"database_name": "db", "client_kwargs": kw{"host": "h:1", "port": 2}}, Options{URI: "mongodb://h:1/", Database: "db"}},
		{"several hosts", kw{"database_name": "db", "client_kwargs": kw{"host": []any{"a", "[::1]", "b:2"}, "port": 3, "replicaSet": "rs0"}},
			Options{URI: "mongodb://a:3,[::1]:3,b:2/?replicaSet=rs0", Database: "db"}},
		{"a user", kw{"database_name": "db", "client_kwargs": kw{"username": "u", "password": "p w+/@:%", "authSource": "admin"}},
			Options{URI: "mongodb://localhost/?authSource=admin", Database: "db", Username: "u", Password: "p w+/@:%"}},
		{"a URI", kw{"database_name": "db", "client_kwargs": kw{"host": "mongodb://u:p@h", "port": 1, "tls": true}},
			Options{URI: "mongodb://u:p@h/?tls=true", Database: "db"}},
		{"an option before that of the URI", kw{"database_name": "db", "client_kwargs": kw{"host": "mongodb://h/auth?appname=x&tls=true", "appName": "y"}},
			Options{URI: "mongodb://h/auth?appName=y&tls=true", Database: "db"}},
		{"what is for Python, or null", kw{"database_name": "db", "table_name": nil, "client_kwargs": kw{"connect": false, "w": 1, "tz_aware": true, "port": nil, "socketTimeoutMS": 1500}},
			Options{URI: "mongodb://localhost/", Database: "db", Timeout: 1500 * time.Millisecond}},
		{"a host to be looked up", kw{"database_name": "db", "client_kwargs": kw{"host": "mongodb+srv://c.example.com"}},
			Options{URI: "mongodb+srv://c.example.com/", Database: "db"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := FromService(nil, c.kwargs)
			if err != nil {
				t.Fatal(err)
			}
			if *got != c.want {
				t.Errorf("got %+v, want %+v", *got, c.want)
			}
		})
	}
}

func TestServicesThatCanNeverWorkAreRefused(t *testing.T) {
	cases := []struct {
		name   string
		args   []any
		kwargs kw
		want   string
	}{
		{"no database", nil, kw{}, "MongoDBManager: needs database_name"},
		{"an argument without a name", []any{"x"}, kw{"database_name": "d"}, "takes no arguments"},
		{"an unknown argument", nil, kw{"database_name": "d", "tabel_name": "x"}, `"tabel_name"`},
		{"an unknown argument of the client", nil, kw{"database_name": "d", "client_kwargs": kw{"hsot": "x"}}, `"hsot"`},
		{"a broken database", nil, kw{"database_name": "a b"}, "is no name of a database"},
		{"a table that is a part of one", nil, kw{"database_name": "d", "table_name": "x.log"}, "is no name of a table"},
		{"a table with a dollar", nil, kw{"database_name": "d", "table_name": "x$"}, "is no name of a table"},
		{"a mapping that is none", nil, kw{"database_name": "d", "client_kwargs": "h"}, "must be a mapping"},
		{"a host that is no name", nil, kw{"database_name": "d", "client_kwargs": kw{"host": kw{}}}, "host must be a string"},
		{"another's URI", nil, kw{"database_name": "d", "client_kwargs": kw{"host": "http://u:secret@h"}}, "a URI is like"},
		{"a password that is not escaped", nil, kw{"database_name": "d", "client_kwargs": kw{"host": "mongodb://u:%secret@h"}}, "a URI is like"},
		{"a password with a slash", nil, kw{"database_name": "d", "client_kwargs": kw{"host": "mongodb://u:secret/x@h"}}, "a URI is like"},
		{"a host without a name", nil, kw{"database_name": "d", "client_kwargs": kw{"host": []any{"a", ""}}}, "a URI is like"},
		{"a password without a user", nil, kw{"database_name": "d", "client_kwargs": kw{"password": "secret"}}, "needs its username"},
		{"an option twice", nil, kw{"database_name": "d", "client_kwargs": kw{"ssl": true, "tls": true}}, "tls twice"},
		{"an option of a wrong value", nil, kw{"database_name": "d", "client_kwargs": kw{"maxPoolSize": "many", "username": "u", "password": "secret"}}, "maxPoolSize"},
		{"a file that is not there", nil, kw{"database_name": "d", "client_kwargs": kw{"tlsCAFile": "/none/ca.pem"}}, "/none/ca.pem"},
		{"an endless time", nil, kw{"database_name": "d", "client_kwargs": kw{"socketTimeoutMS": -1}}, "milliseconds"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o, err := FromService(c.args, c.kwargs)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got %+v %v, want %q", o, err, c.want)
			}
		})
	}
}

func TestURLsAreRead(t *testing.T) {
	cases := []struct {
		url, want, table string
		user             string
	}{
		{"mongodb://h/db?table=t", "mongodb://h/db", "t", ""},
		{"mongodb://a:1,b:2/db?replicaSet=rs0&tls=true&w=1&table=t", "mongodb://a:1,b:2/db", "t", ""},
		{"mongodb://ann:secret@h/db", "mongodb://h/db", "", "ann"},
		{"mongodb+srv://a%40b:secret@c.example.com/db", "mongodb+srv://c.example.com/db", "", "a@b"},
	}
	for _, c := range cases {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		o, err := FromURL(u)
		if err != nil {
			t.Errorf("%s: %v", c.url, err)
			continue
		}
		if o.String() != c.want || o.Table != c.table || o.user() != c.user {
			t.Errorf("%s: got %s, table %q, user %q", c.url, o, o.Table, o.user())
		}
	}
}

func TestURLsThatCanNeverWorkAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"mongodb://u:secret@h":                 "needs the name of a database",
		"mongodb://u:secret@h/a/b":             "a URI is like",
		"mongodb://u:secret@h/db?tabel=x":      `"tabel"`,
		"mongodb://u:secret@h/db?table=x.spec": "is no name of a table",
		"mongodb:///db":                        "a URI is like",
		"mongodb://u:12/secret@h":              "a URI is like",
		"mongodb://u:12?secret@h/db":           "a URI is like",
		"mysql://h/db":                         "a URI is like",
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if o, err := FromURL(u); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v %v, want %q", text, o, err, want)
		}
	}
}

// TestTheDriverGetsTheUserAsGiven: with all that means something in a URI.
func TestTheDriverGetsTheUserAsGiven(t *testing.T) {
	o := &Options{URI: "mongodb://other:one@h/auth?tls=true", Database: "db", Username: "a b@:/%+", Password: "?#[]é+ @/:%41"}
	c, err := o.client()
	if err != nil {
		t.Fatal(err)
	}
	want := options.Credential{Username: o.Username, Password: o.Password, PasswordSet: true, AuthSource: "auth"}
	if c.Auth == nil || c.Auth.Username != want.Username || c.Auth.Password != want.Password || c.Auth.AuthSource != want.AuthSource || c.TLSConfig == nil {
		t.Errorf("got %+v, want %+v", c.Auth, want)
	}
	if got := o.String(); got != "mongodb://h/db" {
		t.Errorf("got %s", got)
	}
}
