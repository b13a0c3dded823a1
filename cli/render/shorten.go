package render

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/datafs/datafs/objects/names"
)

// What a line for people holds at most: names, paths and values in it that are
// longer than a person reads are cut in the middle, and so is the line.
const (
	maxWord = 400  // bytes without a space between them
	maxLine = 4000 // bytes
)

// Short cuts what is too long in a line.
func Short(line string) string {
	if len(line) <= maxWord {
		return line
	}
	var b strings.Builder
	for rest := line; rest != ""; {
		n := strings.IndexFunc(rest, unicode.IsSpace)
		if n < 0 {
			n = len(rest)
		}
		b.WriteString(cut(rest[:n], maxWord))
		space := len(rest[n:]) - len(strings.TrimLeftFunc(rest[n:], unicode.IsSpace))
		b.WriteString(rest[n : n+space])
		rest = rest[n+space:]
	}
	return cut(b.String(), maxLine)
}

// cut leaves a beginning and an end, and says how much it has left out.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	head, tail := most/2, len(s)-most/4
	for head > 0 && !utf8.RuneStart(s[head]) {
		head--
	}
	for tail < len(s) && !utf8.RuneStart(s[tail]) {
		tail++
	}
	return fmt.Sprintf("%s[... %d bytes ...]%s", s[:head], tail-head, s[tail:])
}

// Line returns a text as one line, made visible.
func Line(s string) string {
	return names.Visible(strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; "))
}
