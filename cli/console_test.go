package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what commands print into transcripts and documents")

// A console is what a person sees in a terminal: commands behind "$ ", their
// further lines behind "> ", and what they print on both streams. In what is
// printed, "..." stands for any text, on a line of its own for any lines. A
// command that fails has its code in a line "(exit 3)" at the end, or is
// followed by "$ echo $?".
type consoleStep struct {
	line    int // in the file
	lines   int // of the whole step
	command string
	want    []string
	exit    int
}

var exitLine = regexp.MustCompile(`^\(exit (\d+)\)$`)

// parseConsole reads a console whose first line is line first of its file. A
// line that begins with "# " behind an empty one is a comment.
func parseConsole(text string, first int) ([]consoleStep, error) {
	var steps []consoleStep
	free := true // the line belongs to no step
	before := ""
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		free = free || before == "" && strings.HasPrefix(line, "# ")
		before = line
		switch command, ok := strings.CutPrefix(line, "$ "); {
		case ok:
			steps = append(steps, consoleStep{line: first + i, lines: 1, command: command})
			free = false
		case !free:
			steps[len(steps)-1].add(line)
		case line != "" && !strings.HasPrefix(line, "#"):
			return nil, fmt.Errorf("line %d: no command before %q", first+i, line)
		}
	}
	return steps, nil
}

// add takes a line behind the first one.
func (s *consoleStep) add(line string) {
	s.lines++
	if more, ok := strings.CutPrefix(line, ">"); ok && len(s.want) == 0 && s.continued() {
		s.command += "\n" + strings.TrimPrefix(more, " ")
	} else if m := exitLine.FindStringSubmatch(line); m != nil {
		s.exit, _ = strconv.Atoi(m[1])
	} else {
		s.want = append(s.want, line)
	}
}

// continued holds for a command that goes on in the next line.
func (s *consoleStep) continued() bool {
	if tag, _, ok := strings.Cut(s.command, "\n"); ok && strings.Contains(tag, "<<") {
		_, end, _ := strings.Cut(tag, "<<")
		return !strings.HasSuffix(s.command, "\n"+strings.Trim(end, "'\""))
	}
	return strings.HasSuffix(s.command, `\`) || strings.Contains(s.command, "<<") || strings.Count(s.command, "'")%2 == 1
}

// expected is the step's expectation as a pattern.
func (s *consoleStep) expected() *regexp.Regexp {
	text := strings.TrimRight(strings.Join(s.want, "\n"), "\n")
	var b strings.Builder
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		last := i == len(lines)-1
		if gap := strings.TrimSpace(line) == "..."; gap && last {
			b.WriteString(`(?s:.*)`)
			continue
		} else if gap {
			b.WriteString(`(?s:(?:.*\n)?)`)
			continue
		}
		parts := strings.Split(line, "...")
		for j := range parts {
			parts[j] = regexp.QuoteMeta(parts[j])
		}
		b.WriteString(strings.Join(parts, `.*`))
		if !last {
			b.WriteString("\n")
		}
	}
	return regexp.MustCompile(`^` + b.String() + `$`)
}

// consoleResult is what a step printed, without empty lines at its end.
type consoleResult struct {
	out  string
	exit int
}

// needShell skips a test where there is no shell, as on Windows.
func needShell(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
}

const consoleMark = "--console-step--"

// runConsole runs all steps in one shell, so that cd and variables stay.
func runConsole(dir string, env []string, steps []consoleStep) ([]consoleResult, error) {
	var script strings.Builder
	script.WriteString("exec 2>&1\n")
	for _, s := range steps {
		fmt.Fprintf(&script, "%s\n_status=$?; echo; echo %s $_status; (exit $_status)\n", s.command, consoleMark)
	}
	cmd := exec.Command("sh", "-c", script.String())
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.Output()
	results := make([]consoleResult, 0, len(steps))
	for len(results) < len(steps) {
		text, rest, ok := bytes.Cut(out, []byte("\n"+consoleMark+" "))
		if !ok {
			return nil, fmt.Errorf("the shell ended early: %v\n%s", err, out)
		}
		status, rest, _ := bytes.Cut(rest, []byte("\n"))
		code, err := strconv.Atoi(string(status))
		if err != nil {
			return nil, err
		}
		results = append(results, consoleResult{strings.TrimRight(strings.ToValidUTF8(string(text), "?"), "\n"), code})
		out = rest
	}
	return results, nil
}

// checkConsole compares, and returns one text for each step that is not as
// expected.
func checkConsole(steps []consoleStep, results []consoleResult) map[int]string {
	wrong := map[int]string{}
	for i, s := range steps {
		r := results[i]
		asked := i+1 < len(steps) && steps[i+1].command == "echo $?"
		if !s.expected().MatchString(r.out) || r.exit != s.exit && !asked {
			wrong[i] = fmt.Sprintf("line %d: $ %s\ngot (exit %d):\n%s\nwant (exit %d):\n%s",
				s.line, s.command, r.exit, r.out, s.exit, strings.Join(s.want, "\n"))
		}
	}
	return wrong
}

// rewriteConsole puts what was printed into the lines of a file, for the steps
// that are wrong.
func rewriteConsole(text string, steps []consoleStep, results []consoleResult, wrong map[int]string, hide func(string) string) string {
	lines := strings.Split(text, "\n")
	for i := len(steps) - 1; i >= 0; i-- {
		if wrong[i] == "" {
			continue
		}
		s, r := steps[i], results[i]
		command := 1 + strings.Count(s.command, "\n")
		begin, end := s.line-1+command, s.line-1+s.lines
		for end > begin && end <= len(lines) && lines[end-1] == "" {
			end--
		}
		var now []string
		if r.out != "" {
			now = strings.Split(hide(r.out), "\n")
		}
		if r.exit != 0 {
			now = append(now, fmt.Sprintf("(exit %d)", r.exit))
		}
		lines = append(lines[:begin:begin], append(now, lines[end:]...)...)
	}
	return strings.Join(lines, "\n")
}

var volatile = regexp.MustCompile(`[0-9a-f]{64}|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000|\b\d{8}-\d{6}\b`)

// hideVolatile replaces what is not the same in the next run.
func hideVolatile(dir string) func(string) string {
	return func(s string) string {
		return volatile.ReplaceAllString(strings.ReplaceAll(s, dir, "..."), "...")
	}
}

func TestConsole(t *testing.T) {
	needShell(t)
	tests := []struct{ name, text, wrong string }{
		{"what is printed is compared", "$ echo a; echo b\na\nb\n", ""},
		{"another text is wrong", "$ echo a\nb", "line 1: $ echo a"},
		{"a line more is wrong", "$ echo a\na\nb", "line 1: $ echo a"},
		{"a line less is wrong", "$ echo a; echo b\na", "line 1: $ echo a; echo b"},
		{"both streams count", "$ echo a >&2; echo b\na\nb", ""},
		{"an ellipsis is any text of a line", "$ echo abcd\na...d", ""},
		{"an ellipsis is not several lines", "$ echo a; echo d\na...d", "line 1: $ echo a; echo d"},
		{"an ellipsis on its own is any lines", "$ echo a; echo b; echo c\na\n...\nc", ""},
		{"it may be none", "$ echo a; echo c\na\n...\nc", ""},
		{"a command may go on", "$ echo a \\\n> b\na b", ""},
		{"a command may have a document", "$ cat <<'E'\n> a\n>\n> b\n> E\na\n\nb", ""},
		{"output may begin with a bracket", "$ echo '> a'\n> a", ""},
		{"the directory stays", "$ cd /\n$ pwd\n/", ""},
		{"a failure must be declared", "$ false", "line 1: $ false"},
		{"a declared failure", "$ echo a; (exit 3)\na\n(exit 3)", ""},
		{"another failure than declared is wrong", "$ (exit 4)\n(exit 3)", "line 1: $ (exit 4)"},
		{"a failure may be asked for", "$ (exit 3)\n$ echo $?\n3", ""},
		{"empty lines between commands do not count", "# about\n\n$ echo a\na\n\n\n$ echo b\nb\n", ""},
		{"comments do not count", "$ echo a\na\n\n# about\n# this\n\n$ echo b\nb\n", ""},
		{"a comment is printed where it follows a line", "$ echo '# a'\n# a\n", ""},
		{"the last line may have no end", "$ printf a\na", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			steps, err := parseConsole(tt.text, 1)
			if err != nil {
				t.Fatal(err)
			}
			results, err := runConsole(t.TempDir(), os.Environ(), steps)
			if err != nil {
				t.Fatal(err)
			}
			wrong := checkConsole(steps, results)
			got, _, _ := strings.Cut(wrong[0], "\n")
			if got != tt.wrong || len(wrong) > 1 {
				t.Errorf("got %v, want %q", wrong, tt.wrong)
			}
		})
	}
}

func TestRewriteConsole(t *testing.T) {
	needShell(t)
	text := "# about\n\n$ echo a\nx\ny\n\n$ echo b \\\n> c\n\n# note\n$ (exit 3)\n$ echo d\nd\n"
	steps, err := parseConsole(text, 1)
	if err != nil {
		t.Fatal(err)
	}
	results, err := runConsole(t.TempDir(), os.Environ(), steps)
	if err != nil {
		t.Fatal(err)
	}
	got := rewriteConsole(text, steps, results, checkConsole(steps, results), func(s string) string { return s })
	want := "# about\n\n$ echo a\na\n\n$ echo b \\\n> c\nb c\n\n# note\n$ (exit 3)\n(exit 3)\n$ echo d\nd\n"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

// plainEnv makes programs behave the same everywhere. Under the race detector
// each would sleep for a second before it ends.
var plainEnv = []string{"LC_ALL=C", "TZ=UTC", "TERM=dumb", "GORACE=atexit_sleep_ms=0"}

// cleanEnv is the environment of a user without settings, whose home is dir.
func cleanEnv(dir string) []string {
	return append([]string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}, plainEnv...)
}
