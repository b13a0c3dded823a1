package index

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func markBad(t *testing.T, db *DB, entries ...Entry) {
	t.Helper()
	if err := db.MarkBad(ctx, "local", idsOf(entries)...); err != nil {
		t.Fatal(err)
	}
}

func idsOf(entries []Entry) (ids []ID) {
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	return ids
}

// wantBad checks which chunks are known to be bad, by the list and by their places.
func wantBad(t *testing.T, db *DB, all []Entry, want ...Entry) {
	t.Helper()
	ids := idsOf(want)
	slices.SortFunc(ids, func(a, b ID) int { return slices.Compare(a[:], b[:]) })
	got, err := db.Bad(ctx, "local")
	if err != nil || !slices.Equal(got, ids) {
		t.Errorf("bad chunks: got %v, %v, want %v", got, err, ids)
	}
	locs, err := db.Locate(ctx, "local", idsOf(all))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range locs {
		if is := l.Found && slices.Contains(ids, l.ID); l.Bad != is {
			t.Errorf("chunk %s: bad %v, want %v", l.ID, l.Bad, is)
		}
	}
}

func wantPending(t *testing.T, db *DB, want ...ID) {
	t.Helper()
	got, err := db.Pending(ctx, "local")
	if err != nil || len(got) != len(want) {
		t.Errorf("pending packs: got %v, %v, want %v", got, err, want)
	}
	for _, id := range want {
		if !got[id] {
			t.Errorf("pack %s is not pending", id)
		}
	}
}

func wantBehind(t *testing.T, db *DB, want bool) {
	t.Helper()
	if got, err := db.Behind(ctx); err != nil || got != want {
		t.Errorf("behind: got %v, %v, want %v", got, err, want)
	}
}

func TestABadChunkGivesItsPlaceUpForAnotherOne(t *testing.T) {
	for _, small := range []bool{false, true} {
		db, e := newDB(t), someEntries(4)
		if small { // the records lie in a tier of runs
			db.limits = limits{recent: 5, first: 64, second: 160, run: 80, fold: 400, part: 50, move: 200}
		}
		addPacks(t, db, "local", Pack{ID{1}, 1, e[:3]})
		addPacks(t, db, "local", Pack{ID{9}, 1, randomEntries(rand.New(rand.NewPCG(1, 1)), 10)})
		markBad(t, db, e[0], e[1], e[3]) // the last has no place
		wantBad(t, db, e, e[0], e[1])
		addPacks(t, db, "local", Pack{ID{1}, 1, e[:3]}) // the same place again is no other one
		wantBad(t, db, e, e[0], e[1])
		addPacks(t, db, "local", Pack{ID{2}, 1, e})
		wantBad(t, db, e)
		wantPacks(t, db, "local", e, ID{2}, ID{2}, ID{1}, ID{2})
		addPacks(t, db, "local", Pack{ID{3}, 1, e}) // and once is enough
		wantPacks(t, db, "local", e, ID{2}, ID{2}, ID{1}, ID{2})
		wantCount(t, db, "local", 14)
		if got, err := db.InPack(ctx, "local", ID{1}); err != nil || !slices.Equal(got, e[2:3]) {
			t.Errorf("in the first pack: got %v, %v, want the third chunk", got, err)
		}
	}
}

func TestABadChunkIsForgottenWithItsPlace(t *testing.T) {
	db, e := newDB(t), someEntries(3)
	addPacks(t, db, "local", Pack{ID{1}, 1, e})
	markBad(t, db, e...)
	if err := db.ClearBad(ctx, "local", e[0].ID, ID{77}); err != nil {
		t.Fatal(err)
	}
	wantBad(t, db, e, e[1], e[2])
	removePack(t, db, "local", ID{1}, e[:2])
	wantBad(t, db, e[:2], e[2])
	addPacks(t, db, "local", Pack{ID{2}, 1, e})
	wantBad(t, db, e)
	wantPacks(t, db, "local", e, ID{2}, ID{2}, ID{2})
}

func TestReplacePacksMakesABadChunkGood(t *testing.T) {
	db, e := newDB(t), someEntries(3)
	addPacks(t, db, "local", Pack{ID{1}, 1, e[:2]}, Pack{ID{2}, 1, e[2:]})
	markBad(t, db, e...)
	if err := db.ReplacePacks(ctx, "local", []Pack{{ID{2}, 1, e[2:]}}, Pack{ID{3}, 1, e}); err != nil {
		t.Fatal(err)
	}
	wantBad(t, db, e)
	wantPacks(t, db, "local", e, ID{3}, ID{3}, ID{3})
}

func TestAPackOfAWriterIsPendingUntilItIsNeeded(t *testing.T) {
	db, e := newDB(t), someEntries(4)
	addPacks(t, db, "local", Pack{ID{1}, 1, e[:1]})
	over := []ID{e[0].ID}
	for range 2 {
		if err := db.AddPending(ctx, "local", over, Pack{ID{1}, 1, e[:1]}, Pack{ID{2}, 1, e[:2]}, Pack{ID{3}, 1, e[2:]}); err != nil {
			t.Fatal(err)
		}
		wantPending(t, db, ID{2}, ID{3}) // a pack that was known is not
		wantPacks(t, db, "local", e, ID{2}, ID{2}, ID{3}, ID{3})
		over = nil
	}
	wantBad(t, db, e)
	if err := db.ClearPending(ctx, "local", []ID{{2}, {77}}); err != nil {
		t.Fatal(err)
	}
	wantPending(t, db, ID{3})
	removePack(t, db, "local", ID{3}, e[2:])
	wantPending(t, db)
	if err := db.AddPending(ctx, "local", nil, Pack{ID{4}, 1, e}); err != nil {
		t.Fatal(err)
	}
	markBad(t, db, e[0])
	if err := db.DropSpace(ctx, "local"); err != nil {
		t.Fatal(err)
	}
	wantPending(t, db)
	wantBad(t, db, e)
}

func TestAForgottenPackLeavesTheIndexBehind(t *testing.T) {
	db, e := newDB(t), someEntries(3)
	wantBehind(t, db, false)
	addPacks(t, db, "local", Pack{ID{1}, 1, e[:2]}, Pack{ID{2}, 1, e[1:]})
	if err := db.ForgetPack(ctx, "local", ID{1}); err != nil {
		t.Fatal(err)
	}
	wantBehind(t, db, true)
	wantPacks(t, db, "local", e, ID{}, ID{}, ID{2})
	addPacks(t, db, "local", Pack{ID{1}, 1, e[:2]}) // it is back
	wantPacks(t, db, "local", e, ID{1}, ID{1}, ID{2})
	wantBehind(t, db, true)
	for range 2 {
		if err := db.ClearBehind(ctx); err != nil {
			t.Fatal(err)
		}
		wantBehind(t, db, false)
	}
	update(t, db, (*Tx).NoteBehind)
	wantBehind(t, db, true)
}

// TestTheChunksOfAPackAreListed has them in the bucket and in runs, replaced and
// erased on the way.
func TestTheChunksOfAPackAreListed(t *testing.T) {
	db, rnd := newSmall(t), rand.New(rand.NewPCG(3, 4))
	universe := randomEntries(rnd, 1000)
	m := &chunkModel{map[ID]bool{}, map[ID]Loc{}}
	var known []Pack
	for round := range 60 {
		known = changeChunks(t, db, rnd, m, known, randomPack(rnd, round, universe))
	}
	listed := 0
	for _, p := range known {
		want := map[ID]Entry{}
		for id, l := range m.places {
			if l.Pack == p.ID && m.packs[p.ID] {
				want[id] = l.Entry
			}
		}
		got, err := db.InPack(ctx, "local", p.ID)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[ID]Entry{}
		for _, e := range got {
			seen[e.ID] = e
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Fatalf("pack %s: got %d chunks, want %d", p.ID, len(seen), len(want))
		}
		listed += len(want)
	}
	if listed < 100 {
		t.Errorf("only %d chunks: this tests little", listed)
	}
	if got, err := db.InPack(ctx, "local", ID{77}); err != nil || len(got) > 0 {
		t.Errorf("a pack that is not known: %v, %v", got, err)
	}
}

// besides makes another database in the directory of one.
func besides(t *testing.T, db *DB, kv ...string) *DB {
	t.Helper()
	other := openDB(t, db.Path()+".other", nil)
	put(t, other, "b", kv...)
	return other
}

func TestADatabaseIsReplacedWhatever(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"it is whole":    func(string) error { return nil },
		"it is gone":     os.Remove,
		"it is garbage":  func(path string) error { return os.WriteFile(path, []byte("garbage"), 0o600) },
		"it is cut off":  func(path string) error { return os.Truncate(path, 100) },
		"it is emptied":  func(path string) error { return os.Truncate(path, 0) },
		"it was cleared": func(path string) error { return os.WriteFile(path, make([]byte, 1<<16), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			db := newDB(t)
			put(t, db, "b", "a", "old")
			other := besides(t, db, "a", "new")
			if err := spoil(db.Path()); err != nil {
				t.Fatal(err)
			}
			if err := db.Replace(ctx, func() (string, error) { return other.Path(), nil }); err != nil {
				t.Fatal(err)
			}
			again := openDB(t, db.Path(), nil)
			for _, db := range []*DB{db, again} {
				view(t, db, func(tx *Tx) error {
					wantKeys(t, tx, "b", "", "", "a=new")
					return nil
				})
			}
		})
	}
}

func TestAnEmptyDatabaseReplacesOneByNoFile(t *testing.T) {
	db := newDB(t)
	put(t, db, "b", "a", "old")
	for range 2 {
		if err := db.Replace(ctx, func() (string, error) { return db.Path() + ".none", nil }); err != nil {
			t.Fatal(err)
		}
		view(t, db, func(tx *Tx) error {
			wantKeys(t, tx, "b", "", "")
			return nil
		})
	}
	put(t, db, "b", "a", "new")
}

func TestADatabaseStaysWhereReplacingItFails(t *testing.T) {
	db := newDB(t)
	put(t, db, "b", "a", "old")
	failed := errors.New("failed")
	if err := db.Replace(ctx, func() (string, error) { return "", failed }); !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	elsewhere := filepath.Join(t.TempDir(), "no", "file", "\x00")
	if err := db.Replace(ctx, func() (string, error) { return elsewhere, nil }); err == nil {
		t.Error("a path that cannot be renamed: no error")
	}
	view(t, db, func(tx *Tx) error {
		wantKeys(t, tx, "b", "", "", "a=old")
		return nil
	})
}

func TestReplaceWaitsForTransactions(t *testing.T) {
	db := newDB(t)
	put(t, db, "b", "a", "old")
	impatient := openDB(t, db.Path(), &Options{LockTimeout: 1})
	view(t, db, func(*Tx) error {
		err := impatient.Replace(ctx, func() (string, error) {
			t.Error("it was built all the same")
			return "", nil
		})
		if !errors.Is(err, ErrBusy) {
			t.Errorf("got %v, want ErrBusy", err)
		}
		return nil
	})
	err := db.Replace(ctx, func() (string, error) {
		if err := impatient.View(ctx, func(*Tx) error { return nil }); !errors.Is(err, ErrBusy) {
			t.Errorf("a transaction meanwhile: got %v, want ErrBusy", err)
		}
		return besides(t, db, "a", "new").Path(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	stopped, cancel := context.WithCancel(ctx)
	cancel()
	if err := db.Replace(stopped, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}
