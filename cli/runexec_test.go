package cli

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestShellLine(t *testing.T) {
	tests := []struct {
		name string
		in   []string
		want string
	}{
		{"plain words", []string{"python", "fit.py", "--seed=1", "a/b_c.nc", "été"}, "python fit.py --seed=1 a/b_c.nc été"},
		{"what a shell would read", []string{"sh", "-c", "echo $HOME; ls *", ""}, "sh -c 'echo $HOME; ls *' ''"},
		{"quotes", []string{"it's", `"x"`, `\`}, `'it'\''s' '"x"' '\'`},
		{"what cannot be seen", []string{"a\nb\tc'\\", "\x1b[31m", "\xff\u0085"}, `$'a\nb\tc\'\\' $'\x1b[31m' $'\xff\xc2\x85'`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := shellLine(tt.in); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestTheMessageOfARun(t *testing.T) {
	ran := ranProgram{[]string{"make", "a b"}, time.Date(2026, 1, 2, 16, 4, 5, 0, time.FixedZone("", 3600)), 12345 * time.Millisecond}
	const line = "run: make 'a b' (exit status 0, 12.3 s, 2026-01-02T15:04:05Z)"
	text, empty := "text", ""
	for _, tt := range []struct {
		name string
		text *string
		want string
	}{{"without a text", nil, line}, {"with an empty one", &empty, line}, {"with a text", &text, "text\n" + line}} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ran.message(tt.text); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	ran.argv = []string{strings.Repeat("é", 5000)}
	got := ran.message(nil)
	if !utf8.ValidString(got) || len(got) > longestCommand+100 || !strings.Contains(got, "é [cut] (exit status 0") {
		t.Errorf("a long command line: got %d bytes, valid %t: %.50s...", len(got), utf8.ValidString(got), got)
	}
}
