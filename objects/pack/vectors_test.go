package pack

import (
	"bufio"
	"bytes"
	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
	"os"
	"slices"
	"testing"
)

type packVector struct {
	About  string
	Hex    samples.HexBytes
	ID     index.ID
	Chunks []struct {
		ID  index.ID
		Raw samples.HexBytes
	}
}

func TestPacksOfTheVectorsAreRead(t *testing.T) {
	for _, v := range samples.Vectors[[]packVector](t, "pack/good.json") {
		id, entries, err := ReadTable(bytes.NewReader(v.Hex), int64(len(v.Hex)))
		if err != nil || id != v.ID || len(entries) != len(v.Chunks) {
			t.Errorf("%s: pack %s of %d chunks, %v", v.About, id, len(entries), err)
			continue
		}
		var d codec.Decoder
		for i, e := range entries {
			stored := v.Hex[e.Offset : e.Offset+uint64(e.Stored)]
			raw, err := d.Decode(nil, stored, e.Codec, e.Filter, int(e.Raw))
			if err != nil || e.ID != v.Chunks[i].ID || !bytes.Equal(raw, v.Chunks[i].Raw) || index.Hash(raw) != e.ID {
				t.Errorf("%s: chunk %d: %x, %v", v.About, i, raw, err)
			}
		}
	}
}

// TestPacksOfTheVectorsAreWritten shows that a pack of raw chunks is written as
// the format says, byte for byte.
func TestPacksOfTheVectorsAreWritten(t *testing.T) {
	v := samples.Vectors[[]packVector](t, "pack/good.json")[0]
	_, entries, err := ReadTable(bytes.NewReader(v.Hex), int64(len(v.Hex)))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(entries, func(a, b index.Entry) int { return int(a.Offset) - int(b.Offset) })
	d := newDir(t)
	p, err := d.NewWriter(bufio.NewWriter(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := p.Add(index.Entry{ID: e.ID, Raw: e.Raw}, v.Hex[e.Offset:e.Offset+uint64(e.Stored)]); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := p.Commit(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(d.Path(v.ID))
	if err != nil || !bytes.Equal(got, v.Hex) {
		t.Errorf("wrote %x, %v\nwant %x", got, err, v.Hex)
	}
}

func TestBrokenPacksOfTheVectorsAreRefused(t *testing.T) {
	for _, v := range samples.Vectors[[]packVector](t, "pack/broken.json") {
		if id, entries, err := ReadTable(bytes.NewReader(v.Hex), int64(len(v.Hex))); err == nil {
			t.Errorf("%s: read as pack %s of %d chunks", v.About, id, len(entries))
		}
	}
}
