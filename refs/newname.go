package refs

import (
	"slices"
	"strings"

	"github.com/datafs/datafs/objects/names"
)

// CheckNewName refuses a normalised name for an archive that is to be made: one
// that has a component which belongs to a version control system or to DataFS,
// or characters that turn the direction of text. Archives that have such a name
// stay. The error wraps fs.ErrInvalid.
func CheckNewName(name string) error {
	if part := names.ReservedIn(name); part != "" {
		return reservedName(name, part)
	}
	if names.HasControl(name) {
		return invalid("Path contains invalid characters: %s", Printable(name))
	}
	return nil
}

func reservedName(name, part string) error {
	if part == name {
		return invalid(`Archive name "%s" is reserved for version control systems and datafs itself`, Printable(name))
	}
	return invalid(`Archive name "%s" contains "%s", which is reserved for version control systems and datafs itself`, Printable(name), Printable(part))
}

// checkNewTags refuses tags with control characters, and with those that turn the
// direction of text, except for those that an archive has.
func checkNewTags(have, tags []string) error {
	for _, tag := range tags {
		if err := checkText("tag", tag); err != nil {
			return err
		}
		if names.HasControl(tag) && !slices.Contains(have, strings.ToLower(tag)) {
			return invalid("Tag contains invalid characters: %s", Printable(tag))
		}
	}
	return nil
}

// ForeignKey is ForeignName for the archive that a record belongs to, which it
// returns, as far as the key says which that is. Records of other kinds have none.
func ForeignKey(key string) (archive string, err error) {
	name, ok := strings.CutPrefix(key, ArchivePrefix)
	if !ok {
		if name, ok = strings.CutPrefix(key, VersionPrefix); !ok {
			return "", nil
		}
		// A name has no backslash; one with a backslash must not pass for another.
		if i := strings.LastIndexByte(name, '\\'); i >= 0 {
			name = name[:i]
		}
	}
	return name, ForeignName(name)
}

// ForeignName explains why an archive's name, as somebody else's record has it,
// is not taken in; nil where it may be.
func ForeignName(name string) error {
	if authority, normal, err := ParseName(name); err != nil || authority != "" || normal != name {
		return invalid(`"%s" is not a normal archive name`, Printable(name))
	}
	if part := names.ReservedIn(name); part != "" {
		return reservedName(name, part)
	}
	return nil
}
