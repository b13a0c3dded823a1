package names

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// own are the names under which version control systems and DataFS keep their
// own files. Who writes them writes the hooks and the configuration that these
// programs obey.
var own = []string{".git", ".hg", ".svn", storeName}

// storeName is the name of a repository's directory.
const storeName = ".datafs"

// ownPrefix begins the names of a checkout's own files.
const ownPrefix = ".datafs-checkout"

// shortStems begin the short names ("8.3") that Windows gives to the names of
// own and to a checkout's files: their letters, or where several files begin
// with the same ones, two letters and a hash of the long name.
var shortStems = []string{
	"git", "hg", "svn", "datafs",
	"gi2837", "hg8b6c", "sv8fa4", "dae082",
	"da046d", "da7ed7", "da0cba", // .datafs-checkout, .datafs-checkout.lock, .datafs-checkout.tmp
}

// Reserved reports whether a component of a path is a name that belongs to a
// version control system or to DataFS itself, in any spelling that a common file
// system takes for it:
//
//   - NTFS, FAT and APFS ignore case; NTFS and FAT drop dots and spaces at the
//     end, have short names such as "GIT~1", take what follows a colon for the
//     name of a stream, and take a backslash for a slash;
//   - HFS+, and ext4 and F2FS where they ignore case, skip characters that have
//     no width, such as U+200C. (HFS+: Apple's Technical Note 1150; the others
//     skip Unicode's Default_Ignorable_Code_Point.)
func Reserved(component string) bool {
	if !suspicious(component) {
		return false
	}
	for part := range strings.SplitSeq(fold(component), `\`) {
		part = asWindowsSees(part)
		if slices.Contains(own, part) || strings.HasPrefix(part, ownPrefix) || isShort(part) {
			return true
		}
	}
	return false
}

func asWindowsSees(part string) string {
	part, _, _ = strings.Cut(part, ":")
	return strings.TrimRight(part, ". ")
}

// BelowStore reports whether a path (with slashes) has a component that is the
// directory of a repository, or that a common file system takes for it.
func BelowStore(path string) bool {
	for part := range strings.SplitSeq(path, "/") {
		if asWindowsSees(fold(part)) == storeName {
			return true
		}
	}
	return false
}

// Unwritable explains why no file is written at a path (with slashes) that an
// archive names; "" where one may be.
func Unwritable(path string, windows bool) string {
	if part := ReservedIn(path); part != "" {
		return fmt.Sprintf("%q belongs to version control systems or datafs itself", part)
	}
	if windows {
		return WindowsFault(path)
	}
	return ""
}

// ReservedIn returns the first component of a path (with slashes) that is
// Reserved; "" where there is none.
func ReservedIn(path string) string {
	if !suspicious(path) {
		return ""
	}
	for part := range strings.SplitSeq(path, "/") {
		if Reserved(part) {
			return part
		}
	}
	return ""
}

// suspicious is false for most of what cannot be reserved: a reserved name has a
// dot before a letter, a tilde, or a character that is not ASCII.
func suspicious(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf, c == '~':
			return true
		case c == '.' && i+1 < len(s) && strings.IndexByte("gGhHsSdD", s[i+1]) >= 0:
			return true
		}
	}
	return false
}

// fold brings the spellings that a file system takes for one name together.
func fold(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	s = strings.Map(func(r rune) rune {
		if ignorable(r) {
			return -1
		}
		return unicode.ToLower(unicode.ToUpper(r))
	}, s)
	return norm.NFC.String(cases.Fold().String(norm.NFD.String(s)))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// ignorable says that some file system skips r where it compares names.
func ignorable(r rune) bool {
	return r >= 0xAD && (unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) ||
		unicode.Is(unicode.Variation_Selector, r) || unicode.Is(unicode.Cf, r))
}

// isShort recognises a short name: a stem, a tilde, digits, and maybe an
// extension.
func isShort(s string) bool {
	stem, rest, found := strings.Cut(s, "~")
	if !found || !slices.Contains(shortStems, stem) {
		return false
	}
	digits, extension, _ := strings.Cut(rest, ".")
	return digits != "" && strings.Trim(digits, "0123456789") == "" && len(extension) <= 3
}
