package refs

import (
	"slices"
	"strings"
	"unicode"
)

// appendNew appends s to list unless it is there.
func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// OneLine makes another program's text fit for a message: one line of what can be
// printed, of at most so many bytes and three dots.
func OneLine(s string, limit int) string {
	clean := strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, s)
	clean = strings.Join(strings.Fields(clean), " ")
	if len(clean) > limit {
		clean = strings.ToValidUTF8(clean[:limit], "") + "..."
	}
	return clean
}
