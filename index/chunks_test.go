package index

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"testing"
)

func addPacks(t *testing.T, db *DB, space string, packs ...Pack) {
	t.Helper()
	if err := db.AddPacks(ctx, space, packs...); err != nil {
		t.Fatal(err)
	}
}

func removePack(t *testing.T, db *DB, space string, pack ID, entries []Entry) {
	t.Helper()
	if err := db.RemovePack(ctx, space, pack, entries); err != nil {
		t.Fatal(err)
	}
}

// wantPacks checks in which pack each chunk is found; the zero ID stands for
// none.
func wantPacks(t *testing.T, db *DB, space string, entries []Entry, want ...ID) {
	t.Helper()
	ids := make([]ID, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	locs, err := db.Locate(ctx, space, ids)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range locs {
		w := Loc{Entry: Entry{ID: ids[i]}}
		if !want[i].IsZero() {
			w = Loc{Entry: entries[i], Pack: want[i], Found: true}
		}
		if got != w {
			t.Errorf("chunk %d: got %+v, want %+v", i, got, w)
		}
	}
}

func wantCount(t *testing.T, db *DB, space string, want int) {
	t.Helper()
	if got, err := db.CountChunks(ctx, space); err != nil || got != want {
		t.Errorf("chunks of %s: got %d, %v, want %d", space, got, err, want)
	}
}

func someEntries(n int) []Entry { return randomEntries(rand.New(rand.NewPCG(9, 9)), n) }

func TestChunksAreLocatedInTheSlotsOfTheirIDs(t *testing.T) {
	db, e := newDB(t), someEntries(5)
	e[3] = Entry{ID: e[3].ID, Offset: 1<<63 + 5, Stored: 1<<32 - 1, Raw: 1<<32 - 2, Codec: 255, Filter: 254}
	wantPacks(t, db, "local", e, ID{}, ID{}, ID{}, ID{}, ID{})
	addPacks(t, db, "local", Pack{ID{1}, 100, e[:2]}, Pack{ID{2}, 1 << 40, e[3:4]})
	addPacks(t, db, "local")
	wantPacks(t, db, "local", e, ID{1}, ID{1}, ID{}, ID{2}, ID{})
	wantPacks(t, db, "local", []Entry{e[3], e[4], e[0], e[3]}, ID{2}, ID{}, ID{1}, ID{2})
	wantPacks(t, db, "team", e, ID{}, ID{}, ID{}, ID{}, ID{})
	wantPacks(t, db, "local", nil)
	want := []Pack{{ID: ID{1}, Size: 100}, {ID: ID{2}, Size: 1 << 40}}
	if got, err := db.Packs(ctx, "local"); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("packs: got %v, %v, want %v", got, err, want)
	}
}

func TestAChunkKeepsItsPlace(t *testing.T) {
	db, e := newDB(t), someEntries(3)
	addPacks(t, db, "local", Pack{ID{1}, 1, e[:2]}, Pack{ID{2}, 1, e})
	wantPacks(t, db, "local", e, ID{1}, ID{1}, ID{2})
	moved := []Entry{{ID: e[0].ID, Offset: 77}, e[1]}
	addPacks(t, db, "local", Pack{ID{3}, 1, moved}, Pack{ID{1}, 1, e})
	wantPacks(t, db, "local", e, ID{1}, ID{1}, ID{2})
	wantCount(t, db, "local", 3)
}

func TestRemovingAPackLeavesWhatLiesElsewhere(t *testing.T) {
	db, e := newDB(t), someEntries(4)
	addPacks(t, db, "local", Pack{ID{1}, 1, e[:2]}, Pack{ID{2}, 1, e[1:]})
	addPacks(t, db, "team", Pack{ID{2}, 1, e})
	removePack(t, db, "local", ID{2}, e[1:])
	wantPacks(t, db, "local", e, ID{1}, ID{1}, ID{}, ID{})
	wantPacks(t, db, "team", e, ID{2}, ID{2}, ID{2}, ID{2})
	wantCount(t, db, "local", 2)
	wantCount(t, db, "team", 4)
	removePack(t, db, "local", ID{2}, e)
	wantCount(t, db, "local", 2)
	if got, _ := db.Packs(ctx, "local"); len(got) != 1 || got[0].ID != (ID{1}) {
		t.Errorf("packs: got %v, want the first", got)
	}
}

func TestAChunkWhosePackIsForgottenIsNotFound(t *testing.T) {
	db, e := newDB(t), someEntries(3)
	addPacks(t, db, "local", Pack{ID{1}, 1, e})
	removePack(t, db, "local", ID{1}, e[:1])
	wantPacks(t, db, "local", e, ID{}, ID{}, ID{})
	// The next pack must not take over the number, and with it the chunks.
	addPacks(t, db, "local", Pack{ID{2}, 1, e[:2]})
	wantPacks(t, db, "local", e, ID{2}, ID{2}, ID{})
	wantCount(t, db, "local", 3)
}

func TestPacksAreReplacedInOneTransaction(t *testing.T) {
	db, e := newDB(t), someEntries(6)
	addPacks(t, db, "local", Pack{ID{1}, 1, e[:3]}, Pack{ID{2}, 1, e[3:5]}, Pack{ID{3}, 1, e[5:]})
	err := db.ReplacePacks(ctx, "local", []Pack{{ID{1}, 1, e[:3]}, {ID{2}, 1, nil}}, Pack{ID{4}, 1, e[1:4]})
	if err != nil {
		t.Fatal(err)
	}
	wantPacks(t, db, "local", e, ID{}, ID{4}, ID{4}, ID{4}, ID{}, ID{3})
	if err := db.ReplacePacks(ctx, "local", []Pack{{ID{4}, 1, e}}, Pack{}); err != nil {
		t.Fatal(err)
	}
	wantPacks(t, db, "local", e, ID{}, ID{}, ID{}, ID{}, ID{}, ID{3})
}

func TestASpaceIsDroppedAlone(t *testing.T) {
	db, e := newDB(t), someEntries(2000)
	addPacks(t, db, "local", Pack{ID{1}, 1, e})
	addPacks(t, db, "team", Pack{ID{1}, 1, e[:2]})
	for range 2 {
		if err := db.DropSpace(ctx, "local"); err != nil {
			t.Fatal(err)
		}
		wantCount(t, db, "local", 0)
		wantCount(t, db, "team", 2)
		wantPacks(t, db, "local", e[:2], ID{}, ID{})
		wantPacks(t, db, "team", e[:3], ID{1}, ID{1}, ID{})
	}
	addPacks(t, db, "local", Pack{ID{5}, 1, e[1:2]})
	wantPacks(t, db, "local", e[:2], ID{}, ID{5})
}

func TestManyPacksAreAddedInSeveralTransactions(t *testing.T) {
	db, e := newDB(t), someEntries(addBatch+10)
	half := len(e) / 2
	addPacks(t, db, "local", Pack{ID{1}, 1, e[:half]}, Pack{ID{2}, 1, e[half:]}, Pack{ID{3}, 1, nil})
	wantCount(t, db, "local", len(e))
	wantPacks(t, db, "local", []Entry{e[0], e[half], e[len(e)-1]}, ID{1}, ID{2}, ID{2})
	// Its pages, thousands of them, make a list of free pages of several pages.
	if err := db.DropSpace(ctx, "local"); err != nil {
		t.Fatal(err)
	}
	if err := db.Check(ctx); err != nil {
		t.Fatal(err)
	}
	addPacks(t, db, "local", Pack{ID{1}, 1, e[:10000]})
	wantCount(t, db, "local", 10000)
}

func TestPacksThatCannotBeAreRefused(t *testing.T) {
	db := newDB(t)
	for _, err := range []error{
		db.AddPacks(ctx, "local", Pack{}),
		db.AddPacks(ctx, "local", Pack{ID: ID{1}, Size: -1}),
		db.AddPacks(ctx, "", Pack{ID: ID{1}}),
	} {
		if err == nil {
			t.Error("no error")
		}
	}
}

func TestLocatingEndsWithTheContext(t *testing.T) {
	db := newDB(t)
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := db.Locate(stopped, "local", []ID{{1}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}
