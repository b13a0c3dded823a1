package index

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// randomEntries returns n chunks of one pack.
func randomEntries(rnd *rand.Rand, n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		e := Entry{Offset: uint64(i) << 16, Stored: 40000, Raw: 65536, Codec: 1}
		for j := 0; j < len(e.ID); j += 8 {
			binary.LittleEndian.PutUint64(e.ID[j:], rnd.Uint64())
		}
		entries[i] = e
	}
	return entries
}

// filled returns a database with packs of 1000 chunks, and their entries.
func filled(tb testing.TB, packs int) (*DB, []Entry) {
	db, rnd := newDB(tb), rand.New(rand.NewPCG(1, 2))
	var batch []Pack
	var all []Entry
	for i := range packs {
		p := Pack{ID: ID{1, byte(i), byte(i >> 8)}, Size: 64 << 20, Entries: randomEntries(rnd, 1000)}
		batch, all = append(batch, p), append(all, p.Entries...)
	}
	if err := db.AddPacks(ctx, "local", batch...); err != nil {
		tb.Fatal(err)
	}
	return db, all
}

func BenchmarkViewOfASmallDatabase(b *testing.B) {
	db := newDB(b)
	put(b, db, "b", "k", "v")
	for b.Loop() {
		view(b, db, func(tx *Tx) error { _, err := tx.Get("b", "k"); return err })
	}
}

func BenchmarkUpdateOfASmallDatabase(b *testing.B) {
	db := openDB(b, b.TempDir()+"/index.db", &Options{Holder: "pid 1 (benchmark)"})
	for b.Loop() {
		put(b, db, "b", "k", "v")
	}
}

func BenchmarkLocate1000(b *testing.B) {
	for _, packs := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("of %d000 chunks", packs), func(b *testing.B) {
			db, all := filled(b, packs)
			rnd := rand.New(rand.NewPCG(3, 4))
			ids := make([]ID, 1000)
			for b.Loop() {
				for i := range ids {
					ids[i] = all[rnd.IntN(len(all))].ID
				}
				if _, err := db.Locate(ctx, "local", ids); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLocate1000Absent(b *testing.B) {
	db, _ := filled(b, 100)
	rnd := rand.New(rand.NewPCG(3, 4))
	for b.Loop() {
		ids := make([]ID, 1000)
		for i, e := range randomEntries(rnd, 1000) {
			ids[i] = e.ID
		}
		if _, err := db.Locate(ctx, "local", ids); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddPackOf1000Chunks(b *testing.B) {
	for _, packs := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("to %d000 chunks", packs), func(b *testing.B) {
			db, _ := filled(b, packs)
			rnd := rand.New(rand.NewPCG(5, 6))
			for i := 0; b.Loop(); i++ {
				p := Pack{ID: ID{2, byte(i), byte(i >> 8)}, Entries: randomEntries(rnd, 1000)}
				if err := db.AddPacks(ctx, "local", p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCached1000(b *testing.B) {
	db := newDB(b)
	m, paths := map[string]Cached{}, []string(nil)
	for i := range 100_000 {
		p := fmt.Sprintf("/data/project/zarr/array/%d/%d", i/1000, i%1000)
		m[p], paths = Cached{At: 1}, append(paths, p)
	}
	if err := db.Cache(ctx, m); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := db.Cached(ctx, paths[5000:6000]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScan100000(b *testing.B) {
	db := newDB(b)
	update(b, db, func(tx *Tx) error {
		for i := range 100_000 {
			if err := tx.Put("b", fmt.Sprintf("archive/%08d", i), make([]byte, 200)); err != nil {
				return err
			}
		}
		return nil
	})
	for b.Loop() {
		view(b, db, func(tx *Tx) error {
			for _, err := range tx.Scan("b", "", "") {
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// BenchmarkLocate and BenchmarkAddPacks ask for 16,384 chunks, of which half are
// there, and add as many, in an index of a million. TestScaleFigures has larger
// ones.
func BenchmarkLocate(b *testing.B) {
	const n = 1_000_000
	db := scaleDB(b, b.TempDir(), n)
	for i := 0; b.Loop(); i++ {
		if _, err := scaleLocate(db, n, i); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAddPacks(b *testing.B) {
	n := 1_000_000
	db := scaleDB(b, b.TempDir(), n)
	for ; b.Loop(); n += scaleAsks {
		if err := db.AddPacks(ctx, "local", scalePacks(n, n+scaleAsks)...); err != nil {
			b.Fatal(err)
		}
	}
}
