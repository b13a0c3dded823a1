package bolt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// graves lists the deleted records of all tables, as text.
func graves(t testing.TB, b *Manager) []string {
	t.Helper()
	var list []string
	for g, err := range b.Graves(t.Context()) {
		must(t, err)
		text := g.Table + " " + g.Record.Key
		v, is, err := g.Version()
		if must(t, err); is {
			text += fmt.Sprintf(" %x", v.Tree[0])
		}
		list = append(list, text)
	}
	return list
}

func wantGraves(t testing.TB, b *Manager, want ...string) {
	t.Helper()
	if got := graves(t, b); !slices.Equal(got, want) {
		t.Errorf("got graves %q, want %q", got, want)
	}
	must(t, b.Check(t.Context()))
}

func addTree(t testing.TB, d *refs.DB, name string, tree byte) {
	t.Helper()
	id := index.ID{tree}
	_, _, _, err := d.AddVersion(t.Context(), refs.NewVersion{Archive: name, Tree: id, Hash: id, Size: 1, Files: 1})
	must(t, err)
}

func TestADeletedArchiveIsKept(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	d := refs.New(b, nil)
	for _, name := range []string{"a", "b"} {
		_, err := d.Create(t.Context(), refs.Archive{Name: name, Versioned: true}, nil)
		must(t, err)
		addTree(t, d, name, 1)
		addTree(t, d, name, 2)
	}
	wantGraves(t, b)
	must(t, d.Delete(t.Context(), "a"))
	want := []string{`datafs version/a\0.0.1 1`, `datafs version/a\0.0.2 2`, "datafs archive/a"}
	wantGraves(t, b, want...)
	must(t, b.Compact(t.Context()))
	wantGraves(t, b, want...)
	must(t, b.Rebuild(t.Context()))
	wantGraves(t, b, want...)
	must(t, b.db.Update(t.Context(), func(tx *index.Tx) error {
		return errors.Join(tx.Drop("refs"), tx.Drop(KeptBucket(gravesBucket)), tx.Drop(recPrefix+"datafs"))
	}))
	wantGraves(t, b, want...)
	var keys []string
	for g, err := range b.Graves(t.Context()) {
		if must(t, err); g.Time.Unix() != 1_800_000_000 {
			t.Errorf("got time %v", g.Time)
		}
		keys = append(keys, g.Key)
	}
	must(t, b.ForgetGraves(t.Context(), append(keys[:2], "none")))
	wantGraves(t, b, want[2:]...)
	must(t, b.Rebuild(t.Context()))
	wantGraves(t, b, want[2:]...)
}

func TestOnlyWhatIsTakenAwayHasAGrave(t *testing.T) {
	t.Parallel()
	version := func(tree byte, yanks ...refs.Yank) []byte {
		v := refs.VersionRecord{Archive: "a", Version: refs.Version{Patch: 1}, Tree: index.ID{tree}, Yanks: yanks, Checksums: map[string]string{"tree": "x"}}
		value, err := refs.EncodeVersion(v)
		must(t, err)
		return value
	}
	const key = `version/a\0.0.1`
	for _, c := range []struct {
		name string
		do   func(m refs.Manager) error // after a put of version 1 in an own transaction
		want []string
	}{
		{"a yank", func(m refs.Manager) error { return putValue(t, m, key, version(1, refs.Yank{Reason: `","updates":[`})) }, nil},
		{"another tree", func(m refs.Manager) error { return putValue(t, m, key, version(2)) }, []string{"datafs " + key + " 1"}},
		{"other trees", func(m refs.Manager) error {
			return errors.Join(putValue(t, m, key, version(2)), putValue(t, m, key, version(3)))
		}, []string{"datafs " + key + " 1", "datafs " + key + " 2"}},
		{"an edit and a deletion", func(m refs.Manager) error {
			return errors.Join(putValue(t, m, key, version(1, refs.Yank{})), putValue(t, m, key, nil))
		}, []string{"datafs " + key + " 1"}},
		{"a deletion of what is made anew and deleted", func(m refs.Manager) error {
			return errors.Join(putValue(t, m, key, nil), putValue(t, m, key, version(2)), putValue(t, m, key, nil))
		}, []string{"datafs " + key + " 1"}},
		{"a version that is taken back at once", func(m refs.Manager) error {
			return errors.Join(putValue(t, m, `version/a\0.0.2`, []byte("{}")), putValue(t, m, `version/a\0.0.2`, nil))
		}, nil},
		{"what is no archive", func(m refs.Manager) error {
			return errors.Join(putValue(t, m, "spec/x", []byte("{}")), putValue(t, m, "spec/x", nil), putValue(t, m, "zoo", []byte("{}")))
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := openAt(t, t.TempDir())
			must(t, putValue(t, b, "zoo", []byte("{}")), putValue(t, b, key, version(1)))
			must(t, b.Atomic(t.Context(), c.do))
			wantGraves(t, b, c.want...)
			must(t, b.Rebuild(t.Context()))
			wantGraves(t, b, c.want...)
		})
	}
}

func putValue(t testing.TB, m refs.Manager, key string, value []byte) error {
	r, _ := m.Get(t.Context(), key)
	if value == nil {
		return m.Delete(t.Context(), key, r.Rev)
	}
	_, err := m.Put(t.Context(), key, value, r.Rev)
	return err
}

func TestTheRecordsOfADroppedTableAreKept(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	must(t, b.CreateTable(t.Context(), "other"))
	version, err := refs.EncodeVersion(refs.VersionRecord{Archive: "2", Version: refs.Version{Patch: 1}})
	must(t, err)
	other := *b
	other.table = "other"
	for i := range 3 {
		must(t, put(&other, fmt.Sprint("archive/", i), "{}"))
	}
	must(t, put(&other, "spec/x", "{}"), put(&other, `version/2\0.0.1`, string(version)), put(b, "archive/1", "{}"), b.DeleteTable(t.Context(), "other"))
	wantGraves(t, b, `other version/2\0.0.1 0`, "other archive/0", "other archive/1", "other archive/2")
	must(t, b.DeleteTable(t.Context(), refs.DefaultTable))
	want := []string{`other version/2\0.0.1 0`, "other archive/0", "other archive/1", "other archive/2", "datafs archive/1"}
	wantGraves(t, b, want...)
	must(t, b.Rebuild(t.Context()))
	wantGraves(t, b, want...)
}

func TestGravesComeInPages(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	var want []string
	for _, undo := range []bool{false, true} {
		must(t, b.Atomic(t.Context(), func(m refs.Manager) error {
			for i := range 2*pageSize + 7 {
				key, value := fmt.Sprintf("archive/%04d", i), []byte("{}")
				if undo {
					want, value = append(want, "datafs "+key), nil
				}
				if err := putValue(t, m, key, value); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	wantGraves(t, b, want...)
}

// TestAnOlderProgramMayHaveCompacted: it leaves out what it does not know, and the
// number of its form in the mark.
func TestAnOlderProgramMayHaveCompacted(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	must(t, put(b, "archive/a", "{}"), remove(b, "archive/a"))
	forgetForm := func(tx *index.Tx) error {
		m, err := loadMark(tx)
		if err != nil {
			return err
		}
		m.Kept = 0
		return m.store(tx)
	}
	must(t, b.db.Update(t.Context(), func(tx *index.Tx) error {
		m, err := loadMark(tx)
		must(t, err)
		bare := &transaction{b: b, tx: tx, mark: m}
		pos, err := createJournal(b.dir, m.Generation+1, func(w *journalWriter) error {
			for o, err := range bare.live(refs.DefaultTable) {
				if must(t, err, w.add(o, m.Seq)); err != nil {
					return err
				}
			}
			return w.end()
		})
		must(t, err)
		bare.mark.Generation++
		return errors.Join(bare.setPosition(pos), forgetForm(tx))
	}))
	if err := b.Check(t.Context()); !errors.Is(err, index.ErrCorrupt) {
		t.Errorf("got %v, want that the journal lacks something", err)
	}
	must(t, put(b, "archive/b", "{}"))
	wantGraves(t, b, "datafs archive/a")
	must(t, b.Rebuild(t.Context()))
	wantGraves(t, b, "datafs archive/a")
	must(t, b.db.Update(t.Context(), forgetForm), put(b, "archive/c", "{}"), b.Check(t.Context()))
	generation, _, _, err := newestJournal(b.dir)
	if must(t, err); generation != 4 {
		t.Errorf("got generation %d, want the one of a second compaction", generation)
	}
}

func TestCheckFindsWrongKeptBuckets(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	must(t, put(b, "archive/a", "{}"), remove(b, "archive/a"))
	bucket := KeptBucket(gravesBucket)
	for what, break_ := range map[string]func(*index.Tx) error{
		"one too many":      func(tx *index.Tx) error { return tx.Put(bucket, "x", nil) },
		"a bucket too many": func(tx *index.Tx) error { return tx.Put(KeptBucket("other"), "x", nil) },
		"none":              func(tx *index.Tx) error { return tx.Drop(bucket) },
		"another value": func(tx *index.Tx) error {
			return tx.Put(bucket, fmt.Sprintf("%016x", 2), []byte("other"))
		},
	} {
		t.Run(what, func(t *testing.T) {
			must(t, b.Check(t.Context()), b.db.Update(t.Context(), break_))
			if err := b.Check(t.Context()); !errors.Is(err, index.ErrCorrupt) {
				t.Errorf("check: %v", err)
			}
			must(t, b.Rebuild(t.Context()), b.Check(t.Context()))
		})
	}
}

// TestDerivedBucketsAreEmptiedByWhatTheIndexLacked of the journal.
func TestDerivedBucketsAreEmptiedByWhatTheIndexLacked(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	set := func(j *Joint) error {
		return errors.Join(j.Index.Put(DerivedBucket("x"), "key", nil), j.Keep("x", "key", []byte("value")))
	}
	has := func() (has bool) {
		must(t, b.View(t.Context(), func(tx *index.Tx) error {
			_, err := tx.Get(DerivedBucket("x"), "key")
			has = err == nil
			return nil
		}))
		return has
	}
	must(t, b.Together(t.Context(), b, set), put(b, "archive/a", "{}"))
	if !has() {
		t.Fatal("a derived bucket did not last")
	}
	must(t, b.Rebuild(t.Context()))
	if has() {
		t.Error("a derived bucket outlasted a rebuild")
	}
	must(t, b.Together(t.Context(), b, set))
	var old mark
	must(t, b.db.View(t.Context(), func(tx *index.Tx) (err error) { old, err = loadMark(tx); return err }))
	must(t, put(b, "archive/b", "{}"), b.db.Update(t.Context(), old.store)) // as an older copy of the index
	if has() {
		t.Error("a derived bucket outlasted changes that it knew nothing of")
	}
	must(t, b.View(t.Context(), func(tx *index.Tx) error { _, err := tx.Get(KeptBucket("x"), "key"); return err }))
	must(t, b.Together(t.Context(), b, func(j *Joint) error { return j.Forget("x", "key") }), b.Check(t.Context()))
}

func TestABrokenGraveIsCorrupt(t *testing.T) {
	t.Parallel()
	good := Grave{Table: "t", Record: refs.Record{Key: "archive/a", Value: []byte("{}")}}.encode(7)
	if g, err := decodeGrave("k", good); err != nil || g.Record.Rev != "7" || string(g.Record.Value) != "{}" {
		t.Fatalf("got %+v, %v", g, err)
	}
	for n := range len(good) - len("{}") {
		if _, err := decodeGrave("k", good[:n]); !errors.Is(err, index.ErrCorrupt) {
			t.Errorf("of %d bytes: got %v", n, err)
		}
	}
	if _, err := decodeGrave("k", []byte{2}); err == nil || errors.Is(err, index.ErrCorrupt) || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer program's: got %v", err)
	}
}

func FuzzDecodeGrave(f *testing.F) {
	f.Add(Grave{Table: "t", Record: refs.Record{Key: `version/a\0.0.1`, Value: []byte("{}")}, late: true}.encode(300))
	f.Fuzz(func(t *testing.T, value []byte) {
		g, err := decodeGrave("k", value)
		if err != nil {
			return
		}
		seq, _ := refs.ParseCursor(refs.Cursor(g.Record.Rev))
		again, err := decodeGrave("k", g.encode(seq))
		if err != nil || again.Table != g.Table || again.late != g.late || again.Record.Key != g.Record.Key ||
			again.Record.Rev != g.Record.Rev || string(again.Record.Value) != string(g.Record.Value) || !again.Time.Equal(g.Time) {
			t.Errorf("got %+v, %v, want %+v", again, err, g)
		}
	})
}
