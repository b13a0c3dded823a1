package index

import (
	"encoding/hex"
	"fmt"

	"github.com/zeebo/blake3"
)

// ID names content by its hash: 32 bytes, written as 64 hexadecimal digits.
type ID [32]byte

// Hash returns the id of content: its BLAKE3-256.
func Hash(b []byte) ID { return blake3.Sum256(b) }

// ParseID reads the form that String writes; capital digits are accepted.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != hex.EncodedLen(len(id)) {
		return ID{}, fmt.Errorf("parse id %q: want %d hexadecimal digits", s, hex.EncodedLen(len(id)))
	}
	if _, err := hex.Decode(id[:], []byte(s)); err != nil {
		return ID{}, fmt.Errorf("parse id %q: %w", s, err)
	}
	return id, nil
}

// String returns the id as 64 lower-case hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// IsZero tells whether id is the zero ID, which names nothing.
func (id ID) IsZero() bool { return id == ID{} }

// MarshalText is String, for encoding/json and its like.
func (id ID) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, id[:]), nil }

// UnmarshalText is ParseID, for encoding/json and its like.
func (id *ID) UnmarshalText(text []byte) error {
	got, err := ParseID(string(text))
	if err == nil {
		*id = got
	}
	return err
}
