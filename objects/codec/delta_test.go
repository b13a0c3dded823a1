package codec

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
)

// edited returns b with n bytes from at on replaced by with.
func edited(b []byte, at, n int, with []byte) []byte {
	return slices.Concat(b[:at], with, b[at+n:])
}

// deltaCases are a base, a target, and the most literals that the delta may
// have.
func deltaCases() map[string]struct {
	base, target []byte
	literals     int
} {
	base := samples.Random(1, 64<<10)
	fill := bytes.Repeat([]byte{0, 0, 0x80, 0x60}, 16<<10)
	type c = struct {
		base, target []byte
		literals     int
	}
	return map[string]c{
		"the same":                        {base, base, 0},
		"a block is overwritten":          {base, edited(base, 20000, 4096, samples.Random(2, 4096)), 4096 + 14},
		"bytes go in":                     {base, edited(base, 20001, 0, samples.Random(2, 1001)), 1001 + 14},
		"bytes go out":                    {base, edited(base, 20001, 999, nil), 14},
		"the parts change places":         {base, slices.Concat(base[30001:], base[:30001]), 100},
		"it is the end of the base":       {base, base[50001:], 100},
		"it is the base twice":            {base, slices.Concat(base, base), 100},
		"a fill value, and a block in it": {fill, edited(fill, 30000, 4096, samples.Random(2, 4096)), 4096 + 14},
		"a fill value, longer":            {fill, slices.Concat(fill, fill, fill), 100},
		"one byte at the end":             {base, append(bytes.Clone(base), 1), 100},
	}
}

func TestADeltaGivesTheTargetAndHoldsWhatIsNew(t *testing.T) {
	var e DeltaEncoder
	for name, c := range deltaCases() {
		delta := e.Encode([]byte("x"), c.base, c.target)
		got, err := decodeDelta([]byte("y"), c.base, delta[1:], len(c.target))
		if err != nil || !bytes.Equal(got, append([]byte("y"), c.target...)) {
			t.Errorf("%s: it came back as %d bytes, %v; want %d", name, len(got)-1, err, len(c.target))
		}
		copies, literals, err := splitDelta(delta[1:])
		if err != nil || len(literals) > c.literals || len(copies) > 64 {
			t.Errorf("%s: %d literals and %d bytes of copies, %v; want at most %d and 64", name, len(literals), len(copies), err, c.literals)
		}
		if n, err := literalLen(copies, len(c.target)); n != len(literals) || err != nil {
			t.Errorf("%s: by its copies it has %d literals, %v; want %d", name, n, err, len(literals))
		}
	}
}

func TestThereIsNoDeltaOfWhatIsMostlyNew(t *testing.T) {
	var e DeltaEncoder
	base := samples.Random(1, 64<<10)
	for name, target := range map[string][]byte{
		"other bytes": samples.Random(2, 64<<10), "mostly other bytes": edited(base, 1000, 40<<10, samples.Random(2, 40<<10)), "few bytes": samples.Random(1, 20),
	} {
		if got := e.Encode(nil, base, target); len(got) > 0 {
			t.Errorf("%s: a delta of %d bytes", name, len(got))
		}
	}
}

func TestLiteralsOfADeltaAreWholeWordsOfTheTarget(t *testing.T) {
	var e DeltaEncoder
	base := samples.Random(1, 64<<10)
	target := edited(base, 20002, 3001, samples.Random(2, 3001))
	_, literals, err := splitDelta(e.Encode(nil, base, target))
	if at := bytes.Index(target, literals); err != nil || at%deltaWord != 0 || len(literals)%deltaWord != 0 {
		t.Errorf("literals at %d of the target, %d bytes, %v", at, len(literals), err)
	}
}

func TestABrokenDeltaIsRefused(t *testing.T) {
	base := []byte("0123456789")
	delta := func(copies []byte, literals string) []byte {
		return append(append(binary.AppendUvarint(nil, uint64(len(copies))), copies...), literals...)
	}
	for name, c := range map[string]struct {
		delta  []byte
		rawLen int
	}{
		"nothing at all":                 {nil, 0},
		"more copies than there are":     {[]byte{9, 0}, 1},
		"a copy cut short":               {delta([]byte{0, 3}, ""), 3},
		"a copy of no bytes":             {delta([]byte{0, 0, 0}, ""), 0},
		"a copy before the base":         {delta([]byte{0, 3, 1}, ""), 3},
		"a copy behind the base":         {delta([]byte{0, 3, 16}, ""), 3},
		"a copy longer than the base":    {delta([]byte{0, 11, 0}, ""), 11},
		"a copy longer than the target":  {delta([]byte{0, 4, 0}, ""), 3},
		"more literals than the target":  {delta(nil, "abcd"), 3},
		"fewer literals than the target": {delta(nil, "ab"), 3},
		"literals that are not there":    {delta([]byte{2, 1, 0}, "a"), 3},
		"literals left over":             {delta([]byte{1, 2, 0}, "ab"), 3},
	} {
		if got, err := decodeDelta([]byte("x"), base, c.delta, c.rawLen); err == nil || string(got) != "x" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestTheStoredFormOfADeltaComesBack(t *testing.T) {
	var e DeltaEncoder
	enc, dec := &Encoder{}, &Decoder{}
	for kind, base := range samples.Kinds(64 << 10) {
		target := edited(base, 10000, 4096, samples.Kinds(128 << 10)[kind][100<<10:104<<10])
		delta := e.Encode(nil, base, target)
		if len(delta) == 0 {
			t.Errorf("%s: no delta", kind)
			continue
		}
		stored, err := enc.AppendDelta(nil, []index.ID{index.Hash(base)}, delta)
		if err != nil {
			t.Fatal(err)
		}
		sd, err := ParseDelta(stored)
		if err != nil || !slices.Equal(sd.Bases, []index.ID{index.Hash(base)}) {
			t.Errorf("%s: bases %x, %v", kind, sd.Bases, err)
		}
		got, _, err := dec.DecodeDelta(nil, base, sd, nil, len(target))
		if err != nil || !bytes.Equal(got, target) {
			t.Errorf("%s: it came back as %d bytes, %v", kind, len(got), err)
		}
	}
}

func FuzzDecodeDelta(f *testing.F) {
	var e DeltaEncoder
	for _, c := range deltaCases() {
		if len(c.base) > 5000 && len(c.target) > 5000 {
			f.Add(c.base[:5000], e.Encode(nil, c.base[:5000], c.target[:5000]), uint32(5000))
		}
	}
	f.Add([]byte("0123456789"), []byte{3, 1, 2, 0, 'a'}, uint32(3))
	f.Fuzz(func(t *testing.T, base, delta []byte, rawLen uint32) {
		if rawLen > 1<<20 {
			return
		}
		dst := append(make([]byte, 0, 1+rawLen), 'x')
		got, err := decodeDelta(dst, base, delta, int(rawLen))
		if want := 1 + int(rawLen); (err == nil && len(got) != want) || (err != nil && len(got) != 1) || cap(got) > cap(dst) {
			t.Errorf("%d bytes, room for %d, %v; want %d", len(got), cap(got), err, want)
		}
		var d Decoder
		if sd, err := ParseDelta(delta); err == nil {
			d.DecodeDelta(nil, base, sd, nil, int(rawLen))
		}
	})
}

func FuzzEncodeDelta(f *testing.F) {
	f.Add([]byte("0123456789012345678901234567890123456789"), []byte("56789012345678901234567890123456789abc"), uint64(1))
	var e DeltaEncoder
	f.Fuzz(func(t *testing.T, base, target []byte, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		for range rnd.IntN(8) { // so that there is something to copy
			at, n := rnd.IntN(len(base)+1), rnd.IntN(200)
			target = slices.Concat(target, base[at:min(at+n, len(base))])
		}
		delta := e.Encode(nil, base, target)
		if len(delta) == 0 {
			return
		}
		if got, err := decodeDelta(nil, base, delta, len(target)); err != nil || !bytes.Equal(got, target) {
			t.Errorf("%d bytes came back as %d, %v", len(target), len(got), err)
		}
	})
}
