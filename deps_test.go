package datafs_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// direct are the modules that the program may use directly. docs/dependencies.md
// says why each is there.
var direct = []string{
	"github.com/agnivade/levenshtein",
	"github.com/aws/aws-sdk-go-v2",
	"github.com/aws/aws-sdk-go-v2/config",
	"github.com/aws/aws-sdk-go-v2/credentials",
	"github.com/aws/aws-sdk-go-v2/service/dynamodb",
	"github.com/aws/aws-sdk-go-v2/service/s3",
	"github.com/aws/smithy-go",
	"github.com/gofrs/flock",
	"github.com/jlaffaye/ftp",
	"github.com/kevinburke/ssh_config",
	"github.com/klauspost/compress",
	"github.com/pkg/sftp",
	"github.com/rogpeppe/go-internal",
	"github.com/urfave/cli/v2",
	"github.com/zeebo/blake3",
	"go.etcd.io/bbolt",
	"go.mongodb.org/mongo-driver/v2",
	"go.yaml.in/yaml/v3",
	"golang.org/x/crypto",
	"golang.org/x/net",
	"golang.org/x/sync",
	"golang.org/x/sys",
	"golang.org/x/term",
	"golang.org/x/text",
	"golang.org/x/time",
	"lukechampine.com/blake3",
}

func goList(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list"}, args...)...).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestNothingShippedImportsTestsOrFixtures(t *testing.T) {
	for _, dep := range goList(t, "-deps", "./cli/datafs") {
		if dep == "testing" || strings.HasPrefix(dep, module+"/fixtures") || strings.HasPrefix(dep, "github.com/rogpeppe") {
			t.Errorf("the program links %s", dep)
		}
	}
}

// TestTheLibraryLinksNoSDK: who wants S3, SFTP or FTP imports their packages.
func TestTheLibraryLinksNoSDK(t *testing.T) {
	for _, dep := range goList(t, "-deps", ".") {
		for _, sdk := range []string{"github.com/aws/", "github.com/pkg/sftp", "github.com/jlaffaye/", "golang.org/x/crypto/ssh", "go.mongodb.org/"} {
			if strings.HasPrefix(dep, sdk) {
				t.Errorf("the library links %s", dep)
			}
		}
	}
}

func TestDirectDependenciesAreThoseOnTheList(t *testing.T) {
	got := goList(t, "-m", "-f", "{{if and (not .Indirect) (not .Main)}}{{.Path}}{{end}}", "all")
	got = slices.DeleteFunc(got, func(s string) bool { return s == "" })
	slices.Sort(got)
	if !slices.Equal(got, direct) {
		t.Errorf("got  %q\nwant %q", got, direct)
	}
}
