package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/gofrs/flock"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"
)

const scripts = "../fixtures/script"

// TestMain makes this program the command datafs where it is called so, and
// the tools that damage files. An exit code that the command's help does not list
// becomes one that no transcript has.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"datafs":   func() { os.Exit(exitListed(Main())) },
		"fillfile": fillFile,
		"flipbit":  flipBit,
		"cutfile":  cutFile,
	})
}

// TestScript runs the transcripts. Each has an empty home directory, $WORK/home,
// no settings, and these commands besides those of testscript:
//
//	console FILE        runs a console (see consoleStep) of this script
//	code N COMMAND ...  runs a command, whose exit code must be N
//	hold FILE           holds the lock of a file until the script ends
//	damaged             no deep check of the repositories when the script ends
//
// The programs fillfile, flipbit and cutfile are there, too.
func TestScript(t *testing.T) {
	needShell(t)
	testscript.Run(t, testscript.Params{
		Dir:                scripts,
		Setup:              setupScript,
		Condition:          scriptCondition,
		RequireUniqueNames: true,
		UpdateScripts:      *update,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"console": consoleCommand,
			"code":    codeCommand,
			"hold":    holdCommand,
			"damaged": func(ts *testscript.TestScript, _ bool, _ []string) { *ts.Value("damaged").(*bool) = true },
		},
	})
}

func setupScript(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, "home")
	e.Vars = append(e.Vars, "HOME="+home)
	e.Vars = append(e.Vars, plainEnv...)
	damaged := false
	e.Values["damaged"] = &damaged
	e.Defer(func() {
		if t := e.T().(testing.TB); !damaged && !t.Failed() {
			checkRepositories(t, e.WorkDir)
		}
	})
	return os.MkdirAll(home, 0o700)
}

// oneRun is held for each Run: there may be but one at once in a process.
var oneRun sync.Mutex

// checkRepositories checks every repository below a directory deeply.
func checkRepositories(t testing.TB, dir string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "datafs.json" || !isRepository(filepath.Dir(path)) {
			return err
		}
		var out strings.Builder
		oneRun.Lock()
		code := Run(context.Background(), []string{"--repo", filepath.Dir(path), "fsck", "--full"}, nil, &out, &out)
		oneRun.Unlock()
		if code != 0 {
			t.Errorf("fsck of %s when the test ended: exit code %d\n%s", filepath.Dir(path), code, &out)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// isRepository tells a repository from an authority, which has a datafs.json too.
func isRepository(dir string) bool {
	for _, name := range []string{"journal", "index.db"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// scriptCondition knows [root], for what the super-user is never refused.
func scriptCondition(name string) (bool, error) {
	if name == "root" {
		return runtime.GOOS != "windows" && os.Geteuid() == 0, nil
	}
	return false, fmt.Errorf("unknown condition %q", name)
}

func consoleCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: console FILE")
	}
	text := ts.ReadFile(args[0])
	steps, err := parseConsole(text, 1)
	ts.Check(err)
	results, err := runConsole(ts.MkAbs("."), scriptEnv(ts), steps)
	ts.Check(err)
	wrong := checkConsole(steps, results)
	if *update && len(wrong) > 0 {
		ts.Check(rewriteScript(ts.Name(), args[0], rewriteConsole(text, steps, results, wrong, hideVolatile(ts.Getenv("WORK")))))
		return
	}
	for i := range steps {
		if wrong[i] != "" {
			ts.Fatalf("%s %s", args[0], wrong[i])
		}
	}
}

func scriptEnv(ts *testscript.TestScript) []string {
	env := []string{}
	for _, name := range []string{"HOME", "PATH", "TMPDIR", "LC_ALL", "TZ", "TERM", "GORACE", "WORK", "NO_COLOR", "EDITOR", "VISUAL"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// rewriteScript replaces a file inside a script.
func rewriteScript(script, file, text string) error {
	path := filepath.Join(scripts, script+".txtar")
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	archive := txtar.Parse(data)
	i := slices.IndexFunc(archive.Files, func(f txtar.File) bool { return f.Name == file })
	if i < 0 {
		return fmt.Errorf("no %s in %s", file, path)
	}
	archive.Files[i].Data = []byte(text)
	return os.WriteFile(path, txtar.Format(archive), 0o644)
}

func codeCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND ...")
	}
	want := number(ts, args[0])
	err := ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == want:
	case err == nil && want == 0:
	case err == nil:
		ts.Fatalf("got exit code 0, want %d", want)
	default:
		ts.Fatalf("got %v, want exit code %d", err, want)
	}
}

func number(ts *testscript.TestScript, s string) int {
	n, err := strconv.Atoi(s)
	ts.Check(err)
	return n
}

func holdCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: hold FILE")
	}
	lock := flock.New(ts.MkAbs(args[0]))
	ts.Check(lock.Lock())
	ts.Defer(func() { ts.Check(lock.Unlock()) })
}
