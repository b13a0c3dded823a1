package refs

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// compileGlob turns a shell pattern into a regular expression, by the rules of
// Python's fnmatch: '*' matches anything, '/' included, '?' any one character,
// '[ab-z]' one of those, '[!a]' one that is none of them; a '[' that is never
// closed stands for itself; there is no escape. Case counts.
func compileGlob(pattern string) (*regexp.Regexp, error) {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for rest := pattern; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		next := rest[size:]
		switch r {
		case '*':
			b.WriteString(".*")
		case '?':
			b.WriteString(".")
		case '[':
			set, behind, ok := cutSet(next)
			if !ok {
				b.WriteString(`\[`)
				break
			}
			writeSet(&b, set)
			next = behind
		default:
			b.WriteString(regexp.QuoteMeta(rest[:size]))
		}
		rest = next
	}
	b.WriteString(`\z`)
	re, err := regexp.Compile(b.String())
	if err != nil {
		return nil, invalid(`"%s" not a valid pattern`, Printable(pattern))
	}
	return re, nil
}

// starsOnly is compileGlob for a pattern with no other special character than
// '*', as most have: several times as fast.
func starsOnly(pattern string) func(string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return func(s string) bool { return s == pattern }
	}
	first, middle, last := parts[0], parts[1:len(parts)-1], parts[len(parts)-1]
	return func(s string) bool {
		if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
			return false
		}
		s = s[len(first) : len(s)-len(last)]
		for _, part := range middle {
			i := strings.Index(s, part)
			if i < 0 {
				return false
			}
			s = s[i+len(part):]
		}
		return true
	}
}

// cutSet cuts s, which stands behind a '[', at the bracket that closes it. A
// bracket at the beginning belongs to the set.
func cutSet(s string) (set, behind string, ok bool) {
	from := 0
	if strings.HasPrefix(s, "!") {
		from = 1
	}
	if strings.HasPrefix(s[from:], "]") {
		from++
	}
	i := strings.IndexByte(s[from:], ']')
	if i < 0 {
		return "", "", false
	}
	return s[:from+i], s[from+i+1:], true
}

func writeSet(b *strings.Builder, set string) {
	b.WriteByte('[')
	if rest, ok := strings.CutPrefix(set, "!"); ok {
		b.WriteByte('^')
		set = rest
	}
	for _, r := range set {
		if strings.ContainsRune(`\[]^&~|`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	b.WriteByte(']')
}
