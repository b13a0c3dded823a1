package names

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Control reports whether a terminal may obey r instead of showing it: the
// control characters of ASCII and Latin-1 (C0, DEL, C1), and those that turn the
// direction of text (U+202A to U+202E, U+2066 to U+2069), by which one name looks
// like another.
func Control(r rune) bool {
	return r < 0x20 || r >= 0x7F && r < 0xA0 || r >= 0x202A && r <= 0x202E || r >= 0x2066 && r <= 0x2069
}

// HasControl reports whether a text has a character that is Control.
func HasControl(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7F {
			return strings.ContainsFunc(s[i:], Control)
		}
	}
	return false
}

// Visible writes characters that are Control as escapes, such as \x1b, \n and
// \u202e. Bytes that are not UTF-8 stay, except those that a terminal could take
// for C1.
func Visible(s string) string { return string(AppendVisible(nil, []byte(s), "")) }

// AppendVisible appends what Visible makes of text to b. The characters in keep
// stay.
func AppendVisible(b, text []byte, keep string) []byte {
	for len(text) > 0 {
		plain := plainPrefix(text)
		b, text = append(b, text[:plain]...), text[plain:]
		if len(text) == 0 {
			break
		}
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1 && text[0] < 0xA0:
			b = appendEscape(b, rune(text[0]))
		case (r != utf8.RuneError || size > 1) && Control(r) && !strings.ContainsRune(keep, r):
			b = appendEscape(b, r)
		default:
			b = append(b, text[:size]...)
		}
		text = text[size:]
	}
	return b
}

// plainPrefix counts the bytes in front that are printable ASCII.
func plainPrefix(text []byte) int {
	for i, c := range text {
		if c < 0x20 || c >= 0x7F {
			return i
		}
	}
	return len(text)
}

func appendEscape(b []byte, r rune) []byte {
	switch {
	case r == '\n':
		return append(b, `\n`...)
	case r == '\r':
		return append(b, `\r`...)
	case r == '\t':
		return append(b, `\t`...)
	case r < 0x100:
		return append(b, '\\', 'x', hex[r>>4], hex[r&15])
	}
	return append(append(b, `\u`...), strconv.FormatInt(int64(r), 16)...)
}

const hex = "0123456789abcdef"

// VisibleJSON escapes the characters of a JSON text that are Control and that
// JSON allows, all of which stand in strings: it stays JSON, of the same values.
func VisibleJSON(text []byte) []byte {
	allowed := func(r rune) bool { return r >= 0x20 && Control(r) }
	if !bytes.ContainsFunc(text, allowed) {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		if allowed(r) {
			b = append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
