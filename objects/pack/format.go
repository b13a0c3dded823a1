package pack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

const (
	packHeader     = "DFSPACK\x01"
	packTrailerTag = "DFSPEND\x01"
	packVersion    = 1
	packEntryLen   = 50
	packTrailerLen = 56

	TargetSize   = 64 << 20 // stored bytes after which a pack is full
	MaxEntries   = 1 << 16  // chunks after which a pack is full
	maxPackTable = 1 << 20  // entries that a reader accepts
)

func le32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }
func le64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }

// encodeTable writes a pack's table. It sorts entries by id.
func encodeTable(entries []index.Entry) []byte {
	slices.SortFunc(entries, func(a, b index.Entry) int { return bytes.Compare(a.ID[:], b.ID[:]) })
	out := make([]byte, 0, len(entries)*packEntryLen)
	for i := range entries {
		e := &entries[i]
		out = append(out, e.ID[:]...)
		out = binary.LittleEndian.AppendUint64(out, e.Offset)
		out = binary.LittleEndian.AppendUint32(out, e.Stored)
		out = binary.LittleEndian.AppendUint32(out, e.Raw)
		out = append(out, e.Codec, e.Filter)
	}
	return out
}

// decodeTable reads a pack's table. end is the table's own offset: no chunk
// may reach beyond it.
func decodeTable(b []byte, end uint64) ([]index.Entry, error) {
	if len(b)%packEntryLen != 0 {
		return nil, fmt.Errorf("table of %d bytes", len(b))
	}
	entries := make([]index.Entry, len(b)/packEntryLen)
	for i := range entries {
		e, row := &entries[i], b[i*packEntryLen:]
		copy(e.ID[:], row)
		e.Offset, e.Stored, e.Raw = le64(row[32:]), le32(row[40:]), le32(row[44:])
		e.Codec, e.Filter = row[48], row[49]
		if i > 0 && bytes.Compare(entries[i-1].ID[:], e.ID[:]) >= 0 {
			return nil, fmt.Errorf("table not sorted at entry %d", i)
		}
		if e.Offset < uint64(len(packHeader)) || e.Offset > end || uint64(e.Stored) > end-e.Offset || e.Raw > codec.MaxChunk {
			return nil, fmt.Errorf("table entry %d lies outside the pack", i)
		}
	}
	return entries, nil
}

// packTrailer closes a pack.
type packTrailer struct {
	table uint64
	count uint32
	id    index.ID
}

func (t packTrailer) encode() []byte {
	out := binary.LittleEndian.AppendUint64(nil, t.table)
	out = binary.LittleEndian.AppendUint32(out, t.count)
	out = binary.LittleEndian.AppendUint32(out, packVersion)
	out = append(out, t.id[:]...)
	return append(out, packTrailerTag...)
}

func decodeTrailer(b []byte, fileSize int64) (t packTrailer, err error) {
	if len(b) != packTrailerLen || string(b[48:]) != packTrailerTag {
		return t, errors.New("no trailer: truncated or not a pack")
	}
	if v := le32(b[12:]); v != packVersion {
		return t, fmt.Errorf("pack version %d is not known to this program", v)
	}
	t.table, t.count = le64(b), le32(b[8:])
	copy(t.id[:], b[16:])
	want := uint64(t.count)*packEntryLen + packTrailerLen
	if t.count > maxPackTable || t.table < uint64(len(packHeader)) || t.table > uint64(fileSize) || t.table+want != uint64(fileSize) {
		return t, errors.New("trailer does not fit the file's length")
	}
	return t, nil
}

// ReadTable reads and verifies the table of a pack of the given size.
func ReadTable(r io.ReaderAt, size int64) (index.ID, []index.Entry, error) {
	if size < int64(len(packHeader))+packTrailerLen {
		return index.ID{}, nil, errors.New("too short for a pack")
	}
	buf := make([]byte, packTrailerLen)
	if _, err := r.ReadAt(buf[:len(packHeader)], 0); err != nil {
		return index.ID{}, nil, err
	}
	if string(buf[:len(packHeader)]) != packHeader {
		return index.ID{}, nil, errors.New("no header: damaged or not a pack")
	}
	if _, err := r.ReadAt(buf, size-packTrailerLen); err != nil {
		return index.ID{}, nil, err
	}
	t, err := decodeTrailer(buf, size)
	if err != nil {
		return index.ID{}, nil, err
	}
	table := make([]byte, int(t.count)*packEntryLen)
	if _, err := r.ReadAt(table, int64(t.table)); err != nil {
		return index.ID{}, nil, err
	}
	if index.Hash(table) != t.id {
		return index.ID{}, nil, errors.New("table does not match the pack's id")
	}
	entries, err := decodeTable(table, t.table)
	return t.id, entries, err
}

// Rows reads the rows of a damaged table, from the trailer back, as long as they
// could be rows. Their contents are to be verified.
func Rows(r io.ReaderAt, size int64) (list []index.Entry) {
	end := size - packTrailerLen
	b := make([]byte, packEntryLen)
	for at := end - packEntryLen; at >= int64(len(packHeader)) && len(list) < maxPackTable; at -= packEntryLen {
		if _, err := r.ReadAt(b, at); err != nil {
			return list
		}
		e := index.Entry{Offset: le64(b[32:]), Stored: le32(b[40:]), Raw: le32(b[44:]), Codec: b[48], Filter: b[49]}
		copy(e.ID[:], b)
		if e.Offset >= uint64(at) || e.Raw > codec.MaxChunk || e.Stored > 2*codec.MaxChunk {
			continue // one damaged row
		}
		list = append(list, e)
	}
	return list
}
