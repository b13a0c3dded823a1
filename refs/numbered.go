package refs

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What the managers have in common that number their changes: the number of the
// last change of a record is its revision, and a cursor.

// RevOf returns the revision of a record that change seq wrote.
func RevOf(seq uint64) Rev { return Rev(strconv.FormatUint(seq, 10)) }

// LiveRecord returns a record with a copy of value, as change seq wrote it.
func LiveRecord(key string, value []byte, seq uint64) Record {
	return Record{Key: key, Value: bytes.Clone(value), Rev: RevOf(seq), Cursor: Cursor(RevOf(seq))}
}

// DeadRecord returns what Changes yields for a record that change seq deleted.
func DeadRecord(key string, seq uint64) Record {
	return Record{Key: key, Deleted: true, Cursor: Cursor(RevOf(seq))}
}

// ParseCursor returns the number of the change that a cursor stands behind. The
// error wraps fs.ErrInvalid.
func ParseCursor(c Cursor) (uint64, error) {
	if c == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(c), 10, 64)
	if err != nil || n == math.MaxUint64 {
		return 0, invalid(`unknown cursor "%s"`, Printable(string(c)))
	}
	return n, nil
}

// NoRecord is the error of Get and Delete for a key without a record.
func NoRecord(key string) error { return notFound("no record %q", key) }

// CheckPut refuses to put a record, which may be there since change seq, on the
// terms of Manager.Put.
func CheckPut(key string, there bool, seq uint64, prev Rev) error {
	switch {
	case !there && prev != Absent:
		return fmt.Errorf("record %q is gone: %w", key, ErrConflict)
	case there && prev == Absent:
		return fmt.Errorf("record %q exists already: %w", key, ErrConflict)
	case there && prev != RevOf(seq):
		return fmt.Errorf("record %q: %w", key, ErrConflict)
	}
	return nil
}

// CheckDelete does the same for Manager.Delete.
func CheckDelete(key string, there bool, seq uint64, prev Rev) error {
	switch {
	case !there:
		return NoRecord(key)
	case prev != RevOf(seq):
		return fmt.Errorf("record %q: %w", key, ErrConflict)
	}
	return nil
}

// CheckKeyValue refuses a key or a value that no record can have. The error wraps
// fs.ErrInvalid.
func CheckKeyValue(key string, value []byte) error {
	switch {
	case key == "":
		return invalid("record without a key")
	case len(key) > MaxKey:
		return invalid("key too long: %d bytes, at most %d", len(key), MaxKey)
	case !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl):
		return invalid("key %q contains invalid characters", key)
	case value == nil:
		return invalid("record %q without a value", key)
	case len(value) > MaxValue:
		return invalid("record %q too large: %d bytes, at most %d", key, len(value), MaxValue)
	}
	return nil
}
