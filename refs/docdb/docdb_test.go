package docdb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/datafs/datafs/fixtures/docmem"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
	"github.com/datafs/datafs/refs/refstest"
)

func TestManager(t *testing.T) {
	refstest.Run(t, func(t *testing.T) refs.Manager { return docdb.New(&docmem.Store{}, nil) })
}

func TestManagerWithAnIndex(t *testing.T) {
	refstest.Run(t, func(t *testing.T) refs.Manager {
		db, err := index.Open(t.TempDir()+"/index.db", nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return docdb.New(&docmem.Store{}, &docdb.Options{Index: db})
	})
}

func TestManyChangesBecomeFewCommitsOfBoundedSize(t *testing.T) {
	s := &docmem.Store{}
	m := docdb.New(s, nil)
	var changes []refs.Change
	for i := range 2500 {
		changes = append(changes, refs.Change{Key: fmt.Sprintf("archive/%d", i), Value: value("x")})
	}
	for i := range 50 {
		changes = append(changes, refs.Change{Key: fmt.Sprintf("archive/%020000d", i), Value: value("x")})
	}
	changes = append(changes, refs.Change{Key: "archive/twice", Value: value("x")}, refs.Change{Key: "archive/twice", Value: value("y")})
	errs, err := m.PutAll(t.Context(), changes)
	if err != nil || !errors.Is(errs[2551], refs.ErrConflict) || errors.Join(errs[:2551]...) != nil {
		t.Fatalf("got %v, %v, want only that the last one is there already", errors.Join(errs...), err)
	}
	if got := s.Head(docdb.Records); got != 4 {
		t.Errorf("got %d commits, want 4", got)
	}
}

// denied is a Store that a user may not do everything with.
type denied struct {
	docdb.Store
	what string // "delete", "write" (of documents), or "log"
}

var errDenied = fmt.Errorf("ann may not: %w", fs.ErrPermission)

func (s denied) MayDelete(context.Context, docdb.Part) error { return errDenied }

func (s denied) Show(ctx context.Context, p docdb.Part, n uint64, records []refs.Record) error {
	if s.what != "delete" {
		return errDenied
	}
	return s.Store.Show(ctx, p, n, slices.DeleteFunc(records, func(r refs.Record) bool { return r.Deleted }))
}

func (s denied) Add(ctx context.Context, p docdb.Part, c docdb.Commit) error {
	if s.what == "log" {
		return errDenied
	}
	return s.Store.Add(ctx, p, c)
}

func (s denied) SetShown(ctx context.Context, p docdb.Part, n uint64) error {
	if s.what == "log" {
		return errDenied
	}
	return s.Store.SetShown(ctx, p, n)
}

func TestWhoMayNotDeleteDoesNot(t *testing.T) {
	s := newTable(t)
	f := newFollower(s, false)
	if err := f.follow(t); err != nil {
		t.Fatal(err)
	}
	m := docdb.New(denied{s, "delete"}, nil)
	for _, key := range []string{"gone", "spec/gone"} {
		for _, prev := range []refs.Rev{rev(t, m, key), "7"} {
			if err := m.Delete(t.Context(), key, prev); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("deleting %q: got %v, want that it is not permitted", key, err)
			}
		}
		if rev(t, m, key) == refs.Absent {
			t.Errorf("%q is gone", key)
		}
	}
	for r, err := range f.Changes(t.Context(), f.cursor) {
		t.Errorf("got %+v, %v, want no change", r, err)
	}
}

// TestAReaderWhoMayNotWriteGetsAllThatADeadWriterCommitted, and the documents follow when
// somebody who may write has written.
func TestAReaderWhoMayNotWriteGetsAllThatADeadWriterCommitted(t *testing.T) {
	s := newTable(t)
	r := &run{t: t, store: s, writer: newFaulty(s, "records add 1", killAfter)}
	if _, err := docdb.New(r.writer, nil).PutAll(t.Context(), batch(t, docdb.New(s, nil), "written")); err == nil {
		t.Fatal("the writer did not die")
	}
	f := newFollower(denied{s, "log"}, false)
	if err := f.follow(t); err != nil || f.seen["new"] != string(value("written")) || f.seen["gone"] != "" {
		t.Errorf("got %v, %v, want what was committed", f.seen, err)
	}
	for _, store := range []docdb.Store{denied{s, "log"}, denied{s, "write"}} {
		_, _ = docdb.New(store, nil).Put(t.Context(), "another", value("x"), refs.Absent)
		if _, there := s.Docs(docdb.Records)["new"]; there {
			t.Error("there is a document already")
		}
	}
	r.documents(newFollower(s, false))
}

// seesLate is a Store that misses a commit for the first times, although it sees the
// next one.
type seesLate struct {
	docdb.Store
	missing uint64
	times   int
}

func (s *seesLate) Commits(ctx context.Context, p docdb.Part, n uint64, count int) ([]docdb.Commit, error) {
	list, err := s.Store.Commits(ctx, p, n, count)
	if s.times--; s.times >= 0 {
		list = slices.DeleteFunc(list, func(c docdb.Commit) bool { return c.N == s.missing })
	}
	return list, err
}

func TestACommitThatADatabaseSeesTooLateIsNotMissed(t *testing.T) {
	s := &docmem.Store{}
	for _, key := range []string{"a", "b", "c"} {
		set(t, docdb.New(s, nil), key, "x")
	}
	if n, _ := count(t, docdb.New(&seesLate{s, 2, 2}, nil), ""); n != 3 {
		t.Errorf("got %d changes, want 3", n)
	}
	s.Lose(docdb.Records, 2)
	_, err := docdb.New(s, nil).Put(t.Context(), "d", value("x"), refs.Absent)
	if !errors.Is(err, refs.ErrCorrupt) || !strings.Contains(err.Error(), "memory is missing") {
		t.Errorf("got %v, want that the log is damaged", err)
	}
}

// TestADatabaseThatWasSetBack: a backup came back, and perhaps somebody has written since.
func TestADatabaseThatWasSetBack(t *testing.T) {
	for _, more := range []int{0, 1, 3, 5} {
		s := &docmem.Store{}
		db, err := index.Open(t.TempDir()+"/index.db", nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for i := range 6 {
			set(t, docdb.New(s, nil), fmt.Sprint("old", i), "x")
		}
		contents(t, docdb.New(s, &docdb.Options{Index: db})) // the index knows six commits
		s.SetBack(docdb.Records, 3)
		for i := range more {
			set(t, docdb.New(s, nil), fmt.Sprint("new", i), "x")
		}
		m := docdb.New(s, &docdb.Options{Index: db})
		set(t, m, "last", "x")
		if got, want := contents(t, m), contents(t, docdb.New(s, nil)); !maps.Equal(got, want) || len(got) != 4+more {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestWritersInEachOthersWayLoseNothing(t *testing.T) {
	const writers, writes = 8, 50
	s := &docmem.Store{}
	var wg sync.WaitGroup
	for w := range writers {
		m := docdb.New(s, nil)
		wg.Go(func() {
			for i := range writes {
				if _, err := m.Put(t.Context(), fmt.Sprintf("%d-%d", w, i), value("x"), refs.Absent); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n, _ := count(t, docdb.New(s, nil), "")
	if n != writers*writes || s.Head(docdb.Records) != writers*writes || len(s.Docs(docdb.Records)) != n {
		t.Errorf("got %d changes, %d commits and %d documents, want %d", n, s.Head(docdb.Records), len(s.Docs(docdb.Records)), writers*writes)
	}
}

func TestACommitThatIsSentTwiceIsOne(t *testing.T) {
	want := newTable(t).Head(docdb.Records) + 1
	for _, m := range []mode{again, lostBack} {
		r := start(t, "records add 1", m)
		<-r.done
		if got := r.store.Head(docdb.Records); got != want || r.err != nil || errors.Join(r.errs...) != nil {
			t.Errorf("%s: got %d commits, errors %v, %v, want %d", m, got, r.err, r.errs, want)
		}
	}
}

func TestCursorsOfBothParts(t *testing.T) {
	m := docdb.New(&docmem.Store{}, nil)
	set(t, m, "spec/a", "x")
	set(t, m, "a", "x")
	var got []refs.Cursor
	for r, err := range m.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, r.Cursor)
	}
	if want := []refs.Cursor{"1", "1.1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for cursor, want := range map[refs.Cursor]int{"": 2, ".1": 1, "1": 1, "1.1": 0, "0.0": 2, "9.9": 2} {
		if n, _ := count(t, m, cursor); n != want {
			t.Errorf("behind %q: got %d changes, want %d", cursor, n, want)
		}
	}
	for _, cursor := range []refs.Cursor{"x", "1.x", "1.1.1", "-1"} {
		for _, err := range m.Changes(t.Context(), cursor) {
			if !errors.Is(err, fs.ErrInvalid) {
				t.Errorf("behind %q: got %v, want that there is no such cursor", cursor, err)
			}
		}
	}
}
