package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures/servers"
)

// onS3 is the environment of users of an S3 server.
func onS3(srv *servers.S3Server) []string {
	return []string{
		"AWS_ENDPOINT_URL=" + srv.Endpoint,
		"AWS_ACCESS_KEY_ID=" + srv.AccessKey, "AWS_SECRET_ACCESS_KEY=" + srv.SecretKey,
	}
}

// TestServerTeamOnS3 runs what docs/team.md shows of a bucket.
func TestServerTeamOnS3(t *testing.T) {
	needShell(t)
	srv := servers.S3(t)
	srv.CreateBucket(t, "our-bucket")
	const page = "../docs/team.md"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := pageSteps(string(data), "```console s3")
	if err != nil {
		t.Fatal(err)
	}
	runPage(t, page, string(data), steps, onS3(srv)...)
}

// userOnS3 makes a home directory with the bucket as authority.
func userOnS3(t *testing.T, bucket string) (home string) {
	t.Helper()
	return userWith(t, fmt.Sprintf("authorities: {team: 's3://%s/prefix'}\n", bucket))
}

// userWith makes a home directory with a configuration.
func userWith(t *testing.T, config string) (home string) {
	t.Helper()
	home = t.TempDir()
	dir := filepath.Join(home, ".config", "datafs")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// shell runs a script for a user.
func shell(home string, env []string, script string) *exec.Cmd {
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir, cmd.Env = home, append(cleanEnv(home), env...)
	return cmd
}

// crowd has eight users, each a process, write versions of one archive and of
// their own ones and push each, while another one reads what comes. Each version
// must be there once, and each tag and metadata key.
func crowd(t *testing.T, config string, env []string, each int) {
	t.Helper()
	const users = 8
	first := shell(userWith(t, config), env, "datafs create x && datafs push")
	if out, err := first.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	type end struct {
		out string
		err error
	}
	ends := make(chan end, users)
	for i := range users {
		script := fmt.Sprintf(`datafs -q pull
datafs -q create own%[2]d
for n in $(seq %[1]d); do
	echo "user %[2]d, number $n" > f
	datafs -q update x f --key-%[2]d-$n set
	datafs -q update own%[2]d f
	test $((n %% 5)) -gt 0 || datafs -q add_tags x tag-%[2]d-$n
	until datafs -q push --renumber; do test $? = 4; done
done`, each, i)
		cmd := shell(userWith(t, config), env, script)
		go func() {
			out, err := cmd.CombinedOutput()
			ends <- end{string(out), err}
		}()
	}
	reader := userWith(t, config)
	look := func(script string) []string {
		out, err := shell(reader, env, "datafs -q pull\n"+script).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return strings.Split(strings.TrimSpace(string(out)), "\n")
	}
	const readX = `for v in $(datafs versions x | tr -d "[]',"); do datafs cat x --version $v; done`
	for running := users; running > 0; {
		select {
		case e := <-ends:
			if running--; e.err != nil {
				t.Errorf("%v: %s", e.err, e.out)
			}
		case <-time.After(time.Second): // a reader who did nothing else would take a core
			look(readX)
		}
	}
	want := func(what string, lines []string, n int) {
		t.Helper()
		seen := map[string]bool{}
		for _, line := range lines {
			seen[line] = true
		}
		if len(lines) != n || len(seen) != n {
			t.Errorf("%s: %d, of which %d differ, want %d", what, len(lines), len(seen), n)
		}
	}
	want("contents of x", look(readX), users*each)
	want("tags", look(`datafs get_tags x | grep -o 'tag-[0-9-]*'`), users*each/5)
	want("keys", look(`datafs --json metadata x | grep key-`), users*each)
	want("own versions", look(fmt.Sprintf(`for i in $(seq 0 %d); do datafs versions own$i | grep -o '[0-9.]*' | sed "s/^/$i /"; done`, users-1)), users*each)
}

func TestServerEightPushToOneBucket(t *testing.T) {
	needShell(t)
	srv := servers.S3(t)
	crowd(t, fmt.Sprintf("authorities: {team: 's3://%s/prefix'}\n", srv.NewBucket(t)), onS3(srv), 25)
}

// TestServerThatWillNot asks a bucket for what it refuses: one line, the right
// code, and no secret.
func TestServerThatWillNot(t *testing.T) {
	needShell(t)
	srv := servers.S3(t)
	tests := []struct {
		name, bucket string
		env          string
		exit         int
		text         string
	}{
		{"a wrong secret", srv.NewBucket(t), "AWS_SECRET_ACCESS_KEY=hushhush", 7, "SignatureDoesNotMatch"},
		{"an unknown key", srv.NewBucket(t), "AWS_ACCESS_KEY_ID=nobody", 7, "does not know the access key of the environment"},
		{"a profile that is not there", srv.NewBucket(t), "AWS_PROFILE=nowhere", 7, "nowhere"},
		{"a missing bucket", "no-such-bucket", "", 6, `bucket "no-such-bucket" is not there`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home := userOnS3(t, tt.bucket)
			env := append(onS3(srv), tt.env)
			cmd := shell(home, env, "datafs -q create x; echo hello > f; datafs -q update x f; datafs -q push")
			out, _ := cmd.CombinedOutput()
			text := string(out)
			if cmd.ProcessState.ExitCode() != tt.exit || !strings.Contains(text, tt.text) {
				t.Errorf("exit %d: %s", cmd.ProcessState.ExitCode(), text)
			}
			if strings.Contains(text, "hushhush") || strings.Contains(text, srv.SecretKey) {
				t.Errorf("it tells the secret: %s", text)
			}
			if out, err := shell(home, nil, "datafs cat x").Output(); string(out) != "hello\n" {
				t.Errorf("what is here: %q, %v", out, err)
			}
		})
	}
}
