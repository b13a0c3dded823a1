package index

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"
)

const (
	// formatVersion is the version of the format of records and of this
	// package's own buckets. Others are refused.
	formatVersion = 1

	// sumSize is the length of the checksum that ends each stored value, in
	// bytes.
	sumSize = 4
)

// castagnoli is made on first use, so that a program that never opens an index
// does not pay for the table when it starts.
var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// summer computes the checksums of one bucket's records: CRC-32C (RFC 3720,
// appendix B.4) over the length of the bucket's name, the name, the length of
// the key, the key and the value; lengths are unsigned varints.
type summer struct {
	table  *crc32.Table
	prefix uint32
}

func newSummer(bucket string) summer {
	s := summer{table: castagnoli()}
	b := append(binary.AppendUvarint(nil, uint64(len(bucket))), bucket...)
	s.prefix = crc32.Update(0, s.table, b)
	return s
}

func (s summer) sum(key, value []byte) uint32 {
	var n [binary.MaxVarintLen64]byte
	c := crc32.Update(s.prefix, s.table, binary.AppendUvarint(n[:0], uint64(len(key))))
	c = crc32.Update(c, s.table, key)
	return crc32.Update(c, s.table, value)
}

// seal returns a copy of value with its checksum behind it, as it is stored.
func (s summer) seal(key, value []byte) []byte {
	return s.sealIn(key, append(make([]byte, 0, len(value)+sumSize), value...))
}

// sealIn appends the checksum to value.
func (s summer) sealIn(key, value []byte) []byte {
	return binary.LittleEndian.AppendUint32(value, s.sum(key, value))
}

// open returns the value without its checksum, or an error when they differ.
func (s summer) open(key, stored []byte) ([]byte, error) {
	n := len(stored) - sumSize
	if n < 0 {
		return nil, fmt.Errorf("record %q of %d bytes has no checksum", key, len(stored))
	}
	if s.sum(key, stored[:n]) != binary.LittleEndian.Uint32(stored[n:]) {
		return nil, fmt.Errorf("record %q does not match its checksum", key)
	}
	return stored[:n:n], nil
}

// sealBucket returns what a bucket keeps as its sequence number: in the lower
// 32 bits the checksum of its name, in the next 24 that of its first and last
// key, in the highest 8 the version of the format of its records.
func (s summer) sealBucket(first, last []byte) uint64 {
	return formatVersion<<56 | uint64(s.sum(first, last)&0xFFFFFF)<<32 | uint64(s.prefix)
}

// openName proves a bucket's name by its sequence number.
func (s summer) openName(sequence uint64) error {
	if uint32(sequence) != s.prefix {
		return errors.New("does not match its checksum")
	}
	if v := sequence >> 56; v != formatVersion {
		return fmt.Errorf("is of format %d, not %d: it is damaged, or a newer version made it", v, formatVersion)
	}
	return nil
}
