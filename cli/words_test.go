package cli

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                       nil,
		"  \t ":                  nil,
		"vi":                     {"vi"},
		" code  --wait ":         {"code", "--wait"},
		`"a b" 'c d'`:            {"a b", "c d"},
		`a"b c"d`:                {"ab cd"},
		`x "" ''`:                {"x", "", ""},
		`'it"s' "it's"`:          {`it"s`, "it's"},
		`$HOME ~ * ; | &`:        {"$HOME", "~", "*", ";", "|", "&"},
		"é 'ü ö'":                {"é", "ü ö"},
		"emacsclient -a '' -c\n": {"emacsclient", "-a", "", "-c"},
	} {
		if got, err := words(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`"`, `vi 'x`, `"a'`} {
		if got, err := words(text); err == nil {
			t.Errorf("%q: got %q", text, got)
		}
	}
}

func TestShortened(t *testing.T) {
	for _, line := range []string{"", "short", strings.Repeat("many words ", 100), strings.Repeat("x", maxWord)} {
		if got := shortened(line); got != line {
			t.Errorf("got %q", got)
		}
	}
	long := strings.Repeat("é", 1<<19)
	got := shortened(`Archive "` + long + `" not found`)
	if len(got) > maxWord+100 || !utf8.ValidString(got) || !strings.HasPrefix(got, `Archive "éé`) || !strings.HasSuffix(got, `éé" not found`) {
		t.Errorf("got %q", got)
	}
	got = shortened("what: " + strings.Repeat("a word\n", 1<<17) + ": why")
	if len(got) > maxLine+100 || !strings.HasPrefix(got, "what: a word\na word") || !strings.HasSuffix(got, "a word\n: why") {
		t.Errorf("got %q", got)
	}
}
