package objects

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/datafs/datafs/fixtures"
	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/objects/codec"
)

// TestRunsHaveFewChunks takes long runs of one value, and sees the chunks agree
// again behind an insertion before the run.
func TestRunsHaveFewChunks(t *testing.T) {
	t.Parallel()
	word := binary.LittleEndian.AppendUint32(nil, math.Float32bits(1e20))
	cases := map[string][]byte{"zeros": {0}, "0xff": {0xff}, "the float32 1e20": word, "two values in turn": {0, 1}, "words of 8": []byte("\x00\x00\x00\x00\x00\x00\xf0\x7f")}
	c := codec.NewChunker(codec.DefaultParams)
	for name, unit := range cases {
		t.Run(name, func(t *testing.T) {
			size := 64 << 20
			if raceEnabled {
				size = 8 << 20
			}
			run := bytes.Repeat(unit, size/len(unit))
			distinct := map[ID]int{}
			for _, n := range samples.CutAll(c, run) {
				distinct[Hash(run[:n])]++
				run = run[n:]
			}
			if len(distinct) > 2+len(unit) {
				t.Errorf("%d distinct chunks", len(distinct))
			}
		})
	}
}

func TestChunksAgreeAgainBehindARun(t *testing.T) {
	word := binary.LittleEndian.AppendUint32(nil, math.Float32bits(1e20))
	c := codec.NewChunker(codec.DefaultParams)
	for name, unit := range map[string][]byte{"zeros": {0}, "the float32 1e20": word} {
		t.Run(name, func(t *testing.T) {
			front, run, back := samples.Random(1, 1<<20), bytes.Repeat(unit, 8<<20/len(unit)), samples.Random(2, 1<<20)
			known := map[ID]bool{}
			add := func(b []byte) (fresh int) {
				for _, n := range samples.CutAll(c, b) {
					if id := Hash(b[:n]); !known[id] {
						known[id] = true
						fresh += n
					}
					b = b[n:]
				}
				return fresh
			}
			base := bytes.Join([][]byte{front, run, back}, nil)
			add(base)
			for _, inserted := range []string{"1", "12", "123", "1234", "a longer insertion"} {
				changed := bytes.Join([][]byte{front[:500_000], []byte(inserted), front[500_000:], run, back}, nil)
				// New are a chunk or two around the insertion, one or two at
				// each end of the run, and in the run one of its phases.
				if fresh := add(changed); fresh > 7*256<<10 {
					t.Errorf("%q inserted: %d new bytes of %d", inserted, fresh, len(changed))
				}
			}
		})
	}
}

// TestFillValuesCostWhatIsNew takes a field in of which most are fill values, and
// again with an insertion before it and more behind it.
func TestFillValuesCostWhatIsNew(t *testing.T) {
	t.Parallel()
	const size, inserted, appended = 16 << 20, 64 << 10, 1 << 20
	var field bytes.Buffer
	if err := fixtures.GridFill(&field, size+appended, 1); err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	added := func(b []byte) (raw, stored int64) {
		_, raw, stored = takeSizes(t, s, &WriterOptions{}, func(w *Writer) (*Result, error) { return w.File(bytes.NewReader(b)) })
		return raw, stored
	}
	if _, stored := added(field.Bytes()[:size]); stored > size/4 {
		t.Errorf("%d bytes became %d", size, stored)
	}
	raw, stored := added(append(samples.Random(1, inserted), field.Bytes()...))
	if edges := int64(3 * codec.DefaultParams.Max); raw > inserted+appended+edges || stored > inserted+appended/3+edges/3 {
		t.Errorf("%d bytes are new, they became %d", raw, stored)
	}
	if raw, stored := added(make([]byte, 64<<20)); raw > int64(2*codec.DefaultParams.Max) || stored > 4<<10 {
		t.Errorf("of zeros %d bytes are new, they became %d", raw, stored)
	}
}
