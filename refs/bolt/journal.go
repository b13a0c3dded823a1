package bolt

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
)

// The journal: everything that Manager keeps, as a file that only ever grows at
// its end, so that it survives the loss of the index. All numbers are
// little-endian, "uvarint" is encoding/binary's. A directory holds one file per
// generation, named by eight decimal digits and ".journal"; the highest one
// counts, and a file that ends in ".tmp" is unfinished and never does.
//
//	file    = header, frames
//	header  = 48 bytes:
//	   0  8  magic "datafsJ\n"
//	   8  4  version, 1; a program that does not know the version must not touch the file
//	  12  4  0
//	  16  8  generation, as in the file's name
//	  24  8  where the snapshot ends: frames before it are the state that the
//	         file began with and were complete before it had its name
//	  32 16  checksum: the first 16 bytes of the BLAKE3 of bytes 0 to 31
//	frame   = 28 bytes, then the payload:
//	   0  4  length of the payload, at most 16 MiB
//	   4  4  flags: 1 a transaction begins with this frame, 2 it ends with it
//	   8 16  checksum: the first 16 bytes of the BLAKE3 of the checksum of the
//	         frame before, bytes 0 to 7 of this one and the payload. The first
//	         frame takes, for the one before, the first 16 bytes of the BLAKE3
//	         of bytes 0 to 23 of the header.
//	  24  4  CRC-32C of the frame's offset in the file (8 bytes) and of bytes 0
//	         to 23: so a length is known to be right before the payload is there
//	payload = uvarint: the last sequence number given out; then changes:
//	  kind byte:   1 put, 2 delete, 3 create table, 4 delete table, 5 keep, 6 forget;
//	               another kind is from a newer program, and nothing is read
//	  table        uvarint length, bytes; of keep and forget the kept bucket
//	  put, delete: key (uvarint length, bytes), uvarint sequence number
//	  keep, forget: key (uvarint length, bytes)
//	  put, keep:   value (uvarint length, bytes)
//
// Kept buckets (keep, forget) hold what only this repository knows and what is no
// record: the bucket "graves" has deleted records, those of package remote what a
// team had at the last pull. They came later than the rest. The version stays 1,
// as journals without them read as before, and a program that does not know the
// kinds 5 and 6 refuses a journal that has them by the rule above. Such a program
// may still append, and compact, while its index is in step; then it leaves out
// the number of their form in the index's mark, and the journal is written anew
// with all that the index keeps.
//
// A frame is written, and fsynced, before what it says is acknowledged. So after
// a crash the end of the file may be torn: the last transaction lacks its end,
// or its frames are not what was written. How much of it is acknowledged, the
// index knows; see scan for what happens without it.
const (
	journalMagic   = "datafsJ\n"
	journalVersion = 1
	headerSize     = 48
	frameSize      = 28
	sumSize        = 16
	maxPayload     = 16 << 20
	fullPayload    = 1 << 20 // a frame that has grown to this is written

	flagBegin = 1
	flagEnd   = 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

type checksum [sumSize]byte

func sumOf(parts ...[]byte) (s checksum) {
	h := blake3.New()
	for _, p := range parts {
		h.Write(p)
	}
	copy(s[:], h.Sum(nil))
	return s
}

// journalHeader is the decoded header of a journal file.
type journalHeader struct {
	generation  uint64
	snapshotEnd int64
}

func (h journalHeader) encode() []byte {
	b := make([]byte, headerSize)
	copy(b, journalMagic)
	binary.LittleEndian.PutUint32(b[8:], journalVersion)
	binary.LittleEndian.PutUint64(b[16:], h.generation)
	binary.LittleEndian.PutUint64(b[24:], uint64(h.snapshotEnd))
	sum := sumOf(b[:32])
	copy(b[32:], sum[:])
	return b
}

// firstSum is what the first frame's checksum continues.
func (h journalHeader) firstSum() checksum { return sumOf(h.encode()[:24]) }

func decodeHeader(b []byte) (h journalHeader, err error) {
	if len(b) < headerSize || string(b[:8]) != journalMagic {
		return h, fmt.Errorf("not a journal: %w", index.ErrCorrupt)
	}
	if checksum(b[32:headerSize]) != sumOf(b[:32]) {
		return h, fmt.Errorf("broken header: %w", index.ErrCorrupt)
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != journalVersion {
		return h, fmt.Errorf("journal has format %d, this program knows %d: use a newer one", v, journalVersion)
	}
	h.generation = binary.LittleEndian.Uint64(b[16:])
	end := binary.LittleEndian.Uint64(b[24:])
	if end < headerSize || end > math.MaxInt64 || binary.LittleEndian.Uint32(b[12:]) != 0 {
		return h, fmt.Errorf("broken header: %w", index.ErrCorrupt)
	}
	h.snapshotEnd = int64(end)
	return h, nil
}

// frameHeader is the decoded head of a frame.
type frameHeader struct {
	length uint32
	flags  uint32
	sum    checksum
}

// encodeFrame puts a head before payload, which lies at offset in the file and
// follows a frame with the checksum before.
func encodeFrame(payload []byte, flags uint32, offset int64, before checksum) ([]byte, checksum) {
	b := make([]byte, frameSize, frameSize+len(payload))
	binary.LittleEndian.PutUint32(b, uint32(len(payload)))
	binary.LittleEndian.PutUint32(b[4:], flags)
	sum := sumOf(before[:], b[:8], payload)
	copy(b[8:], sum[:])
	binary.LittleEndian.PutUint32(b[24:], frameCRC(b, offset))
	return append(b, payload...), sum
}

func frameCRC(b []byte, offset int64) uint32 {
	var at [8]byte
	binary.LittleEndian.PutUint64(at[:], uint64(offset))
	return crc32.Update(crc32.Checksum(at[:], castagnoli), castagnoli, b[:24])
}

// decodeFrame reports false for what is not the head of a frame at offset.
func decodeFrame(b []byte, offset int64) (frameHeader, bool) {
	f := frameHeader{length: binary.LittleEndian.Uint32(b), flags: binary.LittleEndian.Uint32(b[4:]), sum: checksum(b[8:24])}
	ok := f.length <= maxPayload && f.flags <= flagBegin|flagEnd && binary.LittleEndian.Uint32(b[24:]) == frameCRC(b, offset)
	return f, ok
}

func (f frameHeader) verify(b, payload []byte, before checksum) bool {
	return f.sum == sumOf(before[:], b[:8], payload)
}

// An op is one change as the journal keeps it.
type op struct {
	kind  byte
	table string
	key   string
	seq   uint64
	value []byte
}

const (
	opPut         = 1
	opDelete      = 2
	opCreateTable = 3
	opDeleteTable = 4
	opKeep        = 5
	opForget      = 6
)

// hasKey reports whether the encoded op has a key, hasValue whether it has a
// value.
func (o op) hasKey() bool   { return o.kind != opCreateTable && o.kind != opDeleteTable }
func (o op) hasValue() bool { return o.kind == opPut || o.kind == opKeep }

// hasSeq reports whether the encoded op has a sequence number.
func (o op) hasSeq() bool { return o.kind == opPut || o.kind == opDelete }

func (o op) append(b []byte) []byte {
	b = appendBytes(append(b, o.kind), o.table)
	if o.hasKey() {
		b = appendBytes(b, o.key)
	}
	if o.hasSeq() {
		b = binary.AppendUvarint(b, o.seq)
	}
	if o.hasValue() {
		b = appendBytes(b, o.value)
	}
	return b
}

func appendBytes[T string | []byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// size is the length of the encoded op.
func (o op) size() int64 { return opSize(o.table, o.key, o.seq, len(o.value), o.kind) }

func opSize(table, key string, seq uint64, value int, kind byte) int64 {
	o := op{kind: kind}
	n := 1 + bytesSize(len(table)) + bytesSize(len(key))
	if o.hasSeq() {
		n += uvarintSize(seq)
	}
	if o.hasValue() {
		n += bytesSize(value)
	}
	return int64(n)
}

func bytesSize(n int) int { return uvarintSize(uint64(n)) + n }

func uvarintSize(n uint64) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

// payloadReader takes a payload apart. Its first error stays.
type payloadReader struct {
	rest []byte
	err  error
}

func (p *payloadReader) fail(what string) {
	if p.err == nil {
		p.err = fmt.Errorf("%s: %w", what, index.ErrCorrupt)
	}
	p.rest = nil
}

func (p *payloadReader) uvarint() uint64 {
	n, size := binary.Uvarint(p.rest)
	if size <= 0 {
		p.fail("broken number in a change")
		return 0
	}
	p.rest = p.rest[size:]
	return n
}

func (p *payloadReader) bytes() []byte {
	n := p.uvarint()
	if n > uint64(len(p.rest)) {
		p.fail("change is cut short")
		return nil
	}
	b := p.rest[:n:n]
	p.rest = p.rest[n:]
	return b
}

// next gives the next op, or false at the end or after an error.
func (p *payloadReader) next() (op, bool) {
	if len(p.rest) == 0 {
		return op{}, false
	}
	o := op{kind: p.rest[0]}
	if o.kind < opPut || o.kind > opForget {
		p.err = fmt.Errorf("change of unknown kind %d: use a newer program", o.kind)
		return op{}, false
	}
	p.rest = p.rest[1:]
	o.table = string(p.bytes())
	if o.hasKey() {
		o.key = string(p.bytes())
	}
	if o.hasSeq() {
		o.seq = p.uvarint()
	}
	if o.hasValue() {
		o.value = p.bytes()
	}
	return o, p.err == nil
}

// readFull reads all of b at off; it is an error if the file ends before.
func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
