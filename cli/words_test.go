package cli

import (
	"slices"
	"testing"
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
