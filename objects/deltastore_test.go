package objects

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// changed overwrites a block in each of so many bytes.
func changed(b []byte, seed uint64, every int) []byte {
	b = bytes.Clone(b)
	for at := every / 2; at+4096 <= len(b); at += every {
		copy(b[at:], samples.Random(seed+uint64(at), 4096))
	}
	return b
}

// deltasIn returns the deltas in all packs, and the bases that they need.
func deltasIn(t testing.TB, s *Store) (deltas []index.Loc, bases map[ID]bool) {
	t.Helper()
	bases = map[ID]bool{}
	for id, err := range s.packs.IDs() {
		if err != nil {
			t.Fatal(err)
		}
		_, entries, err := s.packs.Table(id)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Codec == codec.Delta {
				deltas = append(deltas, index.Loc{Entry: e, Pack: id, Found: true})
			}
		}
	}
	err := s.eachBase(context.Background(), deltas, func(_, base *index.Loc, err error) error {
		bases[base.ID] = true
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return deltas, bases
}

// item is a chunk in the form in which it is to be stored.
type item struct {
	raw, stored []byte
	codec       uint8
}

func wholeItem(raw []byte) item { return item{raw, raw, codec.Raw} }

func deltaItem(t testing.TB, raw []byte, bases ...[]byte) item {
	t.Helper()
	var e codec.DeltaEncoder
	var ids []ID
	for _, b := range bases {
		ids = append(ids, Hash(b))
	}
	delta := e.Encode(nil, slices.Concat(bases...), raw)
	stored, err := (&codec.Encoder{}).AppendDelta(nil, ids, delta)
	if err != nil || len(delta) == 0 {
		t.Fatalf("no delta: %v", err)
	}
	return item{raw, stored, codec.Delta}
}

// putPack makes a pack, which the index gets to know only later.
func putPack(t testing.TB, s *Store, items ...item) index.Pack {
	t.Helper()
	p, err := s.packs.NewWriter(bufio.NewWriter(nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range items {
		if err := p.Add(index.Entry{ID: Hash(it.raw), Raw: uint32(len(it.raw)), Codec: it.codec}, it.stored); err != nil {
			t.Fatal(err)
		}
	}
	pack, err := p.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return pack
}

func register(t testing.TB, s *Store, packs ...index.Pack) {
	t.Helper()
	if err := s.index.AddPacks(t.Context(), localSpace, packs...); err != nil {
		t.Fatal(err)
	}
}

func wantChunks(t testing.TB, s *Store, raws ...[]byte) {
	t.Helper()
	for i, raw := range raws {
		if got, err := s.load(t.Context(), Hash(raw)); err != nil || !bytes.Equal(got, raw) {
			t.Errorf("chunk %d: %d bytes, %v; want %d", i, len(got), err, len(raw))
		}
	}
}

func TestAChangedChunkIsStoredAsADifference(t *testing.T) {
	s := newStore(t)
	b := slices.Concat(samples.Random(1, 2<<20), samples.Kinds(1 << 20)["float32"], samples.Kinds(1 << 20)["text"])
	opts := &WriterOptions{}
	first, _ := takeNew(t, s, opts, func(w *Writer) (*Result, error) { return w.File(bytes.NewReader(b)) })
	if deltas, _ := deltasIn(t, s); len(deltas) > 0 {
		t.Errorf("%d deltas in the first version", len(deltas))
	}
	c := slices.Concat(changed(b, 7, 300_000), samples.Random(9, 10_000))
	w := newWriter(t, s, opts)
	second, err := w.File(bytes.NewReader(c))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Finish(), w.Close()); err != nil {
		t.Fatal(err)
	}
	_, stored := w.Added()
	deltas, _ := deltasIn(t, s)
	if len(deltas) <= 10 || stored >= 150_000 {
		t.Errorf("%d deltas, %d bytes stored", len(deltas), stored)
	}
	checkFile(t, s, first.Tree, b)
	checkFile(t, s, second.Tree, c)
}

func TestADifferenceFromADifferenceIsNotMade(t *testing.T) {
	s := newStore(t)
	versions := [][]byte{samples.Random(1, 3<<20)}
	live := []ID{takeBytes(t, s, versions[0]).Tree}
	for v := range 5 {
		b := changed(versions[v], uint64(v+2)*1000, 500_000-100_000*(v%2))
		versions, live = append(versions, b), append(live, takeBytes(t, s, b).Tree)
	}
	deltas, bases := deltasIn(t, s) // which finds the bases whole
	if len(deltas) < 20 || len(bases) < 5 {
		t.Errorf("%d deltas from %d bases", len(deltas), len(bases))
	}
	for i, b := range versions {
		checkFile(t, s, live[i], b)
	}
	for i := range versions[:5] { // each time one version less
		collect(t, s, live[i+1:]...)
		for j := i + 1; j < len(versions); j++ {
			checkFile(t, s, live[j], versions[j])
		}
	}
}

func TestGCKeepsBasesAsLongAsTheirDifferences(t *testing.T) {
	s := newStore(t)
	b := samples.Random(1, 4<<20)
	c := changed(b, 7, 300_000)
	first, second := takeBytes(t, s, b).Tree, takeBytes(t, s, c).Tree
	other := takeBytes(t, s, samples.Random(5, 400_000)).Tree
	dry, err := gcNow(s, t.Context(), true, marks(s, second, other))
	if err != nil {
		t.Fatal(err)
	}
	_, bases := deltasIn(t, s)
	rep := collect(t, s, second, other)
	if rep != dry {
		t.Errorf("done %+v, foretold %+v", rep, dry)
	}
	checkFile(t, s, second, c)
	if isThere(t, s, first) {
		t.Error("the first version is still there")
	}
	for id := range bases {
		if !isThere(t, s, id) {
			t.Errorf("base %s is gone", id)
		}
	}
	collect(t, s, other)
	for id := range bases {
		if isThere(t, s, id) {
			t.Errorf("base %s is still there", id)
		}
	}
	if deltas, _ := deltasIn(t, s); len(deltas) > 0 {
		t.Errorf("%d deltas are left", len(deltas))
	}
}

// TestABrokenOffGCLeavesNoDifferenceWithoutItsBase has dead deltas in a pack
// that is mostly live, and is broken off at every pack.
func TestABrokenOffGCLeavesNoDifferenceWithoutItsBase(t *testing.T) {
	b := samples.Random(1, 3<<20)
	c := changed(b, 7, 300_000)
	for stop := range 4 {
		s := newStore(t)
		takeBytes(t, s, b)
		var live *Result
		dead := take(t, s, func(w *Writer) (*Result, error) {
			var err error
			if live, err = w.File(bytes.NewReader(samples.Random(2, smallPack+1<<20))); err != nil {
				return nil, err
			}
			return w.File(bytes.NewReader(c))
		})
		ctx, cancel := context.WithCancel(t.Context())
		var m Marks
		if err := m.Mark(ctx, s, live.Tree); err != nil {
			t.Fatal(err)
		}
		g := &collector{s: s, live: &m.set, rep: &GCReport{}, buf: bufio.NewWriter(nil)}
		g.step = func() {
			if stop--; stop < 0 {
				cancel()
			}
		}
		err := g.run(ctx)
		g.abort()
		cancel()
		if stop < 0 != errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		deltasIn(t, s) // which finds all bases
		if again := takeBytes(t, s, c); again.Tree != dead.Tree {
			t.Errorf("tree %s, was %s", again.Tree, dead.Tree)
		}
		checkFile(t, s, dead.Tree, c)
	}
}

func TestFewDeadDifferencesDoNotHoldManyBases(t *testing.T) {
	s := newStore(t)
	b := samples.Random(1, 8<<20)
	takeBytes(t, s, b)
	var live *Result
	take(t, s, func(w *Writer) (*Result, error) {
		var err error
		if live, err = w.File(bytes.NewReader(samples.Random(2, smallPack+1<<20))); err != nil {
			return nil, err
		}
		return w.File(bytes.NewReader(changed(b, 7, 60_000)))
	})
	collect(t, s, live.Tree)
	if deltas, _ := deltasIn(t, s); len(deltas) > 0 || len(packPaths(t, s)) > 1 {
		t.Errorf("%d deltas and %d packs are left", len(deltas), len(packPaths(t, s)))
	}
}

// TestTwoChunksThatAreBasesOfEachOther is what writers at once can leave: each
// stored one chunk whole and the other as the difference from it. No order in
// which an index learns of the packs may make both deltas the only copies.
func TestTwoChunksThatAreBasesOfEachOther(t *testing.T) {
	x := samples.Random(1, 100_000)
	y := changed(x, 2, 50_000)
	for _, name := range []string{"rebuilt", "adopted", "registered in order"} {
		for _, deltasFirst := range []bool{false, true} {
			s := newStore(t)
			one := putPack(t, s, wholeItem(x), deltaItem(t, y, x))
			two := putPack(t, s, wholeItem(y), deltaItem(t, x, y))
			plain := putPack(t, s, wholeItem(samples.Random(4, 50_000)))
			packs := []index.Pack{one, two}
			if deltasFirst {
				slices.Reverse(packs)
			}
			switch name {
			case "rebuilt":
				if err := rebuild(t, s, func(p Problem) { t.Error(p.What) }); err != nil {
					t.Fatal(err)
				}
			case "adopted":
				register(t, s, plain, packs[0])
			default:
				register(t, s, packs[0])
				register(t, s, packs[1], plain)
			}
			for range 3 {
				_, err := gcNow(s, t.Context(), false, func(m *Marks) error {
					m.set.add(Hash(x))
					m.set.add(Hash(y))
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				wantChunks(t, s, x, y)
			}
		}
	}
}

// TestALostIndexMakesNoDifferenceWithoutABase has a chunk whole in a pack that
// the index has lost, stored anew as a delta, and a delta from it in a third.
func TestALostIndexMakesNoDifferenceWithoutABase(t *testing.T) {
	s := newStore(t)
	x := samples.Random(1, 100_000)
	y, z := changed(x, 2, 50_000), changed(x, 3, 60_000)
	putPack(t, s, wholeItem(y))
	putPack(t, s, deltaItem(t, z, y))
	register(t, s, putPack(t, s, wholeItem(x), deltaItem(t, y, x)))
	_, err := gcNow(s, t.Context(), false, func(m *Marks) error {
		m.set.add(Hash(z))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantChunks(t, s, z)
}

func TestADifferenceThatCannotBeReadIsNamed(t *testing.T) {
	x := samples.Random(1, 100_000)
	y := changed(x, 2, 50_000)
	z := changed(y, 3, 50_000)
	huge := deltaItem(t, y, x)
	huge.stored = slices.Concat(huge.stored[:codec.MaxDeltaHead-32+2], []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	none, three := deltaItem(t, y, x), deltaItem(t, y, x)
	none.stored[0], three.stored[0] = 0, 3
	for name, c := range map[string]struct {
		items []item
		of    []byte
		want  string
	}{
		"the base is missing":         {[]item{deltaItem(t, y, x)}, y, "from chunk " + Hash(x).String() + ", which is not in the repository"},
		"the base is a delta":         {[]item{wholeItem(x), deltaItem(t, y, x), deltaItem(t, z, y)}, z, Hash(y).String() + ": it is stored as a difference itself"},
		"two are each other's base":   {[]item{deltaItem(t, y, x), deltaItem(t, x, y)}, y, Hash(x).String() + ": it is stored as a difference itself"},
		"it is its own base":          {[]item{deltaItem(t, y, y)}, y, "stored as a difference itself"},
		"the base is not long enough": {[]item{wholeItem(x[:1000]), {y, deltaItem(t, y, x).stored, codec.Delta}}, y, "not in the repository"},
		"more copies than there are":  {[]item{wholeItem(x), huge}, y, ""},
		"no base":                     {[]item{wholeItem(x), none}, y, "0 chunks"},
		"three bases":                 {[]item{wholeItem(x), three}, y, "3 chunks"},
		"nothing at all":              {[]item{wholeItem(x), {y, nil, codec.Delta}}, y, ""},
	} {
		s := openStore(t, t.TempDir(), codec.Params{})
		register(t, s, putPack(t, s, c.items...))
		for range 2 {
			_, err := s.load(t.Context(), Hash(c.of))
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "chunk "+Hash(c.of).String()) || !strings.Contains(err.Error(), c.want) || errors.Is(err, errAbsent) {
				t.Errorf("%s: got %v", name, err)
			}
		}
		for _, full := range []bool{false, true} {
			_, problems := checkPacks(t, s, full)
			if all := strings.Join(problems, "\n"); !strings.Contains(all, Hash(c.of).String()) && (full || !strings.HasPrefix(name, "more")) {
				t.Errorf("%s, full %v: fsck found %q", name, full, all)
			}
		}
	}
}

func TestFsckNamesADamagedBaseAndWhatNeedsIt(t *testing.T) {
	s := openStore(t, t.TempDir(), codec.Params{})
	x := samples.Random(1, 100_000)
	y, z := changed(x, 2, 50_000), changed(x, 3, 60_000)
	whole := putPack(t, s, wholeItem(x))
	register(t, s, whole, putPack(t, s, deltaItem(t, y, x), deltaItem(t, z, x)))
	wantChunks(t, s, x, y, z)
	path := s.packs.Path(whole.ID)
	pack, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pack[packHeaderLen+70_000] ^= 1
	overwrite(t, path, pack)
	_, problems := checkPacks(t, s, true)
	for _, raw := range [][]byte{y, z} {
		want := fmt.Sprintf("chunk %s: it is stored as the difference from chunk %s: %v: pack %s: chunk %s: the bytes do not match", Hash(raw), Hash(x), ErrCorrupt, whole.ID, Hash(x))
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, want) }) {
			t.Errorf("%q is not in %q", want, problems)
		}
	}
	if len(problems) != 3 {
		t.Errorf("%d problems: %q", len(problems), problems)
	}
}

// TestAFlippedBitInADifferenceIsFoundOrHarmless flips bits of a delta's stored
// form. Where its bases cannot be told any more, gc must not remove any.
func TestAFlippedBitInADifferenceIsFoundOrHarmless(t *testing.T) {
	x := samples.Kinds(100_000)["float32"]
	y := slices.Concat(x[:50_000], samples.Random(3, 500), x[60_000:])
	d := deltaItem(t, y, x)
	for at := 0; at < len(d.stored); at += 3 + at/3 {
		s := openStore(t, t.TempDir(), codec.Params{})
		register(t, s, putPack(t, s, wholeItem(x)))
		broken := d
		broken.stored = bytes.Clone(d.stored)
		broken.stored[at] ^= 1 << (at % 8)
		register(t, s, putPack(t, s, broken))
		got, err := s.load(t.Context(), Hash(y))
		if !errors.Is(err, ErrCorrupt) && !bytes.Equal(got, y) {
			t.Errorf("byte %d: %d bytes, %v", at, len(got), err)
		}
		_, err = gcNow(s, t.Context(), false, func(m *Marks) error {
			m.set.add(Hash(y))
			return nil
		})
		if at < codec.MaxDeltaHead-32 && !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d: gc gave %v", at, err)
		}
		if !isThere(t, s, Hash(x)) {
			t.Errorf("byte %d: the base is gone", at)
		}
	}
}

func TestAWrongPlaceOfABaseIsMadeGood(t *testing.T) {
	s := newStore(t)
	x := samples.Random(1, 100_000)
	y := changed(x, 2, 50_000)
	pack := putPack(t, s, wholeItem(x), deltaItem(t, y, x))
	wrong := pack
	wrong.Entries = slices.Clone(pack.Entries)
	for i := range wrong.Entries {
		if wrong.Entries[i].ID == Hash(x) {
			wrong.Entries[i].Offset += 5
		}
	}
	register(t, s, wrong)
	wantChunks(t, s, y)
	if err := rebuild(t, s, func(p Problem) { t.Error(p.What) }); err != nil {
		t.Fatal(err)
	}
}

func TestWritersAndReadersOfDifferencesGoOnWhileGCMovesBases(t *testing.T) {
	s := newStore(t)
	base := samples.Random(1, 2<<20)
	keep := takeBytes(t, s, base).Tree
	second := changed(base, 99, 200_000)
	tree := takeBytes(t, s, second).Tree
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			live := []ID{tree}
			if i%2 == 0 {
				live = append(live, keep)
			}
			if _, err := gcNow(s, context.Background(), false, marks(s, live...)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	wg.Go(func() {
		for range 20 {
			if got, err := readFile(context.Background(), s, tree); err != nil || !bytes.Equal(got, second) {
				t.Errorf("read %d bytes, %v", len(got), err)
				return
			}
		}
	})
	for i := range 15 {
		w := newWriter(t, s, &WriterOptions{})
		c := changed(base, uint64(i%3)*1000, 150_000)
		r, err := w.File(bytes.NewReader(c))
		if err := errors.Join(err, w.Finish()); err != nil {
			t.Fatal(err)
		}
		checkFile(t, s, r.Tree, c) // gc waits for the writer
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}
