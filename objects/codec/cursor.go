package codec

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/datafs/datafs/index"
)

// MaxLength is the greatest length of a file, and of all files of a tree, in bytes.
const MaxLength = 1 << 62

var errShort = errors.New("ends in the middle of an item")

// Cursor reads the fields of a format. After the first error all further reads
// give zero values.
type Cursor struct {
	B   []byte // what is left
	Err error  // the first one
}

// Uvarint reads a number of at most limit, which must be in its shortest form.
func (c *Cursor) Uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(c.B)
	switch {
	case c.Err != nil:
		return 0
	case n <= 0:
		c.Err = errShort
		return 0
	case v > limit:
		c.Err = fmt.Errorf("value %d is over the limit of %d", v, limit)
		return 0
	case n > 1 && c.B[n-1] == 0:
		c.Err = errors.New("a number is not in its shortest form")
		return 0
	}
	c.B = c.B[n:]
	return v
}

// Bytes returns the next n bytes; they are part of B.
func (c *Cursor) Bytes(n int) []byte {
	if c.Err == nil && n > len(c.B) {
		c.Err = errShort
	}
	if c.Err != nil {
		return nil
	}
	out := c.B[:n]
	c.B = c.B[n:]
	return out
}

// Byte reads one byte.
func (c *Cursor) Byte() uint8 {
	if b := c.Bytes(1); b != nil {
		return b[0]
	}
	return 0
}

// ID reads an id.
func (c *Cursor) ID() (id index.ID) {
	copy(id[:], c.Bytes(len(id)))
	return id
}

// Varint reads a zigzag number.
func (c *Cursor) Varint() int64 {
	v, n := binary.Varint(c.B)
	if c.Err == nil && n <= 0 {
		c.Err = errShort
	}
	if c.Err != nil {
		return 0
	}
	c.B = c.B[n:]
	return v
}

// Fail notes an error, unless there was one before.
func (c *Cursor) Fail(err error) {
	if c.Err == nil {
		c.Err = err
	}
}

func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
