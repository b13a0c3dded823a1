package names

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// devices are Windows' reserved names, in lower case, without those that end in
// a number.
var devices = []string{"con", "prn", "aux", "nul", "conin$", "conout$"}

// WindowsFault explains why Windows cannot keep a file at a path (with slashes),
// or would take it for something else; "" where nothing is known against it.
func WindowsFault(path string) string {
	for part := range strings.SplitSeq(path, "/") {
		if why := windowsFault(part); why != "" {
			return why
		}
	}
	return ""
}

func windowsFault(part string) string {
	switch {
	case part == "" || part == "." || part == "..":
		return ""
	case strings.ContainsAny(part, `:\`):
		return fmt.Sprintf(`%q has a ":" or a "\"`, part)
	case strings.HasSuffix(part, ".") || strings.HasSuffix(part, " "):
		return fmt.Sprintf("%q ends with a dot or a space", part)
	case isDevice(part):
		return fmt.Sprintf("%q is the name of a device", part)
	}
	return ""
}

// isDevice recognises the name of a device, which an extension does not change.
func isDevice(part string) bool {
	stem, _, _ := strings.Cut(part, ".")
	stem = strings.ToLower(strings.TrimRight(stem, " "))
	if slices.Contains(devices, stem) {
		return true
	}
	number, found := strings.CutPrefix(stem, "com")
	if !found {
		number, found = strings.CutPrefix(stem, "lpt")
	}
	return found && utf8.RuneCountInString(number) == 1 && strings.Contains("123456789¹²³", number)
}
