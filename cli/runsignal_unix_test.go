//go:build unix

package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// runCommandIn gives the command datafs as a process of its own, in a directory
// with a repository that has the archive x, without a terminal.
func runCommandIn(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	dir := t.TempDir()
	var out strings.Builder
	if code := Run(context.Background(), []string{"init", dir}, nil, &out, &out); code != 0 {
		t.Fatal(out.String())
	}
	repo := filepath.Join(dir, ".datafs")
	if code := Run(context.Background(), []string{"--repo", repo, "create", "x"}, nil, &out, &out); code != 0 {
		t.Fatal(out.String())
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Args = append([]string{"datafs", "--repo", repo, "run", "--out", "x=made", "--"}, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return cmd, repo
}

// untilReady starts a program and waits for its line "ready".
func untilReady(t *testing.T, cmd *exec.Cmd) *bufio.Scanner {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("got %q", lines.Text())
	}
	return lines
}

// checkNothingPublished also checks that the temporary directory is gone.
func checkNothingPublished(t *testing.T, repo string) {
	t.Helper()
	var out strings.Builder
	Run(context.Background(), []string{"--repo", repo, "versions", "x"}, nil, &out, &out)
	if got := out.String(); got != "[]\n" {
		t.Errorf("got the versions %s", got)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(repo), "datafs-run-*")); len(left) > 0 {
		t.Errorf("left behind: %s", left)
	}
}

func TestRunPassesSignalsOn(t *testing.T) {
	needShell(t)
	for _, tt := range []struct {
		name   string
		trap   string // what the program does about the signal
		signal syscall.Signal
		want   int
	}{
		{"an interrupt that the program obeys by ending well", "echo got; exit 0", syscall.SIGINT, exitInterrupted},
		{"a termination that it ends with a status of its own after", "echo got; exit 7", syscall.SIGTERM, 7},
		{"one that ends it", "", syscall.SIGTERM, exitSignal + 15},
		{"a hangup", "echo got; exit 0", syscall.SIGHUP, exitInterrupted},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script := "echo new > made; echo ready; while :; do sleep 0.01; done"
			if tt.trap != "" {
				script = fmt.Sprintf("trap '%s' INT TERM HUP; %s", tt.trap, script)
			}
			cmd, repo := runCommandIn(t, "sh", "-c", script)
			lines := untilReady(t, cmd)
			if err := cmd.Process.Signal(tt.signal); err != nil {
				t.Fatal(err)
			}
			got := 0
			for lines.Scan() {
				got++
			}
			cmd.Wait()
			if want := min(1, len(tt.trap)); got != want {
				t.Errorf("the program got %d signals, want %d", got, want)
			}
			if got := cmd.ProcessState.ExitCode(); got != tt.want {
				t.Errorf("got exit code %d, want %d", got, tt.want)
			}
			checkNothingPublished(t, repo)
		})
	}
}

func TestRunEndsTheProgramWhenItsContextEnds(t *testing.T) {
	needShell(t)
	_, repo := runCommandIn(t)
	ctx, cancel := context.WithCancel(context.Background())
	args := []string{"--repo", repo, "run", "--out", "x=made", "--", "sh", "-c", "echo ready; exec sleep 1000"}
	var err strings.Builder
	if got := Run(ctx, args, nil, writerFunc(func(p []byte) { cancel() }), &err); got != exitSignal+9 {
		t.Errorf("got exit code %d: %s", got, &err)
	}
	checkNothingPublished(t, repo)
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) { f(p); return len(p), nil }
