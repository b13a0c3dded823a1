package remote

import "path"

// CheckPrefix refuses, with fs.ErrInvalid, what no name of a file at an
// authority begins with. The empty prefix is every name's.
func CheckPrefix(prefix string) error {
	if len(prefix) >= maxName {
		return CheckName(prefix)
	}
	return CheckName(prefix + "x")
}

// prefixDir is the directory that all names with a checked prefix are in or
// below; "." is the root.
func prefixDir(prefix string) string {
	return path.Dir(prefix + "x")
}
