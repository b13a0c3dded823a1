package docdb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
	"github.com/datafs/datafs/refs/refstest"
)

func TestManager(t *testing.T) {
	refstest.Run(t, func(t *testing.T) refs.Manager { return docdb.New(&docdb.Mem{}, nil) })
}

func entries(t *testing.T, s docdb.Store) []docdb.Entry {
	t.Helper()
	var all []docdb.Entry
	for {
		page, err := s.Read(t.Context(), int64(len(all)), docdb.MaxRead)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

func TestManyChangesBecomeFewEntriesOfBoundedSize(t *testing.T) {
	s := &docdb.Mem{}
	m := docdb.New(s, nil)
	var changes []refs.Change
	for i := range 2500 {
		changes = append(changes, refs.Change{Key: fmt.Sprintf("archive/%d", i), Value: value("x")})
	}
	for i := range 20 {
		changes = append(changes, refs.Change{Key: fmt.Sprintf("archive/%020000d", i), Value: value("x")})
	}
	changes = append(changes, refs.Change{Key: "archive/twice", Value: value("x")}, refs.Change{Key: "archive/twice", Value: value("y")})
	errs, err := m.PutAll(t.Context(), changes)
	if err != nil || !errors.Is(errs[2521], refs.ErrConflict) || errors.Join(errs[:2521]...) != nil {
		t.Fatalf("got %v, %v, want only that the last one is there already", errors.Join(errs...), err)
	}
	var got []int
	for _, e := range entries(t, s) {
		size := 0
		for _, c := range e.Changes {
			size += len(c.Key)
		}
		if got = append(got, len(e.Changes)); size > docdb.MaxKeys || !e.Done {
			t.Errorf("entry %d has %d bytes of keys, done %v", e.N, size, e.Done)
		}
	}
	if want := []int{1000, 1000, 515, 6}; !slices.Equal(got, want) {
		t.Errorf("got entries of %v changes, want %v", got, want)
	}
}

// denied is a Store that a user may not do everything with.
type denied struct {
	docdb.Store
	what string // "delete", or "write"
}

var errDenied = fmt.Errorf("ann may not: %w", fs.ErrPermission)

func (s denied) Delete(ctx context.Context, key string, prev int64) error {
	return errDenied
}

func (s denied) Replace(ctx context.Context, d docdb.Doc, prev int64) error {
	if s.what == "write" {
		return errDenied
	}
	return s.Store.Replace(ctx, d, prev)
}

func (s denied) Insert(ctx context.Context, docs []docdb.Doc) ([]error, error) {
	if s.what == "write" {
		return nil, errDenied
	}
	return s.Store.Insert(ctx, docs)
}

func TestWhoMayNotDeleteDoesNot(t *testing.T) {
	s := newTable(t)
	f := newFollower(s, false)
	if err := f.follow(t); err != nil {
		t.Fatal(err)
	}
	m := docdb.New(denied{s, "delete"}, nil)
	for _, key := range []string{"gone", "gone-fenced"} {
		if err := m.Delete(t.Context(), key, rev(t, m, key)); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("deleting %q: got %v, want that it is not permitted", key, err)
		}
		if rev(t, m, key) == refs.Absent {
			t.Errorf("%q is gone", key)
		}
	}
	for r, err := range f.Changes(t.Context(), f.cursor) {
		t.Errorf("got %+v, %v, want no change", r, err)
	}
}

func TestAReaderWhoMayNotWriteGetsWhatIsBeforeAnUnfinishedWrite(t *testing.T) {
	s := newTable(t)
	want := newFollower(s, false)
	if err := want.follow(t); err != nil {
		t.Fatal(err)
	}
	r := &run{t: t, store: s, writer: newFaulty(s, "append 1", killAfter)}
	if _, err := docdb.New(r.writer, nil).PutAll(t.Context(), batch(t, docdb.New(s, nil))); err == nil {
		t.Fatal("the writer did not die")
	}
	f := newFollower(denied{s, "write"}, false)
	for range 3 {
		if err := f.follow(t); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("got %v, want that it is not permitted", err)
		}
	}
	if !maps.Equal(f.seen, want.seen) {
		t.Errorf("got %v, want %v", f.seen, want.seen)
	}
	pending := slices.DeleteFunc(entries(t, s), func(e docdb.Entry) bool { return e.Done })
	if len(pending) != 1 {
		t.Errorf("got %+v, want only the entry of the writer that died", pending)
	}
}

func TestAReaderWaitsOnceForAllWhoHaveStalled(t *testing.T) {
	s := &docdb.Mem{}
	for n := range int64(5) {
		err := s.Append(t.Context(), docdb.Entry{N: n + 1, Writer: "who died", Changes: []docdb.EntryChange{{Key: fmt.Sprint(n)}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	var waited time.Duration
	m := docdb.New(s, &docdb.Options{Pause: func(_ context.Context, d time.Duration) error {
		waited += d
		return nil
	}})
	if n, cursor := count(t, m, ""); n != 0 || cursor != "" {
		t.Errorf("got %d changes, want none", n)
	}
	if waited < 5*time.Second || waited > 7*time.Second {
		t.Errorf("waited for %v, want 5 s in all", waited)
	}
}

func TestAReaderWaitsForAWriterThatComesToItsEnd(t *testing.T) {
	s := &docdb.Mem{}
	w := newFaulty(s, "insert a 1", pauseBefore)
	done := make(chan error)
	go func() {
		_, err := docdb.New(w, nil).Put(t.Context(), "a", value("x"), refs.Absent)
		done <- err
	}()
	<-w.reached
	var once sync.Once
	m := docdb.New(s, &docdb.Options{Pause: func(context.Context, time.Duration) error {
		once.Do(func() {
			w.finish()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
		return nil
	}})
	if n, _ := count(t, m, ""); n != 1 {
		t.Errorf("got %d changes, want 1", n)
	}
	if got := len(entries(t, s)); got != 1 {
		t.Errorf("got %d entries, want that of the writer only", got)
	}
}

// gappy is a Store whose Read has missed an entry for the first times.
type gappy struct {
	docdb.Store
	missing int64
	times   int
}

func (s *gappy) Read(ctx context.Context, after int64, limit int) ([]docdb.Entry, error) {
	list, err := s.Store.Read(ctx, after, limit)
	if s.times--; s.times >= 0 {
		list = slices.DeleteFunc(list, func(e docdb.Entry) bool { return e.N == s.missing })
	}
	return list, err
}

func TestAnEntryThatADatabaseSeesTooLateIsNotMissed(t *testing.T) {
	s := &docdb.Mem{}
	for _, key := range []string{"a", "b", "c"} {
		set(t, docdb.New(s, nil), key, "x")
	}
	noPause := func(context.Context, time.Duration) error { return nil }
	m := docdb.New(&gappy{s, 2, 3}, &docdb.Options{Pause: noPause})
	if n, _ := count(t, m, ""); n != 3 {
		t.Errorf("got %d changes, want 3", n)
	}
	var got []string
	for r, err := range docdb.New(&gappy{s, 2, 1000}, &docdb.Options{Pause: noPause}).Changes(t.Context(), "") {
		if err != nil && !errors.Is(err, refs.ErrCorrupt) {
			t.Errorf("got %v, want that the log is damaged", err)
		}
		got = append(got, r.Key)
	}
	if want := []string{"a", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q: all before it, and an error", got, want)
	}
}

// meddled is a Store where something happens when the log is read.
type meddled struct {
	docdb.Store
	do func()
}

func (s meddled) Read(ctx context.Context, after int64, limit int) ([]docdb.Entry, error) {
	s.do()
	return s.Store.Read(ctx, after, limit)
}

func TestARecordThatChangesWhileItIsReadIsGivenAsItIsThen(t *testing.T) {
	s := &docdb.Mem{}
	m := docdb.New(s, nil)
	set(t, m, "a", "old")
	var got []string
	for r, err := range docdb.New(meddled{s, func() { set(t, m, "a", "new") }}, nil).Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(r.Value))
	}
	if want := []string{string(value("new"))}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWritersInEachOthersWayLoseNothing(t *testing.T) {
	const writers, writes = 8, 50
	s := &docdb.Mem{}
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
	if n, _ := count(t, docdb.New(s, nil), ""); n != writers*writes || len(entries(t, s)) != n {
		t.Errorf("got %d changes and %d entries, want %d", n, len(entries(t, s)), writers*writes)
	}
}

func TestAnAppendThatIsSentTwiceIsOneEntry(t *testing.T) {
	want := len(entries(t, newTable(t))) + 1
	for _, m := range []mode{again, lostBack} {
		r := start(t, "append 1", m)
		r.end(false)
		list := entries(t, r.store)
		if len(list) != want || !list[want-1].Done || r.err != nil {
			t.Errorf("%s: got %d entries, error %v, want %d, all done", m, len(list), r.err, want)
		}
	}
}
