package refs

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/datafs/datafs/objects/names"
)

// MaxName is the greatest length of a normalised archive name in bytes. It
// leaves room for a version behind the name within the 32 KiB of a key.
const MaxName = 16 << 10

var (
	authorityForm = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	prefixForm    = regexp.MustCompile(`(?s)^([A-Za-z0-9_-]+)://(.*)$`)
)

// ParseName splits an archive name as a user writes it into the authority in
// front ("" when there is none) and the normalised name, which is the archive's
// key: no leading or trailing slash, no empty, "." or ".." component.
// Parsing a normalised name gives it back. Errors wrap fs.ErrInvalid.
func ParseName(s string) (authority, name string, err error) {
	authority, name, err = parseLocation(s)
	if err == nil && name == "" {
		err = invalid(`Archive name missing in "%s"`, Printable(s))
	}
	return authority, name, err
}

// parseLocation is ParseName, but allows the top, whose name is "".
func parseLocation(s string) (authority, name string, err error) {
	rest := s
	if m := prefixForm.FindStringSubmatch(s); m != nil {
		authority, rest = m[1], m[2]
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, illegal) {
		return "", "", invalid("Path contains invalid characters: %s", Printable(s))
	}
	var parts []string
	for part := range strings.SplitSeq(rest, "/") {
		switch {
		case part == "" || part == ".":
		case part != "..":
			parts = append(parts, part)
		case len(parts) == 0:
			return "", "", invalid("Too many backrefs in '%s'", Printable(s))
		default:
			parts = parts[:len(parts)-1]
		}
	}
	name = strings.Join(parts, "/")
	if len(name) > MaxName {
		return "", "", invalid("Archive name too long: %d bytes, at most %d", len(name), MaxName)
	}
	return authority, name, nil
}

func illegal(r rune) bool { return r == '\\' || unicode.IsControl(r) }

// Printable keeps a message on one line and a terminal in its senses: what is
// not text is written as an escape, all else stays as it is.
func Printable(s string) string {
	var b strings.Builder
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			fmt.Fprintf(&b, `\x%02x`, s[i])
		} else {
			b.WriteRune(r)
		}
	}
	return names.Visible(b.String())
}

// CheckAuthorityName refuses a name for an authority that could not stand in
// front of an archive's name. The error wraps fs.ErrInvalid.
func CheckAuthorityName(s string) error {
	if !authorityForm.MatchString(s) {
		return invalid(`"%s" not a valid authority name`, Printable(s))
	}
	return nil
}

// SimilarName reports whether two different names differ only in case or in
// the form of their Unicode characters, so that people, and some file systems,
// would take one for the other.
func SimilarName(a, b string) bool {
	return a != b && FoldName(a) == FoldName(b)
}

// FoldName is the canonical caseless form: NFC(fold(NFD(s))), Unicode Standard
// section 3.13, definition D145, closed with NFC.
func FoldName(s string) string {
	if isPlain(s) {
		return strings.ToLower(s)
	}
	return norm.NFC.String(cases.Fold().String(norm.NFD.String(s)))
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
