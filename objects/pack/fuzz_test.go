package pack

import (
	"bytes"
	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
	"testing"
)

func FuzzDecodeTable(f *testing.F) {
	for _, v := range samples.Vectors[[]packVector](f, "pack/good.json") {
		t, err := decodeTrailer(v.Hex[len(v.Hex)-packTrailerLen:], int64(len(v.Hex)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(v.Hex[t.table:len(v.Hex)-packTrailerLen]), t.table)
	}
	f.Add(make([]byte, 2*packEntryLen), uint64(8))
	f.Fuzz(func(t *testing.T, b []byte, end uint64) {
		entries, err := decodeTable(b, end)
		if err != nil {
			return
		}
		for _, e := range entries {
			if e.Offset < 8 || e.Offset+uint64(e.Stored) > end || e.Offset+uint64(e.Stored) < e.Offset || e.Raw > codec.MaxChunk {
				t.Errorf("took %+v with the table at %d", e, end)
			}
		}
		if again := encodeTable(entries); !bytes.Equal(again, b) {
			t.Errorf("encoded again it is %x, not %x", again, b)
		}
	})
}

func FuzzDecodeTrailer(f *testing.F) {
	for _, name := range []string{"pack/good.json", "pack/broken.json"} {
		for _, v := range samples.Vectors[[]packVector](f, name) {
			f.Add([]byte(v.Hex[max(0, len(v.Hex)-packTrailerLen):]), int64(len(v.Hex)))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, size int64) {
		if size < 0 {
			return
		}
		trailer, err := decodeTrailer(b, size)
		if err != nil {
			return
		}
		if end := trailer.table + uint64(trailer.count)*packEntryLen; trailer.table > uint64(size) || end+packTrailerLen != uint64(size) {
			t.Errorf("took a table at %d of %d entries in a file of %d bytes", trailer.table, trailer.count, size)
		}
		if again := trailer.encode(); !bytes.Equal(again, b) {
			t.Errorf("encoded again it is %x, not %x", again, b)
		}
	})
}

// FuzzReadTable gives the table that it finds its true hash, so that what lies
// behind the hash is reached.
func FuzzReadTable(f *testing.F) {
	for _, name := range []string{"pack/good.json", "pack/broken.json"} {
		for _, v := range samples.Vectors[[]packVector](f, name) {
			f.Add([]byte(v.Hex))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := len(b) - packTrailerLen; n >= 0 {
			if tr, err := decodeTrailer(b[n:], int64(len(b))); err == nil {
				b = bytes.Clone(b)
				id := index.Hash(b[tr.table:n])
				copy(b[n+16:], id[:])
			}
		}
		id, entries, err := ReadTable(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if id != index.Hash(encodeTable(entries)) || string(b[:8]) != packHeader {
			t.Error("took a pack that it would not write")
		}
		for _, e := range entries {
			_ = b[e.Offset : e.Offset+uint64(e.Stored)]
		}
	})
}
