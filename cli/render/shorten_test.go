package render

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShortened(t *testing.T) {
	for _, line := range []string{"", "short", strings.Repeat("many words ", 100), strings.Repeat("x", maxWord)} {
		if got := Short(line); got != line {
			t.Errorf("got %q", got)
		}
	}
	long := strings.Repeat("é", 1<<19)
	got := Short(`Archive "` + long + `" not found`)
	if len(got) > maxWord+100 || !utf8.ValidString(got) || !strings.HasPrefix(got, `Archive "éé`) || !strings.HasSuffix(got, `éé" not found`) {
		t.Errorf("got %q", got)
	}
	got = Short("what: " + strings.Repeat("a word\n", 1<<17) + ": why")
	if len(got) > maxLine+100 || !strings.HasPrefix(got, "what: a word\na word") || !strings.HasSuffix(got, "a word\n: why") {
		t.Errorf("got %q", got)
	}
}
