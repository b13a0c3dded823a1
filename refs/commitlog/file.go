package commitlog

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/refs"
)

// A file of a log is a commit, or a run, which stands for several
// commits that follow each other. Its bytes:
//
//	 0  6  magic "DFSCAT"
//	 6  1  version of the format, 1; another one is refused
//	 7  1  kind: 1 a commit, 2 a run
//	 8 16  write id: random in a commit; in a run that of its last commit
//	24 32  BLAKE3 of bytes 0 to 23 followed by the contents
//	56     the contents as one zstd frame, which announces their size
//
// The contents, where numbers are unsigned LEB128 in their shortest form and a
// text is its length in bytes and the bytes:
//
//	text    name of the table
//	number  first commit
//	number  last commit; the first one again in a commit
//	16      write id of the commit before the first; zero before commit 1
//	number  of changes that follow, 10,000 in a commit and 500,000 in a run at
//	        most, by rising commit, no key twice:
//	        number  commit of the change minus first commit
//	        text    key
//	        number  0: deleted; else length of the value plus 1
//	        value
//
// Nothing follows. The write ids chain the commits together, so that a log that
// was set back to an older state and written on is told from what was known.
const (
	magic       = "DFSCAT"
	fileVersion = 1
	commitKind  = 1 // kinds
	runKind     = 2

	HeadSize   = 24 // where the write id ends
	headerSize = 56

	maxContents   = 64 << 20 // bytes of contents that are decoded
	MaxCommitFile = 16 << 20 // bytes of a commit's file
	MaxRunFile    = 32 << 20 // bytes of a run's file

	maxCommitBytes   = 4 << 20 // keys and values in a commit, unless one change alone is larger
	maxCommitChanges = 10_000
	maxRunBytes      = 16 << 20 // keys and values in a run
	maxRunChanges    = 500_000

	runWidth     = 32 // how many commits or runs a run stands for
	runLevels    = 6
	maxRunLength = 1 << (5 * runLevels) // runWidth^runLevels
)

// writeID tells a commit from all others.
type writeID [16]byte

// edit is a change of a record; value nil: it was deleted. It must not be
// changed, as it is shared.
type edit struct {
	key   string
	value []byte
	rev   uint64 // the commit that it was made by
}

func (c edit) size() int { return len(c.key) + len(c.value) }

// file is a decoded commit or run.
type file struct {
	kind        byte
	table       string
	first, last uint64
	id, prev    writeID
	changes     []edit
	size        int // bytes of the contents
}

// find gives the change of a key.
func (f *file) find(key string) (edit, bool) {
	for _, c := range f.changes {
		if c.key == key {
			return c, true
		}
	}
	return edit{}, false
}

// encodeFile makes the bytes of a file: the same ones for equal files.
func encodeFile(f *file) []byte {
	size := 64 + len(f.table)
	for _, c := range f.changes {
		size += c.size() + 15
	}
	b := make([]byte, 0, size)
	b = appendText(b, f.table)
	b = binary.AppendUvarint(b, f.first)
	b = binary.AppendUvarint(b, f.last)
	b = append(b, f.prev[:]...)
	b = binary.AppendUvarint(b, uint64(len(f.changes)))
	for _, c := range f.changes {
		b = binary.AppendUvarint(b, c.rev-f.first)
		b = appendText(b, c.key)
		if c.value == nil {
			b = append(b, 0)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(c.value))+1)
		b = append(b, c.value...)
	}
	return seal(f.kind, f.id, b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// seal puts the header before the compressed contents.
func seal(kind byte, id writeID, contents []byte) []byte {
	out := make([]byte, 0, headerSize+len(contents)/3)
	out = append(append(out, magic...), fileVersion, kind)
	out = append(out, id[:]...)
	sum := checksum(out, contents)
	return encoder().EncodeAll(contents, append(out, sum[:]...))
}

func checksum(head, contents []byte) (sum [32]byte) {
	h := blake3.New()
	h.Write(head)
	h.Write(contents)
	h.Sum(sum[:0])
	return sum
}

var encoder = sync.OnceValue(func() *zstd.Encoder {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return enc
})

var decoder = sync.OnceValue(func() *zstd.Decoder {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxContents),
		zstd.WithDecodeAllCapLimit(true)) // or a second frame could ask for more
	if err != nil {
		panic(err) // the options are constants
	}
	return dec
})

func corrupt(format string, args ...any) error {
	return fmt.Errorf("%w: %s", refs.ErrCorrupt, fmt.Sprintf(format, args...))
}

// checkHead refuses what does not begin as a file of this kind, and gives
// its write id.
func checkHead(b []byte, kind byte) (id writeID, err error) {
	switch {
	case len(b) < HeadSize || string(b[:len(magic)]) != magic:
		return id, corrupt("not a commit or a run")
	case b[6] != fileVersion:
		return id, fmt.Errorf("format %d of a log, this program knows %d: use a newer one", b[6], fileVersion)
	case b[7] != kind:
		return id, corrupt("kind %d, want %d", b[7], kind)
	}
	return writeID(b[8:HeadSize]), nil
}

// open checks a file and gives its contents.
func open(b []byte, kind byte) ([]byte, writeID, error) {
	id, err := checkHead(b, kind)
	if err != nil {
		return nil, id, err
	}
	if len(b) < headerSize {
		return nil, id, corrupt("cut off in the header")
	}
	frame := b[headerSize:]
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		return nil, id, corrupt("%v", err)
	}
	if !h.HasFCS || h.FrameContentSize > maxContents {
		return nil, id, corrupt("contents of %d bytes, at most %d", h.FrameContentSize, maxContents)
	}
	contents, err := decoder().DecodeAll(frame, make([]byte, 0, h.FrameContentSize))
	if err != nil {
		return nil, id, corrupt("%v", err)
	}
	if checksum(b[:HeadSize], contents) != [32]byte(b[HeadSize:headerSize]) {
		return nil, id, corrupt("wrong checksum")
	}
	return contents, id, nil
}

// decodeFile undoes encodeFile. All that it gives has been
// checked: kind, order, and the keys and values as refs checks them.
func decodeFile(b []byte, kind byte) (*file, error) {
	contents, id, err := open(b, kind)
	if err != nil {
		return nil, err
	}
	r := reader{b: contents}
	f := &file{kind: kind, id: id, size: len(contents)}
	f.table = string(r.text())
	f.first, f.last = r.number(), r.number()
	f.prev = writeID(append(r.bytes(16), make([]byte, 16)...)[:16])
	n, most := r.number(), uint64(maxCommitChanges)
	if kind == runKind {
		most = maxRunChanges
	}
	if r.bad || n > most || n > uint64(len(r.b))/3 || f.first == 0 || f.last < f.first || f.last-f.first >= maxRunLength ||
		kind == commitKind && f.first != f.last {
		return nil, corrupt("impossible numbers")
	}
	f.changes = make([]edit, 0, n)
	if err := r.changes(f, n); err != nil {
		return nil, err
	}
	if len(r.b) > 0 {
		return nil, corrupt("%d bytes too many", len(r.b))
	}
	return f, nil
}
