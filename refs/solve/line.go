package solve

import (
	"strings"
	"unicode"
)

// parts gives what is required on one line, without the comment.
func parts(line string, split bool) []string {
	var kept []string
	before := ' '
	for more := true; more; {
		var part string
		if part, line, more = cutPart(line, before, split); strings.TrimSpace(part) != "" {
			kept = append(kept, strings.TrimSpace(part))
		}
		before = ';'
	}
	return kept
}

// cutPart takes the first requirement off a line; before is the character in
// front of it. A '#' and a ';' in a quoted name stand for themselves.
func cutPart(line string, before rune, split bool) (part, rest string, more bool) {
	start := 0
	text := strings.TrimLeftFunc(line, unicode.IsSpace)
	if end := quotedEnd(text); end > 0 {
		start, before = len(line)-len(text)+end, '"'
	}
	for i, r := range line[start:] {
		switch {
		case r == '#' && unicode.IsSpace(before):
			return line[:start+i], "", false
		case r == ';' && split:
			return line[:start+i], line[start+i+1:], true
		}
		before = r
	}
	return line, "", false
}

// quotedEnd is where a name in double quotes at the front of a requirement ends;
// 0 where there is none. A backslash and a quote in it are a quote: no name has a
// backslash.
func quotedEnd(s string) int {
	if !strings.HasPrefix(s, `"`) {
		return 0
	}
	for i := 1; i < len(s); i++ {
		switch {
		case strings.HasPrefix(s[i:], `\"`):
			i++
		case s[i] == '"':
			return i + 1
		}
	}
	return 0
}

// cutQuoted takes a name in double quotes off the front of a requirement.
func cutQuoted(s string) (name, rest string, ok bool) {
	end := quotedEnd(s)
	if end == 0 {
		return "", s, false
	}
	name, rest = strings.ReplaceAll(s[1:end-1], `\"`, `"`), s[end:]
	if strings.TrimSpace(atLatest.ReplaceAllString(rest, "")) == "" && strings.TrimSpace(rest) != "" {
		rest = "==" + latestText
	}
	return name, rest, true
}

func quotedName(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `\"`) + `"`
}

// readsBack reports whether a line that begins with the bare name is read as one
// requirement of that name.
func readsBack(name, rest string) bool {
	if !strings.ContainsAny(name, "\"#;=<>!~^@\uFEFF") && strings.TrimSpace(name) == name {
		return true
	}
	list := parts(strings.TrimPrefix(name+rest, "\uFEFF"), false)
	if len(list) != 1 {
		return false
	}
	if quotedEnd(list[0]) > 0 {
		return false
	}
	gotName, gotRest := splitName(list[0])
	return gotName == name && gotRest == rest && checkAtLatest(list[0], gotName, gotRest) == nil
}
