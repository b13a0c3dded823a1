package catalog

import (
	"encoding/binary"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
)

// A file of the catalogue is a commit, or a run, which stands for several
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
	catalogMagic   = "DFSCAT"
	catalogVersion = 1
	catalogCommit  = 1 // kinds
	catalogRun     = 2

	catalogIDEnd  = 24 // where the write id ends
	catalogHeader = 56

	maxCatalogContents = 64 << 20 // bytes of contents that are decoded
	maxCommitFile      = 16 << 20 // bytes of a commit's file
	maxRunFile         = 32 << 20 // bytes of a run's file

	maxCommitBytes   = 4 << 20 // keys and values in a commit, unless one change alone is larger
	maxCommitChanges = 10_000
	maxRunBytes      = 16 << 20 // keys and values in a run
	maxRunChanges    = 500_000
)

// writeID tells a commit from all others.
type writeID [16]byte

// catChange is a change of a record; value nil: it was deleted. It must not be
// changed, as it is shared.
type catChange struct {
	key   string
	value []byte
	rev   uint64 // the commit that it was made by
}

func (c catChange) size() int { return len(c.key) + len(c.value) }

// catFile is a decoded commit or run.
type catFile struct {
	kind        byte
	table       string
	first, last uint64
	id, prev    writeID
	changes     []catChange
	size        int // bytes of the contents
}

// find gives the change of a key.
func (f *catFile) find(key string) (catChange, bool) {
	for _, c := range f.changes {
		if c.key == key {
			return c, true
		}
	}
	return catChange{}, false
}

// encodeCatalogFile makes the bytes of a file: the same ones for equal files.
func encodeCatalogFile(f *catFile) []byte {
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
	return sealCatalog(f.kind, f.id, b)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// sealCatalog puts the header before the compressed contents.
func sealCatalog(kind byte, id writeID, contents []byte) []byte {
	out := make([]byte, 0, catalogHeader+len(contents)/3)
	out = append(append(out, catalogMagic...), catalogVersion, kind)
	out = append(out, id[:]...)
	sum := catalogSum(out, contents)
	return catalogEncoder().EncodeAll(contents, append(out, sum[:]...))
}

func catalogSum(head, contents []byte) (sum [32]byte) {
	h := blake3.New()
	h.Write(head)
	h.Write(contents)
	h.Sum(sum[:0])
	return sum
}

var catalogEncoder = sync.OnceValue(func() *zstd.Encoder {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false), zstd.WithSingleSegment(true))
	if err != nil {
		panic(err) // the options are constants
	}
	return enc
})

var catalogDecoder = sync.OnceValue(func() *zstd.Decoder {
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxCatalogContents),
		zstd.WithDecodeAllCapLimit(true)) // or a second frame could ask for more
	if err != nil {
		panic(err) // the options are constants
	}
	return dec
})

func corruptCatalog(format string, args ...any) error {
	return remote.AtAuthority(fmt.Errorf("%w: %s", refs.ErrCorrupt, fmt.Sprintf(format, args...)))
}

// checkCatalogHead refuses what does not begin as a file of this kind, and gives
// its write id.
func checkCatalogHead(b []byte, kind byte) (id writeID, err error) {
	switch {
	case len(b) < catalogIDEnd || string(b[:len(catalogMagic)]) != catalogMagic:
		return id, corruptCatalog("not a file of a catalogue")
	case b[6] != catalogVersion:
		return id, fmt.Errorf("format %d of a catalogue, this program knows %d: use a newer one", b[6], catalogVersion)
	case b[7] != kind:
		return id, corruptCatalog("kind %d, want %d", b[7], kind)
	}
	return writeID(b[8:catalogIDEnd]), nil
}

// openCatalog checks a file and gives its contents.
func openCatalog(b []byte, kind byte) ([]byte, writeID, error) {
	id, err := checkCatalogHead(b, kind)
	if err != nil {
		return nil, id, err
	}
	if len(b) < catalogHeader {
		return nil, id, corruptCatalog("cut off in the header")
	}
	frame := b[catalogHeader:]
	var h zstd.Header
	if err := h.Decode(frame); err != nil {
		return nil, id, corruptCatalog("%v", err)
	}
	if !h.HasFCS || h.FrameContentSize > maxCatalogContents {
		return nil, id, corruptCatalog("contents of %d bytes, at most %d", h.FrameContentSize, maxCatalogContents)
	}
	contents, err := catalogDecoder().DecodeAll(frame, make([]byte, 0, h.FrameContentSize))
	if err != nil {
		return nil, id, corruptCatalog("%v", err)
	}
	if catalogSum(b[:catalogIDEnd], contents) != [32]byte(b[catalogIDEnd:catalogHeader]) {
		return nil, id, corruptCatalog("wrong checksum")
	}
	return contents, id, nil
}

// decodeCatalogFile undoes encodeCatalogFile. All that it gives has been
// checked: kind, order, and the keys and values as refs checks them.
func decodeCatalogFile(b []byte, kind byte) (*catFile, error) {
	contents, id, err := openCatalog(b, kind)
	if err != nil {
		return nil, err
	}
	r := catReader{b: contents}
	f := &catFile{kind: kind, id: id, size: len(contents)}
	f.table = string(r.text())
	f.first, f.last = r.number(), r.number()
	f.prev = writeID(append(r.bytes(16), make([]byte, 16)...)[:16])
	n, most := r.number(), uint64(maxCommitChanges)
	if kind == catalogRun {
		most = maxRunChanges
	}
	if r.bad || n > most || n > uint64(len(r.b))/3 || f.first == 0 || f.last < f.first || f.last-f.first >= maxRunLength ||
		kind == catalogCommit && f.first != f.last {
		return nil, corruptCatalog("impossible numbers")
	}
	f.changes = make([]catChange, 0, n)
	if err := r.changes(f, n); err != nil {
		return nil, err
	}
	if len(r.b) > 0 {
		return nil, corruptCatalog("%d bytes too many", len(r.b))
	}
	return f, nil
}
