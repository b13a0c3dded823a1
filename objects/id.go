package objects

import (
	"github.com/datafs/datafs/index"
)

// ID names bytes by their BLAKE3-256 hash.
type ID = index.ID

// ErrCorrupt says that stored bytes are not what their name or their format
// promises. It is always wrapped with the name of the pack, tree or file.
var ErrCorrupt = index.ErrCorrupt

// ParseID reads an id from 64 hexadecimal digits.
func ParseID(s string) (ID, error) { return index.ParseID(s) }

// Hash returns the id of b.
func Hash(b []byte) ID { return index.Hash(b) }
