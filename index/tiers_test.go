package index

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// newSmall is newDB with small tiers.
func newSmall(t testing.TB) *DB {
	db := newDB(t)
	db.limits = smallLimits
	return db
}

// chunkModel is what a space should hold: packs, the place of each chunk, and
// how many chunks are counted, which includes those whose pack is forgotten.
type chunkModel struct {
	packs  map[ID]bool
	places map[ID]Loc
}

func (m *chunkModel) add(p Pack) {
	m.packs[p.ID] = true
	for _, e := range p.Entries {
		if old, ok := m.places[e.ID]; !ok || !m.packs[old.Pack] {
			m.places[e.ID] = Loc{Entry: e, Pack: p.ID, Found: true}
		}
	}
}

func (m *chunkModel) remove(pack ID, entries []Entry) {
	if !m.packs[pack] {
		return
	}
	delete(m.packs, pack)
	for _, e := range entries {
		if m.places[e.ID].Pack == pack {
			delete(m.places, e.ID)
		}
	}
}

func (m *chunkModel) compare(t *testing.T, db *DB, universe []Entry) {
	t.Helper()
	ids := make([]ID, len(universe))
	for i, e := range universe {
		ids[i] = e.ID
	}
	got, err := db.Locate(ctx, "local", ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, id := range ids {
		want := m.places[id]
		if !want.Found || !m.packs[want.Pack] {
			want = Loc{Entry: Entry{ID: id}}
		}
		if got[i] != want {
			t.Fatalf("chunk %s: got %+v, want %+v", id, got[i], want)
		}
	}
	wantCount(t, db, "local", len(m.places))
}

// randomPack returns a pack of some chunks, each with a place of its own. Pack
// ids are never used again: in this package's world they are hashes.
func randomPack(rnd *rand.Rand, n int, universe []Entry) Pack {
	p := Pack{ID: ID{1, byte(n), byte(n >> 8)}}
	for _, i := range rnd.Perm(len(universe))[:rnd.IntN(150)] {
		e := universe[i]
		e.Offset = rnd.Uint64()
		p.Entries = append(p.Entries, e)
	}
	return p
}

func TestRandomChangesOfChunksAgreeWithAModel(t *testing.T) {
	rounds := 120
	if testing.Short() {
		rounds = 30
	}
	for seed := range uint64(3) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			db, rnd := newSmall(t), rand.New(rand.NewPCG(seed, 2))
			universe := randomEntries(rnd, 2000)
			m := &chunkModel{map[ID]bool{}, map[ID]Loc{}}
			var known []Pack
			for round := range rounds {
				known = changeChunks(t, db, rnd, m, known, randomPack(rnd, round, universe))
				m.compare(t, db, universe)
				if round%10 == 0 || testing.Short() {
					if err := db.Check(ctx); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// changeChunks adds a pack or takes some away, in one of the ways there are, and
// returns which packs are known then.
func changeChunks(t *testing.T, db *DB, rnd *rand.Rand, m *chunkModel, known []Pack, p Pack) []Pack {
	t.Helper()
	var err error
	switch n := rnd.IntN(100); {
	case n < 60 || len(known) < 3:
		m.add(p)
		err = db.AddPacks(ctx, "local", p)
	case n < 70: // as if what follows the transaction were interrupted
		m.add(p)
		err = db.Update(ctx, func(tx *Tx) error {
			sp, err := tx.space("local")
			if err != nil {
				return err
			}
			if err := sp.add([]Pack{p}); err != nil {
				return err
			}
			return sp.finish()
		})
	case n < 85:
		i := rnd.IntN(len(known))
		old := known[i]
		if rnd.IntN(4) == 0 {
			old.Entries = nil
		}
		m.remove(old.ID, old.Entries)
		err = db.RemovePack(ctx, "local", old.ID, old.Entries)
		known, p = slices.Delete(known, i, i+1), Pack{}
	case n < 99:
		for _, old := range known[:3] {
			m.remove(old.ID, old.Entries)
		}
		m.add(p)
		err = db.ReplacePacks(ctx, "local", known[:3], p)
		known = known[3:]
	default:
		*m = chunkModel{map[ID]bool{}, map[ID]Loc{}}
		err = db.DropSpace(ctx, "local")
		known, p = nil, Pack{}
	}
	if err != nil {
		t.Fatal(err)
	}
	if !p.ID.IsZero() {
		known = append(known, p)
	}
	return known
}

// TestAnIndexWithoutRunsIsTakenOver makes one as an older version did: with all
// chunks in one bucket, and two counters only.
func TestAnIndexWithoutRunsIsTakenOver(t *testing.T) {
	db, e := newDB(t), someEntries(5000)
	db.limits = limits{recent: 1 << 40}
	m := &chunkModel{map[ID]bool{}, map[ID]Loc{}}
	for i := range 49 {
		p := Pack{ID: ID{1, byte(i)}, Entries: e[i*100 : i*100+100]}
		m.add(p)
		addPacks(t, db, "local", p)
	}
	update(t, db, func(tx *Tx) error {
		b, err := tx.bucket(spacesBucket)
		if err != nil {
			return err
		}
		v, _, err := b.get([]byte("local"))
		b.put([]byte("local"), v[:oldCounterSize])
		return err
	})
	db.limits = smallLimits
	m.compare(t, db, e)
	removePack(t, db, "local", ID{1, 7}, e[700:710])
	m.remove(ID{1, 7}, e[700:710])
	m.compare(t, db, e)
	addPacks(t, db, "local", Pack{ID: ID{2}, Entries: e[4890:]})
	m.add(Pack{ID: ID{2}, Entries: e[4890:]})
	m.compare(t, db, e)
	view(t, db, func(tx *Tx) error {
		sp, err := tx.space("local")
		if err != nil || sp.untidy() || sp.tiers[2] < 4000 {
			t.Errorf("got %d recent chunks and %d in tiers, %v", sp.recent, sp.tiers, err)
		}
		return nil
	})
}

func TestTiersKeepToTheirSizes(t *testing.T) {
	db, rnd := newSmall(t), rand.New(rand.NewPCG(4, 4))
	for i := range 150 {
		addPacks(t, db, "local", Pack{ID: ID{1, byte(i), byte(i >> 8)}, Entries: randomEntries(rnd, 20)})
		view(t, db, func(tx *Tx) error {
			sp, err := tx.space("local")
			if err != nil || sp.recent > smallLimits.recent || sp.tiers[0] > smallLimits.first || sp.tiers[1] > sp.most(1) {
				t.Fatalf("%d recent chunks, tiers of %d, %v", sp.recent, sp.tiers, err)
			}
			return nil
		})
	}
	wantCount(t, db, "local", 3000)
}

func TestRemovedChunksLeaveNothingBehind(t *testing.T) {
	db, e := newSmall(t), someEntries(3000)
	addPacks(t, db, "local", Pack{ID: ID{1}, Entries: e})
	removePack(t, db, "local", ID{1}, e)
	wantCount(t, db, "local", 0)
	wantPacks(t, db, "local", e[:3], ID{}, ID{}, ID{})
	for i := range 20 { // each pushes some of those that cover the removed ones down
		addPacks(t, db, "local", Pack{ID: ID{2, byte(i)}, Entries: e[i*40 : i*40+40]})
	}
	wantCount(t, db, "local", 800)
	view(t, db, func(tx *Tx) error {
		sp, err := tx.space("local")
		if all := sp.tiers[0] + sp.tiers[1] + sp.tiers[2]; err != nil || all > 2*800+uint64(smallLimits.first+smallLimits.second) {
			t.Errorf("800 chunks in tiers of %d, %v", sp.tiers, err)
		}
		return nil
	})
}

// TestARunInThePlaceOfAnotherIsNoticed lets buckets of runs point to each
// other's page, of another space with the same number, too.
func TestARunInThePlaceOfAnotherIsNoticed(t *testing.T) {
	db, e := openSmall(t, filepath.Join(t.TempDir(), "index.db")), someEntries(300)
	addPacks(t, db, "a", Pack{ID: ID{1}, Entries: e[:60]})
	addPacks(t, db, "b", Pack{ID: ID{1}, Entries: e[60:120]})
	var roots [2][]byte
	view(t, db, func(tx *Tx) error {
		for i, space := range []string{"a", "b"} {
			entry, found, err := tx.root.get([]byte(runName(space, 0)))
			if err != nil || !found {
				t.Fatalf("no run: %v", err)
			}
			roots[i] = bytes.Clone(entry)
		}
		return nil
	})
	image, err := os.ReadFile(db.path)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(image, append([]byte(runName("a", 0)), roots[0]...))
	copy(image[at+len(runName("a", 0)):], roots[1][:8])
	bad := atImage(t, image)
	for what, err := range map[string]error{
		"locate": func() error { _, err := bad.Locate(ctx, "a", []ID{e[0].ID}); return err }(),
		"drop":   bad.DropSpace(ctx, "a"),
		"add":    bad.AddPacks(ctx, "a", Pack{ID: ID{2}, Entries: e[120:180]}),
		"check":  bad.Check(ctx),
	} {
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: got %v, want ErrCorrupt", what, err)
		}
	}
}

// FuzzRun reads runs with any content whose checksums are right.
func FuzzRun(f *testing.F) {
	var chunks []byte
	for i := range 2 * perBlock {
		id := ID{byte(i)}
		chunks = append(append(chunks, id[:]...), encodeEntry(1, Entry{})...)
	}
	whole := encodeRun(runName("local", 1), 1, chunks)
	f.Add(whole, uint32(len(chunks)/entrySize))
	f.Add(whole[:headSize+blockSize], uint32(perBlock))
	f.Add(whole[:headSize], uint32(0))
	f.Add([]byte{1}, uint32(1))
	f.Fuzz(func(t *testing.T, v []byte, count uint32) {
		name := runName("local", 1)
		sum, v := newSummer(name), bytes.Clone(v)
		if len(v) >= headSize {
			binary.LittleEndian.PutUint32(v, count)
			sealPart(sum, 1, 0, v[:headSize])
			for i := 0; headSize+(i+1)*blockSize <= len(v); i++ {
				sealPart(sum, 1, i+1, v[headSize+i*blockSize:][:blockSize])
			}
		}
		l := &long{s: &snapshot{}, size: len(v) + sumSize, first: v}
		r, err := l.run(name, 1, int(count))
		if err != nil {
			return
		}
		for i := range 256 {
			r.find(ID{byte(i)})
		}
		r.appendAll(nil)
	})
}
