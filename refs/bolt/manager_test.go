package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

func journalFiles(t *testing.T, b *Manager) []string {
	t.Helper()
	list, err := os.ReadDir(b.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	files := []string{}
	for _, e := range list {
		files = append(files, e.Name())
	}
	return files
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestOpenBoltMakesNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openAt(t, dir)
	dump(t, b)
	must(t, b.Check(t.Context()), b.Compact(t.Context()), b.Rebuild(t.Context()))
	if _, err := os.Stat(b.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading made a journal: %v", err)
	}
	for _, name := range []string{"a\x00", strings.Repeat("x", 256), "\xff"} {
		if _, err := Open(b.db, b.dir, &Options{Table: name}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("table %.10q: error is %v", name, err)
		}
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	want := func(names ...string) {
		t.Helper()
		if got, err := b.Tables(t.Context()); err != nil || !slices.Equal(got, names) {
			t.Errorf("tables are %q, %v, want %q", got, err, names)
		}
	}
	text := func(err error, kind error, text string) {
		t.Helper()
		if !errors.Is(err, kind) || err.Error() != text {
			t.Errorf("error is %v, want %s", err, text)
		}
	}
	want("datafs")
	other, err := Open(b.db, b.dir, &Options{Table: "other"})
	must(t, err)
	_, err = other.Get(t.Context(), "archive/a")
	text(err, fs.ErrNotExist, `Table "other" not found`)
	_, err = other.Put(t.Context(), "archive/a", []byte("{}"), refs.Absent)
	text(err, fs.ErrNotExist, `Table "other" not found`)
	for _, err := range other.List(t.Context(), "") {
		text(err, fs.ErrNotExist, `Table "other" not found`)
	}
	must(t, b.CreateTable(t.Context(), "other"), b.CreateTable(t.Context(), "another"))
	want("another", "datafs", "other")
	text(b.CreateTable(t.Context(), "other"), fs.ErrExist, `Table "other" already exists`)
	text(b.CreateTable(t.Context(), "datafs"), fs.ErrExist, `Table "datafs" already exists`)
	text(b.CreateTable(t.Context(), ""), fs.ErrInvalid, `"" not a valid table name`)
	text(b.DeleteTable(t.Context(), "none"), fs.ErrNotExist, `Table "none" not found`)
	must(t, put(b, "archive/a", `{"n":1}`), put(other, "archive/a", `{"n":2}`), put(other, "archive/b", `{"n":3}`), remove(other, "archive/b"))
	if r, err := b.Get(t.Context(), "archive/a"); err != nil || string(r.Value) != `{"n":1}` {
		t.Errorf("tables share a record: %s, %v", r.Value, err)
	}
	must(t, b.Check(t.Context()), b.Rebuild(t.Context()), b.Compact(t.Context()), b.Check(t.Context()), b.Rebuild(t.Context()))
	want("another", "datafs", "other")
	must(t, b.DeleteTable(t.Context(), "other"), b.DeleteTable(t.Context(), "datafs"))
	want("another", "datafs")
	must(t, b.CreateTable(t.Context(), "other"), b.Check(t.Context()))
	var keys []string
	for g, err := range b.Graves(t.Context()) {
		must(t, err)
		keys = append(keys, g.Key)
	}
	if must(t, b.ForgetGraves(t.Context(), keys)); len(keys) != 3 {
		t.Errorf("got %d graves, want those of 3 records", len(keys))
	}
	if got := dump(t, b); got != "table another\ntable datafs\ntable other\n" {
		t.Errorf("a table that was deleted is not empty: %s", got)
	}
	var m mark
	must(t, b.db.View(t.Context(), func(tx *index.Tx) error { m, err = loadMark(tx); return err }))
	if m.Live != 0 {
		t.Errorf("%d bytes live in empty tables", m.Live)
	}
}

// TestCompact: the state, revisions and cursors stay; the files are one again.
func TestCompact(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	for _, step := range script {
		must(t, step(b))
	}
	want := dump(t, b)
	must(t, b.Compact(t.Context()), b.Check(t.Context()))
	if got := dump(t, b); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if got := journalFiles(t, b); !slices.Equal(got, []string{"00000002.journal"}) {
		t.Errorf("files are %q", got)
	}
	must(t, b.Rebuild(t.Context()))
	if got := dump(t, b); got != want {
		t.Errorf("rebuilt: got\n%swant\n%s", got, want)
	}
	must(t, put(b, "archive/a", `{"n":9}`), b.Check(t.Context()))
}

// TestCompactsByItself when the journal is more than twice what lives in it.
func TestCompactsByItself(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	b.compactAt = 4 << 10
	for i := range 12 { // nothing of this is old: no reason to compact
		must(t, put(b, fmt.Sprintf("archive/%02d", i), `{"x":"`+strings.Repeat("x", 500)+`"}`))
	}
	if got := journalFiles(t, b); !slices.Equal(got, []string{"00000001.journal"}) {
		t.Errorf("files are %q", got)
	}
	largest := int64(0)
	for i := range 60 {
		must(t, put(b, "archive/00", fmt.Sprintf(`{"x":"%s","n":%d}`, strings.Repeat("x", 500), i)))
		_, size, _, err := newestJournal(b.dir)
		must(t, err)
		largest = max(largest, size)
	}
	generation, _, others, err := newestJournal(b.dir)
	if err != nil || generation < 3 || generation > 10 || len(others) != 0 || largest > 20<<10 {
		t.Errorf("generation is %d with %d others, the largest file has %d bytes, %v", generation, len(others), largest, err)
	}
	must(t, b.Check(t.Context()), b.Rebuild(t.Context()), b.Check(t.Context()))
}

// TestCompactionFails: for want of a place, say. The change is made all the same.
func TestCompactionFails(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	b.compactAt = 1
	must(t, os.MkdirAll(filepath.Join(journalPath(b.dir, 2)+".tmp", "in the way"), 0o777))
	for i := range 5 {
		must(t, put(b, "archive/a", fmt.Sprintf(`{"n":%d}`, i)))
	}
	if err := b.Compact(t.Context()); err == nil {
		t.Error("compacting on demand gave no error")
	}
	must(t, b.Check(t.Context()))
	if r, err := b.Get(t.Context(), "archive/a"); err != nil || string(r.Value) != `{"n":4}` {
		t.Errorf("record is %s, %v", r.Value, err)
	}
	if got := journalFiles(t, b); slices.Contains(got, "00000002.journal") {
		t.Errorf("files are %q", got)
	}
}

// TestCrashInCompaction: the new file has its name, but the index did not
// commit; or it did, and the old file is still there.
func TestCrashInCompaction(t *testing.T) {
	t.Parallel()
	src := t.TempDir()
	b := openAt(t, src)
	for _, step := range script[:8] {
		must(t, step(b))
	}
	want := dump(t, b)
	oldIndex, err1 := os.ReadFile(filepath.Join(src, "index.db"))
	old, err2 := os.ReadFile(journalPath(b.dir, 1))
	must(t, err1, err2, b.Compact(t.Context()))
	newIndex, err1 := os.ReadFile(filepath.Join(src, "index.db"))
	compacted, err2 := os.ReadFile(journalPath(b.dir, 2))
	must(t, err1, err2)
	for name, idx := range map[string][]byte{"before the commit": oldIndex, "after the commit": newIndex, "index lost": nil} {
		t.Run(name, func(t *testing.T) {
			b := lay(t, filepath.Join(t.TempDir(), "repo"), idx, old)
			must(t, os.WriteFile(journalPath(b.dir, 2), compacted, 0o666))
			must(t, os.WriteFile(journalPath(b.dir, 3)+".tmp", compacted[:70], 0o666))
			if got := dump(t, b); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
			must(t, put(b, "archive/new", `{}`), put(b, "archive/new", `{"n":1}`), b.Check(t.Context()))
			if got := journalFiles(t, b); slices.Contains(got, "00000001.journal") {
				t.Errorf("files are %q", got)
			}
			must(t, b.Rebuild(t.Context()), b.Compact(t.Context()), b.Check(t.Context()))
			if r, err := b.Get(t.Context(), "archive/new"); err != nil || string(r.Value) != `{"n":1}` {
				t.Errorf("what was written since is %s, %v", r.Value, err)
			}
			if got := journalFiles(t, b); !slices.Equal(got, []string{"00000003.journal"}) {
				t.Errorf("files are %q", got)
			}
		})
	}
}

// TestIndexCannotCommit: the change is in the journal already when the index
// fails; after the error nothing has changed, and what comes next is sound.
func TestIndexCannotCommit(t *testing.T) {
	t.Parallel()
	for _, before := range []int{0, 3} {
		for _, compactAt := range []int64{8 << 20, 1} {
			t.Run(fmt.Sprintf("after %d changes, compacting at %d", before, compactAt), func(t *testing.T) {
				b := openAt(t, t.TempDir())
				for _, step := range script[:before] {
					must(t, step(b))
				}
				want := dump(t, b)
				b.compactAt = compactAt
				ctx, cancel := context.WithCancel(t.Context())
				err := b.Atomic(ctx, func(m refs.Manager) error {
					_, err := m.Put(ctx, "archive/x", []byte("{}"), refs.Absent)
					cancel() // the index finds that out when it is to commit
					return err
				})
				if !errors.Is(err, context.Canceled) {
					t.Fatalf("error is %v", err)
				}
				must(t, os.RemoveAll(filepath.Join(filepath.Dir(b.dir), "index.db")))
				if before > 0 {
					must(t, b.Check(t.Context()))
				}
				if got := dump(t, b); got != want {
					t.Errorf("got\n%swant\n%s", got, want)
				}
				must(t, put(b, "archive/x", `{}`), b.Check(t.Context()))
			})
		}
	}
}

// TestIndexCannotCommitAndAnotherGoesOn: somebody else took the change from the
// journal before it could be taken back, so it is done.
func TestIndexCannotCommitAndAnotherGoesOn(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	must(t, put(b, "archive/a", `{}`))
	failed := errors.New("no space")
	var tx1 *transaction
	err := b.db.Update(t.Context(), func(tx *index.Tx) error {
		tx1 = &transaction{b: b, tx: tx}
		must(t, tx1.begin(false))
		defer tx1.close()
		_, err := tx1.put(b.table, "archive/x", []byte("{}"), refs.Absent)
		must(t, err, tx1.commit())
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatal(err)
	}
	must(t, put(b, "archive/y", `{}`))
	if err := b.settle(t.Context(), tx1, failed); err != nil {
		t.Errorf("settled as %v", err)
	}
	must(t, b.Check(t.Context()))
	if _, err := b.Get(t.Context(), "archive/x"); err != nil {
		t.Error(err)
	}
}

// TestFailureIsNotForgotten: a change that was made by half is not committed,
// even when the caller of Atomic does not look at the error.
func TestFailureIsNotForgotten(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	must(t, put(b, "archive/a", `{}`))
	want := dump(t, b)
	err := b.update(t.Context(), func(tx *transaction) error {
		must(t, tx.do(op{kind: opCreateTable, table: "t"}))
		writable := tx.w.file
		readOnly, err := os.Open(writable.Name())
		must(t, err)
		defer readOnly.Close()
		tx.w.file = readOnly
		if _, err := tx.put(b.table, "big", bytes.Repeat([]byte("x"), fullPayload), refs.Absent); err == nil {
			t.Error("a journal that cannot be written gave no error")
		}
		tx.w.file = writable
		return nil
	})
	if err == nil {
		t.Error("the failure was forgotten")
	}
	if got := dump(t, b); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	must(t, b.Check(t.Context()))
}

// TestNumbersGoOnAfterCompaction: a revision does not come back, even when all
// that had one is gone from the journal and the index is lost.
func TestNumbersGoOnAfterCompaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := openAt(t, dir)
	must(t, put(b, "archive/a", `{}`), put(b, "archive/b", `{}`), b.DeleteTable(t.Context(), "datafs"), b.Compact(t.Context()))
	must(t, os.Remove(filepath.Join(dir, "index.db")), b.Rebuild(t.Context()))
	rev, err := b.Put(t.Context(), "archive/a", []byte(`{}`), refs.Absent)
	if err != nil || rev != "5" { // two graves have numbers, too
		t.Errorf("revision is %s, %v, want 5", rev, err)
	}
}

// TestCheckFindsAnotherJournal: one that is sound, but not the index's.
func TestCheckFindsAnotherJournal(t *testing.T) {
	t.Parallel()
	a, b := openAt(t, t.TempDir()), openAt(t, t.TempDir())
	must(t, put(a, "archive/a", `{"n":1}`), put(b, "archive/a", `{"n":2}`), b.Check(t.Context()))
	journal, err := os.ReadFile(journalPath(a.dir, 1))
	must(t, err, os.WriteFile(journalPath(b.dir, 1), journal, 0o666))
	if err := b.Check(t.Context()); !errors.Is(err, index.ErrCorrupt) || !strings.Contains(err.Error(), "journal and index differ") {
		t.Errorf("error is %v", err)
	}
}

// TestRolledBackFramesAreCut: a large transaction has written frames already.
func TestRolledBackFramesAreCut(t *testing.T) {
	t.Parallel()
	b := openAt(t, t.TempDir())
	must(t, put(b, "archive/a", `{}`))
	_, before, _, err := newestJournal(b.dir)
	must(t, err)
	no := errors.New("no")
	err = b.Atomic(t.Context(), func(m refs.Manager) error {
		for i := range 3 {
			_, err := m.Put(t.Context(), fmt.Sprint("big/", i), bytes.Repeat([]byte("x"), fullPayload), refs.Absent)
			must(t, err)
		}
		return no
	})
	_, after, _, err2 := newestJournal(b.dir)
	if !errors.Is(err, no) || err2 != nil || after != before {
		t.Errorf("journal has %d bytes, had %d, %v, %v", after, before, err, err2)
	}
	must(t, b.Check(t.Context()))
}

// TestReadOnlyRepository: who may not write reads what the index has, and does
// without a torn tail.
func TestReadOnlyRepository(t *testing.T) {
	t.Parallel()
	if os.Getuid() == 0 {
		t.Skip("root may write everywhere")
	}
	dir := t.TempDir()
	b := openAt(t, dir)
	must(t, put(b, "archive/a", `{}`))
	want := dump(t, b)
	f, err := os.OpenFile(journalPath(b.dir, 1), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString("torn")
	must(t, err, f.Close(), os.Chmod(f.Name(), 0o444))
	if got := dump(t, b); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestNewestJournal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if g, _, _, err := newestJournal(filepath.Join(dir, "none")); g != 0 || err != nil {
		t.Errorf("without a directory: %d, %v", g, err)
	}
	for _, name := range []string{"00000001.journal", "00000003.journal", "00000002.journal", "100000000.journal", "9.journal", "00000004.journal.tmp", "x.journal", "20000000.journal", "0000000x.journal", "00000000.journal", "000000200.journal"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(name), 0o666))
	}
	g, size, others, err := newestJournal(dir)
	slices.Sort(others)
	want := []string{journalPath(dir, 1), journalPath(dir, 2), journalPath(dir, 3), journalPath(dir, 20000000)}
	if g != 100000000 || size != int64(len("100000000.journal")) || !slices.Equal(others, want) || err != nil {
		t.Errorf("newest is %d with %d bytes, others %q, %v", g, size, others, err)
	}
}

// BenchmarkPut is one journal fsync and one commit of the index.
func BenchmarkPut(b *testing.B) {
	m := openAt(b, b.TempDir())
	n := 0
	for b.Loop() {
		if _, err := m.Put(b.Context(), fmt.Sprintf("archive/%d", n), []byte(`{}`), refs.Absent); err != nil {
			b.Fatal(err)
		}
		n++
	}
}

// BenchmarkPutAll writes 40,000 small records at once.
func BenchmarkPutAll(b *testing.B) {
	changes := make([]refs.Change, 40000)
	for i := range changes {
		changes[i] = refs.Change{Key: fmt.Sprintf("archive/data/%06d.nc", i), Value: fmt.Appendf(nil, `{"authority":"local","name":"data/%06d.nc","n":%d}`, i, i)}
	}
	for b.Loop() {
		m := openAt(b, b.TempDir())
		if _, err := m.PutAll(b.Context(), changes); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGet is one transaction of the index.
func BenchmarkGet(b *testing.B) {
	m := openAt(b, b.TempDir())
	must(b, put(m, "archive/a", `{}`))
	for b.Loop() {
		if _, err := m.Get(b.Context(), "archive/a"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkImportAll makes 40,000 archives with a version each.
func BenchmarkImportAll(b *testing.B) {
	for b.Loop() {
		m := openAt(b, b.TempDir())
		list := make([]refs.NewArchive, 40000)
		for i := range list {
			list[i].Archive = refs.Archive{Name: fmt.Sprintf("data/%06d.nc", i), Authority: "local", Versioned: true}
			list[i].Version = refs.NewVersion{Hash: index.ID{byte(i), byte(i >> 8)}, Size: 1, Files: 1, Bump: "patch"}
		}
		if _, err := refs.New(m, nil).ImportAll(b.Context(), list); err != nil {
			b.Fatal(err)
		}
	}
}
