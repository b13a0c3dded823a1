package cli

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// listener is a server that a hostile configuration names. It has no files, and
// records the requests.
type listener struct {
	*httptest.Server
	mu   sync.Mutex // guards what follows
	asks int
	told []string // headers with credentials
}

func listen(t *testing.T) *listener {
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.asks++
		for _, name := range []string{"Authorization", "X-Amz-Security-Token"} {
			if v := r.Header.Get(name); v != "" {
				l.told = append(l.told, v)
			}
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(l.Close)
	return l
}

func TestAnUntrustedS3AuthorityGetsNoSignature(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are not looked at there")
	}
	oneRun.Lock()
	defer oneRun.Unlock()
	dir := t.TempDir()
	for name, value := range map[string]string{
		"HOME": filepath.Join(dir, "home"), "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session",
		"XDG_CONFIG_HOME": "", "DATAFS_TRUST": "", "DATAFS_REPO": "", "DATAFS_CONFIG_FILE": "",
	} {
		t.Setenv(name, value)
	}
	run := func(args ...string) (int, string) {
		var out strings.Builder
		code := Run(context.Background(), append([]string{"--retry-time", "0", "--repo", dir}, args...), strings.NewReader(""), &out, &out)
		return code, out.String()
	}
	if code, out := run("init", dir); code != 0 {
		t.Fatal(out)
	}
	l := listen(t)
	config := "authorities: {t: {service: S3FS, args: [bucket], kwargs: {endpoint_url: '" + l.URL + "', region_name: us-east-1}}}\n"
	if err := os.WriteFile(filepath.Join(dir, ".datafs", "config.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "home/.config/datafs/trusted")); err != nil {
		t.Fatal(err)
	}
	run("create", "a")
	run("update", "a", "--string", "text")
	for _, command := range []string{"pull", "push"} {
		_, out := run(command)
		if l.asks == 0 || len(l.told) > 0 {
			t.Errorf("%s: %d requests, credentials %q\n%s", command, l.asks, l.told, out)
		}
		l.asks = 0
	}
	if code, out := run("configure", "--trust", dir); code != 0 {
		t.Fatal(out)
	}
	if _, out := run("pull"); len(l.told) == 0 {
		t.Errorf("trusted, and no credentials were sent\n%s", out)
	}
}

func TestNothingPrintedShowsWhatAVariableStandsFor(t *testing.T) {
	oneRun.Lock()
	defer oneRun.Unlock()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("TOKEN", "ghp_secret/of:mine")
	for name, c := range map[string]string{
		"HTTPFS":    "authorities: {t: {service: HTTPFS, args: ['env:TOKEN']}}",
		"DAVFS":     "authorities: {t: {service: DAVFS, args: ['env:URL']}}",
		"OSFS":      "authorities: {t: {service: OSFS, args: ['env:DIR']}}",
		"ZipFS":     "authorities: {t: {service: ZipFS, args: ['env:DIR']}}",
		"S3FS":      "authorities: {t: {service: S3FS, args: ['env:TOKEN']}}",
		"S3 host":   "authorities: {t: {service: S3FS, args: [b], kwargs: {endpoint_url: 'env:URL', aws_access_key: a, aws_secret_key: b}}}",
		"FTPFS":     "authorities: {t: {service: FTPFS, args: ['env:TOKEN']}}",
		"FTP tls":   "authorities: {t: {service: FTPFS, args: [h], kwargs: {port: 'env:TOKEN'}}}",
		"SFTPFS":    "authorities: {t: {service: SFTPFS, args: ['env:TOKEN']}}",
		"mode":      "authorities: {t: {service: OSFS, args: [x], kwargs: {dir_mode: 'env:TOKEN'}}}",
		"RPCFS":     "authorities: {t: {service: RPCFS, args: ['env:URL']}}",
		"mongo":     "manager: {class: MongoDBManager, kwargs: {database_name: d, table_name: 'env:TOKEN'}}",
		"mongo at":  "manager: {class: MongoDBManager, kwargs: {database_name: d, client_kwargs: {host: 'env:HOST', serverSelectionTimeoutMS: 50}}}",
		"dynamo":    "manager: {class: DynamoDBManager, kwargs: {table_name: 'env:TOKEN'}}",
		"dynamo at": "manager: {class: DynamoDBManager, kwargs: {table_name: abc, resource_args: {endpoint_url: 'env:URL', aws_access_key_id: a, aws_secret_access_key: b, region_name: r}}}",
	} {
		t.Setenv("URL", "http://127.0.0.1:1/ghp_secret/of_mine")
		t.Setenv("DIR", filepath.Join(dir, "ghp_secret"))
		t.Setenv("HOST", "ghp_secret.invalid:1")
		file := filepath.Join(t.TempDir(), "config.yml")
		if err := os.WriteFile(file, []byte(c+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"pull", "doctor"} {
			var out strings.Builder
			code := Run(context.Background(), []string{"--retry-time", "0", "--config-file", file, command}, strings.NewReader(""), &out, &out)
			if code == 0 || strings.Contains(out.String(), "ghp_secret") {
				t.Errorf("%s: %s: exit code %d\n%s", name, command, code, &out)
			}
		}
	}
}
