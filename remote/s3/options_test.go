package s3

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

// aws gives the test an AWS configuration of its own.
func awsFiles(t *testing.T, config, credentials string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"config": config, "credentials": credentials} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, env := range os.Environ() {
		if name, _, _ := strings.Cut(env, "="); strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // to have it back at the end
			os.Unsetenv(name)
		}
	}
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(dir, "credentials"))
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestFromService(t *testing.T) {
	for name, c := range map[string]struct {
		args   []any
		kwargs map[string]any
		want   Options
	}{
		"a bucket alone":        {[]any{"b"}, nil, Options{Bucket: "b"}},
		"the seed's positional": {[]any{"b", "/p/q/", "K", "S", "/"}, nil, Options{Bucket: "b", Prefix: "p/q", AccessKey: "K", SecretKey: "S"}},
		"the seed's keywords": {[]any{"b"}, map[string]any{"prefix": nil, "aws_access_key": "K", "aws_secret_key": "S", "thread_synchronize": true, "key_sync_timeout": 1},
			Options{Bucket: "b", AccessKey: "K", SecretKey: "S"}},
		"a keyword for what was nothing": {[]any{"b", ""}, map[string]any{"prefix": "p"}, Options{Bucket: "b", Prefix: "p"}},
		"all": {nil, map[string]any{"bucket": "b", "endpoint_url": "http://h:1", "region_name": "eu-west-1", "profile_name": 123, "addressing_style": "virtual",
			"aws_access_key_id": "K", "aws_secret_access_key": "S", "aws_session_token": "T"},
			Options{Bucket: "b", Endpoint: "http://h:1", Region: "eu-west-1", Profile: "123", Addressing: "virtual", AccessKey: "K", SecretKey: "S", SessionToken: "T"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := FromService(c.args, c.kwargs); err != nil || *got != c.want {
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			}
		})
	}
}

func TestFromServiceRefuses(t *testing.T) {
	for want, kwargs := range map[string]map[string]any{
		`no argument "buckett"`:      {"buckett": "b"},
		"needs the name of a bucket": {},
		"no name of a bucket":        {"bucket": "a/b"},
		"empty part":                 {"bucket": "b", "prefix": "a//b"},
		"one of dots":                {"bucket": "b", "prefix": "a/../b"},
		"needs its secret key":       {"bucket": "b", "aws_access_key": "K"},
		"given twice":                {"bucket": "b", "region": "x", "region_name": "y"},
		"must be a string":           {"bucket": []any{}},
		"separator must be":          {"bucket": "b", "separator": "-"},
		"addressing style":           {"bucket": "b", "addressing_style": "odd"},
		"an endpoint is like":        {"bucket": "b", "endpoint_url": "http://me:s3cr3t@h"},
	} {
		_, err := FromService(nil, kwargs)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("FromService(%v): got %v, want %s", kwargs, err, want)
		}
	}
	if _, err := FromService([]any{"b", "", "", "", "/", 1}, nil); err == nil {
		t.Error("too many arguments: no error")
	}
}

func TestFromURL(t *testing.T) {
	parse := func(s string) (*Options, error) {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return FromURL(u)
	}
	got, err := parse("s3://b/p/q/?endpoint=http://127.0.0.1:9000&region=r&profile=x&addressing=path")
	want := Options{Bucket: "b", Prefix: "p/q", Endpoint: "http://127.0.0.1:9000", Region: "r", Profile: "x", Addressing: "path"}
	if err != nil || *got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if got, err := parse("s3://b"); err != nil || *got != (Options{Bucket: "b"}) {
		t.Errorf("got %+v, %v, want the bucket alone", got, err)
	}
	for s, want := range map[string]string{
		"s3://k:s3cr3t@b/p": "no place in a URL", "s3://b?secret=s3cr3t": `no option "secret"`, "s3:///p": "needs the name",
		"s3://b?endpoint=h:1": "an endpoint is like",
	} {
		if _, err := parse(s); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("FromURL(%s): got %v, want %s", s, err, want)
		}
	}
}

func TestString(t *testing.T) {
	for want, o := range map[string]*Options{"s3://b": {Bucket: "b"}, "s3://b/p/q": {Bucket: "b", Prefix: "/p/q/", AccessKey: "K", SecretKey: "S"}} {
		a, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if _, err := Open(t.Context(), nil); err == nil {
		t.Error("Open of no bucket: no error")
	}
}

func TestTheConfigurationOfAWSIsUsed(t *testing.T) {
	const config = "[default]\nregion = eu-north-1\n[profile far]\nregion = ap-south-1\nendpoint_url = https://s3.example.org\n"
	awsFiles(t, config, "[default]\naws_access_key_id = A\naws_secret_access_key = B\n[far]\naws_access_key_id = FAR\naws_secret_access_key = B\n")
	type view struct {
		who, region, endpoint, key string
		aws, path, whenRequired    bool
	}
	look := func(o *Options) view {
		t.Helper()
		c, err := newClient(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		creds, err := c.creds.Retrieve(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		so := c.Options()
		return view{c.who, c.region, c.endpoint, creds.AccessKeyID, c.aws, so.UsePathStyle, so.RequestChecksumCalculation == 2 && so.ResponseChecksumValidation == 2}
	}
	check := func(name string, o *Options, want view) {
		t.Helper()
		if got := look(o); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	check("the default profile", &Options{}, view{`profile "default"`, "eu-north-1", "AWS", "A", true, false, false})
	check("a profile with an endpoint", &Options{Profile: "far"}, view{`profile "far"`, "ap-south-1", "https://s3.example.org", "FAR", false, true, true})
	check("options go first", &Options{Profile: "far", Region: "r", Endpoint: "http://h:1", Addressing: "virtual"},
		view{`profile "far"`, "r", "http://h:1", "FAR", false, false, true})
	check("an endpoint of AWS", &Options{Endpoint: "https://s3.dualstack.eu-west-1.amazonaws.com", Addressing: "path"},
		view{`profile "default"`, "eu-north-1", "https://s3.dualstack.eu-west-1.amazonaws.com", "A", true, true, false})
	check("keys of the options", &Options{AccessKey: "K", SecretKey: "S"}, view{"the configuration", "eu-north-1", "AWS", "K", true, false, false})
	t.Setenv("AWS_PROFILE", "far")
	t.Setenv("AWS_ENDPOINT_URL", "http://all:1")
	check("a profile and an endpoint of the environment", &Options{}, view{`profile "far"`, "ap-south-1", "http://all:1", "FAR", false, true, true})
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://s3:1")
	t.Setenv("AWS_ACCESS_KEY_ID", "E")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "F")
	check("keys of the environment", &Options{}, view{"the environment", "ap-south-1", "http://s3:1", "E", false, true, true})
	awsFiles(t, "", "[default]\naws_access_key_id = A\naws_secret_access_key = B\n")
	check("no region", &Options{}, view{`profile "default"`, "us-east-1", "AWS", "A", true, false, false})
}

func TestNoSecretIsShown(t *testing.T) {
	remotetest.RunSecret(t, func(secret string) (remote.Authority, error) {
		return Open(t.Context(), &Options{Bucket: "b", Endpoint: "http://127.0.0.1:1", AccessKey: "key", SecretKey: secret, SessionToken: secret})
	})
}
