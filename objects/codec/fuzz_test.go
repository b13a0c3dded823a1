package codec

import (
	"bytes"
	"testing"

	"github.com/klauspost/compress/s2"

	"github.com/datafs/datafs/fixtures/samples"
)

func FuzzDecodeChunk(f *testing.F) {
	for _, v := range samples.Vectors[[]storedVector](f, "codec/stored.json") {
		f.Add([]byte(v.Stored), v.Codec, v.Filter, uint32(len(v.Raw)))
	}
	for _, v := range samples.Vectors[[]storedVector](f, "codec/broken.json") {
		f.Add([]byte(v.Stored), v.Codec, v.Filter, uint32(v.Length))
	}
	for _, raw := range samples.Kinds(5000) {
		stored, codec, filter := (&Encoder{}).Encode(nil, raw)
		if codec == Raw {
			stored = raw
		}
		f.Add(stored, codec, filter, uint32(len(raw)))
		f.Add(s2.Encode(nil, raw), uint8(S2), uint8(0), uint32(len(raw)))
	}
	d := &Decoder{}
	f.Fuzz(func(t *testing.T, stored []byte, codec, filter uint8, rawLen uint32) {
		if rawLen > 1<<20 {
			return
		}
		before := bytes.Clone(stored)
		got, err := d.Decode([]byte("x"), stored, codec, filter, int(rawLen))
		if !bytes.Equal(stored, before) {
			t.Error("it wrote to the stored bytes")
		}
		if err != nil && len(got) != 1 {
			t.Errorf("%d bytes with the error %v", len(got)-1, err)
		}
		if err == nil && len(got) != 1+int(rawLen) {
			t.Errorf("%d bytes, want %d", len(got)-1, rawLen)
		}
		if got[0] != 'x' {
			t.Error("it wrote over what was there")
		}
	})
}

func FuzzFilters(f *testing.F) {
	f.Add([]byte("0123456789abcdefXYZ"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, filter := range []uint8{2, 4, 8, 2 | filterDelta, 4 | filterDelta, 8 | filterDelta} {
			s, back := make([]byte, len(b)), make([]byte, len(b))
			applyFilter(s, b, filter)
			undoFilter(back, s, filter)
			if !bytes.Equal(back, b) {
				t.Errorf("filter %d: %x came back as %x", filter, b, back)
			}
		}
	})
}

func FuzzEncode(f *testing.F) {
	for _, raw := range samples.Kinds(3000) {
		f.Add(raw)
	}
	var e Encoder
	var d Decoder
	f.Fuzz(func(t *testing.T, raw []byte) {
		stored, codec, filter := e.Encode(nil, raw)
		if codec == Raw {
			stored = raw
		}
		if got, err := d.Decode(nil, stored, codec, filter, len(raw)); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("%d bytes came back as %d, %v", len(raw), len(got), err)
		}
	})
}
