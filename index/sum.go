package index

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"sync"
)

// sumSize is the length of the checksum that ends each stored value, in bytes.
const sumSize = 4

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
	b := append(make([]byte, 0, len(value)+sumSize), value...)
	return binary.LittleEndian.AppendUint32(b, s.sum(key, value))
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

// name is the checksum that a bucket keeps of its own name. It is never zero,
// so that a bucket which something else made does not pass by chance.
func (s summer) name() uint64 { return uint64(s.prefix) | 1<<32 }
