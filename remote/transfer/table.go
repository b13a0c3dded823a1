package transfer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

// A table file, index/ID, says what lies in packs: what a pusher needs to know
// to send only what is new. ID is the BLAKE3 of its bytes.
//
//	"DFSINDX" and the version byte 1, then for each pack:
//	pack id (32), size u64, count u32, and count entries of 50 bytes:
//	id (32), offset u64, stored length u32, raw length u32, codec u8, filter u8
//
// All integers are little-endian. A pack's entries may be fewer than it holds.
const (
	tableMagic    = "DFSINDX\x01"
	tablePackLen  = 44
	tableEntryLen = 50
	maxTableSize  = 256 << 20 // bytes that a reader accepts: some 5 million chunks
	maxTableWrite = 16 << 20  // bytes after which a writer begins another one
)

func appendTable(b []byte, p index.Pack) []byte {
	b = append(b, p.ID[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(p.Size))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p.Entries)))
	for i := range p.Entries {
		e := &p.Entries[i]
		b = append(b, e.ID[:]...)
		b = binary.LittleEndian.AppendUint64(b, e.Offset)
		b = binary.LittleEndian.AppendUint32(b, e.Stored)
		b = binary.LittleEndian.AppendUint32(b, e.Raw)
		b = append(b, e.Codec, e.Filter)
	}
	return b
}

// encodeTables writes a table file.
func encodeTables(packs []index.Pack) []byte {
	b := []byte(tableMagic)
	for _, p := range packs {
		b = appendTable(b, p)
	}
	return b
}

// decodeTables reads a table file. The error wraps objects.ErrCorrupt.
func decodeTables(b []byte) ([]index.Pack, error) {
	rest, ok := bytes.CutPrefix(b, []byte(tableMagic))
	if !ok {
		return nil, fmt.Errorf("%w: not a table file, or one of a newer datafs", objects.ErrCorrupt)
	}
	var packs []index.Pack
	for len(rest) > 0 {
		p, n, err := decodeTable(rest)
		if err != nil {
			return nil, fmt.Errorf("%w: table file: %w", objects.ErrCorrupt, err)
		}
		packs = append(packs, p)
		rest = rest[n:]
	}
	return packs, nil
}

func decodeTable(b []byte) (p index.Pack, n int, err error) {
	if len(b) < tablePackLen {
		return p, 0, errors.New("it ends in the middle of a pack")
	}
	copy(p.ID[:], b)
	size, count := binary.LittleEndian.Uint64(b[32:]), binary.LittleEndian.Uint32(b[40:])
	if size > 1<<62 || p.ID.IsZero() {
		return p, 0, errors.New("a pack with an impossible size or id")
	}
	p.Size = int64(size)
	if uint64(count)*tableEntryLen > uint64(len(b)-tablePackLen) {
		return p, 0, errors.New("it ends in the middle of a pack's entries")
	}
	p.Entries = make([]index.Entry, count)
	for i := range p.Entries {
		e, row := &p.Entries[i], b[tablePackLen+i*tableEntryLen:]
		copy(e.ID[:], row)
		e.Offset = binary.LittleEndian.Uint64(row[32:])
		e.Stored = binary.LittleEndian.Uint32(row[40:])
		e.Raw = binary.LittleEndian.Uint32(row[44:])
		e.Codec, e.Filter = row[48], row[49]
		if e.Offset > size || uint64(e.Stored) > size-e.Offset {
			return p, 0, errors.New("an entry lies outside its pack")
		}
	}
	return p, tablePackLen + int(count)*tableEntryLen, nil
}
