package refs

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// CheckRecord refuses a record from somewhere else that is not what this
// package writes: an archive whose name is not in its normal form, a version
// that does not belong to its key, a value of another format. A nil value stands
// for a deleted record, of which only the key is checked. The error wraps
// ErrCorrupt or fs.ErrInvalid, except for what a newer program has written.
func CheckRecord(key string, value []byte) error {
	given := value
	if value == nil {
		given = []byte{}
	}
	if err := CheckKeyValue(key, given); err != nil {
		return err
	}
	if err := checkForeignKey(key); err != nil || value == nil {
		return err
	}
	if !utf8.Valid(value) {
		return fmt.Errorf("record %q: %w: not UTF-8", key, ErrCorrupt)
	}
	r := Record{Key: key, Value: value}
	switch {
	case strings.HasPrefix(key, ArchivePrefix):
		return checkForeignArchive(r)
	case strings.HasPrefix(key, VersionPrefix):
		return checkForeignVersion(r)
	}
	var s Spec
	if err := s.take(r); err != nil {
		return err
	}
	return s.check()
}

func checkForeignKey(key string) error {
	if name, ok := strings.CutPrefix(key, ArchivePrefix); ok {
		return checkNormalName(key, name)
	}
	if rest, ok := strings.CutPrefix(key, VersionPrefix); ok {
		name, label, _ := strings.Cut(rest, `\`)
		if err := checkNormalName(key, name); err != nil {
			return err
		}
		return checkLabel(key, name, label)
	}
	if strings.HasPrefix(key, SpecPrefix) {
		return nil
	}
	return fmt.Errorf("record %q is of a kind that this program does not know: use a newer one", key)
}

// checkNormalName refuses a name that ParseName would change.
func checkNormalName(key, name string) error {
	authority, normal, err := ParseName(name)
	if err != nil || authority != "" || normal != name {
		return fmt.Errorf("record %q: %w: not a normal archive name", key, ErrCorrupt)
	}
	return nil
}

// checkLabel refuses the end of a version's key that this package does not make.
func checkLabel(key, name, label string) error {
	n := 0
	if _, err := fmt.Sscanf(label, "#%d", &n); err == nil && n > 0 && numberKey(name, n) == key {
		return nil
	}
	if v, err := ParseVersion(label); err == nil && !v.IsZero() && versionKey(name, v) == key {
		return nil
	}
	return fmt.Errorf("record %q: %w: not the key of a version", key, ErrCorrupt)
}

func checkForeignArchive(r Record) error {
	a, _, err := DecodeArchive(r)
	if err != nil || a.Authority == "" {
		return err
	}
	return CheckAuthorityName(a.Authority)
}

func checkForeignVersion(r Record) error {
	v, err := DecodeVersion(r)
	if err != nil {
		return err
	}
	if v.Number < 0 || v.Number > 0 && !v.Version.IsZero() || v.Size < 0 || v.Files < 0 || v.Tree.IsZero() {
		return fmt.Errorf("record %q: %w: impossible numbers", r.Key, ErrCorrupt)
	}
	if len(v.Yanks) > 0 && v.Number > 0 {
		return fmt.Errorf("record %q: %w: a yank of an archive without versions", r.Key, ErrCorrupt)
	}
	for _, y := range v.Yanks {
		if err := y.check(); err != nil {
			return fmt.Errorf("record %q: %w: %w", r.Key, ErrCorrupt, err)
		}
	}
	return nil
}
