package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

var ctx = context.Background()

// newDB returns an empty database that is checked deeply when the test ends.
func newDB(t testing.TB) *DB {
	t.Helper()
	db := openDB(t, filepath.Join(t.TempDir(), "index.db"), nil)
	t.Cleanup(func() {
		if err := db.Check(ctx); err != nil {
			t.Errorf("check at the end: %v", err)
		}
	})
	return db
}

// smallLimits make tiers of few chunks.
var smallLimits = limits{recent: 32, first: 64, second: 160, run: 80, fold: 400, part: 50, move: 200}

func openSmall(t testing.TB, path string) *DB {
	t.Helper()
	db := openDB(t, path, nil)
	db.limits = smallLimits
	return db
}

func openDB(t testing.TB, path string, opts *Options) *DB {
	t.Helper()
	db, err := Open(path, opts)
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func update(t testing.TB, db *DB, fn func(tx *Tx) error) {
	t.Helper()
	if err := db.Update(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, db *DB, fn func(tx *Tx) error) {
	t.Helper()
	if err := db.View(ctx, fn); err != nil {
		t.Fatal(err)
	}
}

func put(t testing.TB, db *DB, bucket string, kv ...string) {
	t.Helper()
	update(t, db, func(tx *Tx) error {
		for i := 0; i < len(kv); i += 2 {
			if err := tx.Put(bucket, kv[i], []byte(kv[i+1])); err != nil {
				return err
			}
		}
		return nil
	})
}

// keys lists what a scan yields, as key=value.
func keys(tx *Tx, bucket, prefix, after string) ([]string, error) {
	var got []string
	for r, err := range tx.Scan(bucket, prefix, after) {
		if err != nil {
			return nil, err
		}
		got = append(got, r.Key+"="+string(r.Value))
	}
	return got, nil
}

func wantKeys(t *testing.T, tx *Tx, bucket, prefix, after string, want ...string) {
	t.Helper()
	got, err := keys(tx, bucket, prefix, after)
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("scan of %q from %q after %q: got %q, %v, want %q", bucket, prefix, after, got, err, want)
	}
}

func TestAMissingFileIsAnEmptyDatabase(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{filepath.Join(dir, "index.db"), filepath.Join(dir, "no", "such", "index.db")} {
		db := openDB(t, path, nil)
		view(t, db, func(tx *Tx) error {
			if _, err := tx.Get("b", "k"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("get: got %v, want fs.ErrNotExist", err)
			}
			if _, err := tx.Last("b", ""); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("last: got %v, want fs.ErrNotExist", err)
			}
			wantKeys(t, tx, "b", "", "")
			return nil
		})
		if err := db.Check(ctx); err != nil {
			t.Errorf("check: %v", err)
		}
	}
	if got, _ := os.ReadDir(dir); len(got) != 0 {
		t.Errorf("reading left %v behind", got)
	}
}

func TestAnUpdateThatChangesNothingLeavesTheFileAlone(t *testing.T) {
	db := newDB(t)
	update(t, db, func(tx *Tx) error { return tx.Delete("b", "k") })
	if _, err := os.Stat(db.path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want no file", err)
	}
	put(t, db, "b", "k", "v")
	before, _ := os.ReadFile(db.path)
	update(t, db, func(tx *Tx) error { return errors.Join(tx.Delete("b", "x"), tx.Delete("c", "x"), tx.Drop("d")) })
	if got, _ := os.ReadFile(db.path); !slices.Equal(got, before) {
		t.Error("the file has changed")
	}
}

func TestRecordsArePutReadAndDeleted(t *testing.T) {
	db := newDB(t)
	put(t, db, "b", "a", "1", "b", "", "c", "3")
	update(t, db, func(tx *Tx) error {
		if err := errors.Join(tx.Put("b", "d", []byte("4")), tx.Put("b", "a", []byte("one")), tx.Delete("b", "c")); err != nil {
			return err
		}
		wantKeys(t, tx, "b", "", "", "a=one", "b=", "d=4")
		return nil
	})
	view(t, db, func(tx *Tx) error {
		wantKeys(t, tx, "b", "", "", "a=one", "b=", "d=4")
		if got, err := tx.Get("b", "b"); err != nil || got == nil || len(got) != 0 {
			t.Errorf("empty value: got %v, %v", got, err)
		}
		if _, err := tx.Get("b", "c"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("deleted key: got %v, want fs.ErrNotExist", err)
		}
		if err := tx.Put("b", "x", nil); !errors.Is(err, errReadOnly) {
			t.Errorf("put in a view: got %v", err)
		}
		return nil
	})
}

func TestAFailedUpdateChangesNothing(t *testing.T) {
	db := newDB(t)
	put(t, db, "b", "k", "v")
	want := errors.New("no")
	err := db.Update(ctx, func(tx *Tx) error { return errors.Join(tx.Put("b", "k", nil), want) })
	if !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
	stopped, cancel := context.WithCancel(ctx)
	err = db.Update(stopped, func(tx *Tx) error { cancel(); return tx.Drop("b") })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled update: got %v", err)
	}
	view(t, db, func(tx *Tx) error { wantKeys(t, tx, "b", "", "", "k=v"); return nil })
}

func TestAPanicInAnUpdateGivesTheLockBack(t *testing.T) {
	db := newDB(t)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		db.Update(ctx, func(tx *Tx) error { panic("mine") })
	}()
	put(t, db, "b", "k", "v")
}

func TestScanPages(t *testing.T) {
	db := newDB(t)
	put(t, db, "b", "a", "", "p/1", "", "p/2", "", "p/3", "", "q", "")
	view(t, db, func(tx *Tx) error {
		wantKeys(t, tx, "b", "p/", "", "p/1=", "p/2=", "p/3=")
		wantKeys(t, tx, "b", "p/", "p/1", "p/2=", "p/3=")
		wantKeys(t, tx, "b", "p/", "p/11", "p/2=", "p/3=")
		wantKeys(t, tx, "b", "p/", "a", "p/1=", "p/2=", "p/3=")
		wantKeys(t, tx, "b", "p/", "p/3")
		wantKeys(t, tx, "b", "p/", "z")
		wantKeys(t, tx, "b", "", "p/3", "q=")
		return nil
	})
}

func TestAScanSeesWhatIsChangedAheadOfIt(t *testing.T) {
	db := newDB(t)
	put(t, db, "b", "a", "", "c", "", "e", "")
	update(t, db, func(tx *Tx) error {
		var got []string
		for r, err := range tx.Scan("b", "", "") {
			if err != nil {
				return err
			}
			got = append(got, r.Key)
			switch r.Key {
			case "a":
				if err := errors.Join(tx.Put("b", "aa", nil), tx.Put("b", "b", nil), tx.Delete("b", "c"), tx.Delete("b", "a")); err != nil {
					return err
				}
			case "b":
				if err := errors.Join(tx.Put("b", "d", nil), tx.Put("b", "b", []byte("x"))); err != nil {
					return err
				}
			}
		}
		if want := []string{"a", "aa", "b", "d", "e"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		return nil
	})
	view(t, db, func(tx *Tx) error { wantKeys(t, tx, "b", "", "", "aa=", "b=x", "d=", "e="); return nil })
}

func TestLastFindsTheGreatestKey(t *testing.T) {
	db := newDB(t)
	put(t, db, "b", "v/1", "", "v/2", "", "v/3", "", "w", "", "\xff\xff", "")
	update(t, db, func(tx *Tx) error {
		wantLast(t, tx, "v/", "v/3")
		if err := errors.Join(tx.Delete("b", "v/3"), tx.Put("b", "v/25", nil)); err != nil {
			return err
		}
		wantLast(t, tx, "v/", "v/25")
		return errors.Join(tx.Delete("b", "v/25"), tx.Put("b", "x", nil))
	})
	view(t, db, func(tx *Tx) error {
		wantLast(t, tx, "v/", "v/2")
		wantLast(t, tx, "v/2", "v/2")
		wantLast(t, tx, "v/3", "")
		wantLast(t, tx, "a", "")
		wantLast(t, tx, "z", "")
		wantLast(t, tx, "\xff", "\xff\xff")
		wantLast(t, tx, "", "\xff\xff")
		return nil
	})
}

func wantLast(t *testing.T, tx *Tx, prefix, want string) {
	t.Helper()
	got, err := tx.Last("b", prefix)
	if want == "" && errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil || got.Key != want {
		t.Errorf("last of %q: got %q, %v, want %q", prefix, got.Key, err, want)
	}
}

func TestBucketsAreListedAndDropped(t *testing.T) {
	db := newDB(t)
	put(t, db, "t/1", "k", "v")
	put(t, db, "t/2", "k", "v")
	put(t, db, "u", "k", "v")
	if err := db.AddPacks(ctx, "local", Pack{ID: ID{1}}); err != nil {
		t.Fatal(err)
	}
	update(t, db, func(tx *Tx) error {
		if err := errors.Join(tx.Put("t/3", "k", nil), tx.Drop("t/1"), tx.Drop("u"), tx.Put("u", "new", nil), tx.Delete("t/4", "k")); err != nil {
			return err
		}
		wantBuckets(t, tx, "", "t/2", "t/3", "u")
		wantKeys(t, tx, "u", "", "", "new=")
		return nil
	})
	view(t, db, func(tx *Tx) error {
		wantBuckets(t, tx, "", "t/2", "t/3", "u")
		wantBuckets(t, tx, "t/", "t/2", "t/3")
		wantKeys(t, tx, "u", "", "", "new=")
		wantKeys(t, tx, "t/1", "", "")
		return nil
	})
	update(t, db, func(tx *Tx) error { return tx.Delete("t/2", "k") })
	view(t, db, func(tx *Tx) error { wantBuckets(t, tx, "t/", "t/2", "t/3"); return nil })
}

func wantBuckets(t *testing.T, tx *Tx, prefix string, want ...string) {
	t.Helper()
	if got, err := tx.Buckets(prefix); err != nil || !slices.Equal(got, want) {
		t.Errorf("buckets %q: got %q, %v, want %q", prefix, got, err, want)
	}
}

func TestNamesThatCannotBeStoredAreRefused(t *testing.T) {
	db := newDB(t)
	long := strings.Repeat("k", MaxKey)
	update(t, db, func(tx *Tx) error {
		for _, c := range [][2]string{{"", "k"}, {".stats", "k"}, {"b", ""}, {"b", long + "k"}, {long + "b", "k"}} {
			if err := tx.Put(c[0], c[1], nil); err == nil {
				t.Errorf("put %.9q %.9q: no error", c[0], c[1])
			}
		}
		return tx.Put(long, long, []byte("v"))
	})
	view(t, db, func(tx *Tx) error {
		if got, err := tx.Get(long, long); err != nil || string(got) != "v" {
			t.Errorf("longest names: got %q, %v", got, err)
		}
		return nil
	})
}

func TestAClosedDatabaseRefuses(t *testing.T) {
	db := newDB(t)
	closed := openDB(t, db.path, nil)
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := closed.View(ctx, func(*Tx) error { return nil }); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("got %v, want fs.ErrClosed", err)
	}
}

func TestOneDatabaseServesManyGoroutines(t *testing.T) {
	db := newDB(t)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 10 {
				put(t, db, "b", fmt.Sprintf("%d/%d", g, i), "v")
				view(t, db, func(tx *Tx) error {
					if got, err := keys(tx, "b", fmt.Sprintf("%d/", g), ""); len(got) != i+1 || err != nil {
						t.Errorf("got %d records, %v, want %d", len(got), err, i+1)
					}
					return nil
				})
			}
		})
	}
	wg.Wait()
}
