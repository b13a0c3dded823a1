package cli

import (
	"strings"
	"unicode"
)

// visible replaces what would move a terminal's cursor or change its colours:
// the texts of a log were written by other people.
func visible(s string) string {
	if !strings.ContainsFunc(s, unicode.IsControl) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsControl(r) {
			b.Write(appendRune(nil, r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
