package codec

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
)

func TestGearTableIsThatOfTheVectors(t *testing.T) {
	v := samples.Vectors[struct {
		Words  map[string]string
		Blake3 index.ID
	}](t, "chunker/gear.json")
	var all []byte
	for i, w := range gearTable() {
		all = binary.LittleEndian.AppendUint64(all, w)
		if want, ok := v.Words[fmt.Sprint(i)]; ok && fmt.Sprintf("%016x", w) != want {
			t.Errorf("word %d is %016x, want %s", i, w, want)
		}
	}
	if got := index.Hash(all); got != v.Blake3 {
		t.Errorf("the table's hash is %s, want %s", got, v.Blake3)
	}
}

func TestCutPointsAreThoseOfTheVectors(t *testing.T) {
	for _, v := range samples.Vectors[[]struct {
		About         string
		Min, Avg, Max int
		Stream        []samples.Part
		Cuts          []int
	}](t, "chunker/cuts.json") {
		t.Run(v.About, func(t *testing.T) {
			p := Params{"gear-v1", v.Min, v.Avg, v.Max}
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			got := samples.CutAll(NewChunker(p), samples.Stream(v.Stream))
			if !slices.Equal(got, v.Cuts) {
				t.Errorf("got  %v\nwant %v", got, v.Cuts)
			}
		})
	}
}

func TestShuffleIsThatOfTheVectors(t *testing.T) {
	for _, v := range samples.Vectors[[]struct {
		About         string
		Filter        uint8
		Raw, Shuffled samples.HexBytes
	}](t, "codec/shuffle.json") {
		got, back := make([]byte, len(v.Raw)), make([]byte, len(v.Raw))
		applyFilter(got, v.Raw, v.Filter)
		undoFilter(back, bytes.Clone(v.Shuffled), v.Filter)
		if !bytes.Equal(got, v.Shuffled) || !bytes.Equal(back, v.Raw) {
			t.Errorf("%s: shuffled %x, unshuffled %x", v.About, got, back)
		}
	}
}

type storedVector struct {
	About         string
	Codec, Filter uint8
	Stored, Raw   samples.HexBytes
	Length        int // of a broken one
}

func TestStoredChunksOfTheVectorsDecode(t *testing.T) {
	var d Decoder
	for _, v := range samples.Vectors[[]storedVector](t, "codec/stored.json") {
		got, err := d.Decode([]byte("before "), v.Stored, v.Codec, v.Filter, len(v.Raw))
		if want := "before " + string(v.Raw); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v; want %q", v.About, got, err, want)
		}
	}
}

func TestBrokenStoredChunksOfTheVectorsAreRefused(t *testing.T) {
	var d Decoder
	for _, v := range samples.Vectors[[]storedVector](t, "codec/broken.json") {
		got, err := d.Decode([]byte("before "), v.Stored, v.Codec, v.Filter, v.Length)
		if err == nil || string(got) != "before " {
			t.Errorf("%s: got %d bytes, %v", v.About, len(got), err)
		}
	}
}

func TestDeltasOfTheVectors(t *testing.T) {
	for _, v := range samples.Vectors[[]struct {
		About       string
		Bases       []samples.HexBytes
		Stored, Raw samples.HexBytes
		Length      int // of a broken one
	}](t, "codec/delta.json") {
		var d Decoder
		var ids []index.ID
		var base []byte
		for _, b := range v.Bases {
			ids, base = append(ids, index.Hash(b)), append(base, b...)
		}
		sd, err := ParseDelta(v.Stored)
		got := []byte("before ")
		if err == nil {
			got, _, err = d.DecodeDelta(got, base, sd, nil, max(v.Length, len(v.Raw)))
		}
		if want := "before " + string(v.Raw); string(got) != want || (err == nil) != (v.Raw != nil) {
			t.Errorf("%s: got %q, %v; want %q", v.About, got, err, want)
		}
		if v.Raw != nil && !slices.Equal(sd.Bases, ids) {
			t.Errorf("%s: bases %v, want %v", v.About, sd.Bases, ids)
		}
	}
}
