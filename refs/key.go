package refs

import (
	"fmt"
	"strings"
)

// Keys begin with these. A backslash cannot occur in a name, so a name that begins
// another one cannot be mixed up with it.
const (
	ArchivePrefix = "archive/"
	VersionPrefix = "version/"
	SpecPrefix    = "spec/" // what an administrator requires
)

// ArchiveKey is the key of an archive's record.
func ArchiveKey(name string) string { return ArchivePrefix + name }

// VersionsPrefix begins the keys of the records of an archive's versions.
func VersionsPrefix(name string) string { return VersionPrefix + name + `\` }

func versionKey(name string, v Version) string { return VersionsPrefix(name) + v.String() }
func numberKey(name string, n int) string      { return fmt.Sprintf(`%s#%08d`, VersionsPrefix(name), n) }

// Key is the key of the version's record.
func (v VersionRecord) Key() string {
	if v.Number > 0 {
		return numberKey(v.Archive, v.Number)
	}
	return versionKey(v.Archive, v.Version)
}

// Compare orders the versions of one archive as they were written.
func (v VersionRecord) Compare(w VersionRecord) int {
	return place{v.Version, uint64(v.Number)}.compare(place{w.Version, uint64(w.Number)})
}

// Kind says what a record is about.
type Kind string

// The kinds of records. KindOther is one that this program does not know.
const (
	KindArchive Kind = "archive"
	KindVersion Kind = "version"
	KindSpec    Kind = "spec"
	KindOther   Kind = ""
)

// ParseKey says what kind of record a key belongs to, and to which archive.
func ParseKey(key string) (kind Kind, archive string) {
	if name, ok := strings.CutPrefix(key, ArchivePrefix); ok {
		return KindArchive, name
	}
	if rest, ok := strings.CutPrefix(key, VersionPrefix); ok {
		name, _, _ := strings.Cut(rest, `\`)
		return KindVersion, name
	}
	if strings.HasPrefix(key, SpecPrefix) {
		return KindSpec, ""
	}
	return KindOther, ""
}

// ParseVersionKey reads the version, or the number of an unversioned archive,
// that a version's key ends with. The error wraps ErrCorrupt.
func ParseVersionKey(key string) (v Version, number int, err error) {
	p, err := parsePlace(key)
	return p.version, int(p.number), err
}
