package all

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/remote/config"
)

// testEnv is an environment with an empty home directory.
func testEnv(t *testing.T) func(string) string {
	home := t.TempDir()
	return func(name string) string { return map[string]string{"HOME": home}[name] }
}

func TestOpenAuthorityKnowsEveryKind(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		name    string
		service config.Service
		want    string
	}{
		{"a bucket", config.Service{Service: "S3FS", Args: []any{"bucket", "pre"}}, "s3://bucket/pre"},
		{"a bucket's URL", config.Service{URL: "s3://bucket/pre?endpoint=http://localhost:1"}, "s3://bucket/pre"},
		{"an SFTP server", config.Service{Service: "SFTPFS", Args: []any{"host", "/data"}, Kwargs: map[string]any{"password": "xyzzy"}}, "sftp://host/data"},
		{"an SFTP server's URL", config.Service{URL: "sftp://me@host:2022/data"}, "sftp://host:2022/data"},
		{"an FTP server", config.Service{Service: "FTPFS", Args: []any{"host"}, Kwargs: map[string]any{"passwd": "xyzzy"}}, "ftp://host"},
		{"an FTP server's URL", config.Service{URL: "ftp://host/data"}, "ftp://host/data"},
		{"an FTPS server's URL", config.Service{URL: "ftps://host/data"}, "host/data"},
		{"a directory of the library", config.Service{Service: "OSFS", Args: []any{dir}}, dir},
		{"a directory's URL", config.Service{URL: "file://" + filepath.ToSlash(dir)}, dir},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := config.With(Kinds()).OpenAuthority(t.Context(), tt.service, testEnv(t))
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			if got := fmt.Sprint(a); !strings.Contains(got, tt.want) || strings.Contains(got, "xyzzy") {
				t.Errorf("got %q, want %q in it", got, tt.want)
			}
		})
	}
}

func TestOpenAuthorityRefuses(t *testing.T) {
	tests := []struct {
		name    string
		service config.Service
		want    string
	}{
		{"an argument that nobody knows", config.Service{Service: "SFTPFS", Args: []any{"host"}, Kwargs: map[string]any{"colour": "red"}}, "colour"},
		{"a URL that cannot be read", config.Service{URL: "s3://user:xyzzy@[host/"}, "URL"},
		{"a scheme that nobody knows", config.Service{URL: "gopher://host/"}, "gopher"},
		{"a service that nobody knows", config.Service{Service: "TapeFS"}, "TapeFS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := config.With(Kinds()).OpenAuthority(t.Context(), tt.service, testEnv(t))
			if err == nil {
				a.Close()
				t.Fatal("it was opened")
			}
			if got := err.Error(); !strings.Contains(got, tt.want) || strings.Contains(got, "xyzzy") {
				t.Errorf("got %q, want %q in it", got, tt.want)
			}
		})
	}
}
