package refstest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/datafs/datafs/refs"
)

// last gives the cursor of the last record, or the one before where there is none.
func last(records []refs.Record, before refs.Cursor) refs.Cursor {
	if len(records) == 0 {
		return before
	}
	return records[len(records)-1].Cursor
}

func testChanges(t *testing.T, m refs.Manager) {
	a := mustPut(t, m, "archive/a", value(1), refs.Absent)
	mustPut(t, m, "archive/b", value(2), refs.Absent)
	first := collect(t, m.Changes(t.Context(), ""))
	if got, want := keys(first), []string{"archive/a", "archive/b"}; !slices.Equal(got, want) {
		t.Fatalf("Changes gave %q, want %q", got, want)
	}
	cursor := last(first, "")
	if got := collect(t, m.Changes(t.Context(), cursor)); len(got) != 0 {
		t.Errorf("Changes gave %q though nothing changed", keys(got))
	}
	mustPut(t, m, "archive/c", value(3), refs.Absent)
	a = mustPut(t, m, "archive/a", value(4), a)
	a = mustPut(t, m, "archive/a", value(5), a)
	got := collect(t, m.Changes(t.Context(), cursor))
	if want := []string{"archive/c", "archive/a"}; !slices.Equal(keys(got), want) {
		t.Fatalf("Changes gave %q, want %q", keys(got), want)
	}
	if r := got[1]; r.Rev != a || string(r.Value) != string(value(5)) || r.Deleted {
		t.Errorf("changed record is %+v, want it as it is now", r)
	}
	if got, want := keys(collect(t, m.Changes(t.Context(), got[0].Cursor))), []string{"archive/a"}; !slices.Equal(got, want) {
		t.Errorf("Changes from the middle gave %q, want %q", got, want)
	}
	if got, want := keys(collect(t, m.Changes(t.Context(), ""))), []string{"archive/b", "archive/c", "archive/a"}; !slices.Equal(got, want) {
		t.Errorf("Changes from the beginning gave %q, want %q", got, want)
	}
}

func testChangesDeleted(t *testing.T, m refs.Manager) {
	const key = "archive/a"
	rev := mustPut(t, m, key, value(1), refs.Absent)
	cursor := last(collect(t, m.Changes(t.Context(), "")), "")
	mustDelete(t, m, key, rev)
	got := collect(t, m.Changes(t.Context(), cursor))
	if len(got) != 1 || got[0].Key != key || !got[0].Deleted || got[0].Value != nil {
		t.Fatalf("after a deletion Changes gave %+v", got)
	}
	for _, since := range []refs.Cursor{cursor, got[0].Cursor} {
		if rev == refs.Absent {
			continue
		}
		if r, err := m.Get(t.Context(), key); errors.Is(err, fs.ErrNotExist) {
			rev = mustPut(t, m, key, value(2), refs.Absent)
		} else if err != nil || r.Rev != rev {
			t.Fatalf("Get gave %+v, %v", r, err)
		}
		list := collect(t, m.Changes(t.Context(), since))
		if n := len(list); n == 0 || list[n-1].Key != key || list[n-1].Deleted || list[n-1].Rev != rev {
			t.Errorf("after a key was made anew Changes(%q) gave %+v", since, list)
		}
	}
}

func testCursors(t *testing.T, m refs.Manager) {
	mustPut(t, m, "archive/a", value(1), refs.Absent)
	var err error
	for _, err = range m.Changes(t.Context(), "no cursor of ours") {
		break
	}
	if err == nil {
		t.Error("an unknown cursor gave no error")
	}
	cursor := last(collect(t, m.Changes(t.Context(), "")), "")
	n, err := strconv.ParseUint(string(cursor), 10, 64)
	if err != nil {
		t.Skip("this manager's cursors are not numbers")
	}
	lost := refs.Cursor(strconv.FormatUint(n+100, 10))
	if got, want := keys(collect(t, m.Changes(t.Context(), lost))), []string{"archive/a"}; !slices.Equal(got, want) {
		t.Errorf("a cursor from a future that was lost gave %q, want %q", got, want)
	}
}

// testChangesRace follows the changes while writers run, and must end with what
// the manager has.
func testChangesRace(t *testing.T, m refs.Manager) {
	const writers, writes = 4, 60
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() { churn(t, m, w, writes) })
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	seen := map[string]string{}
	cursor := refs.Cursor("")
	for end := false; !end; {
		select {
		case <-done:
			end = true // and look once more
		default:
		}
		cursor = follow(t, m, cursor, seen)
	}
	want := map[string]string{}
	for _, r := range collect(t, m.List(t.Context(), "")) {
		want[r.Key] = string(r.Value)
	}
	if !maps.Equal(seen, want) {
		t.Errorf("following the changes gave %v, want %v", seen, want)
	}
}

// churn creates, changes and deletes a few records.
func churn(t *testing.T, m refs.Manager, writer, writes int) {
	revs := map[string]refs.Rev{}
	for i := range writes {
		key := fmt.Sprintf("archive/%d-%d", writer, i%5)
		var err error
		if i%7 == 6 && revs[key] != refs.Absent {
			err = m.Delete(t.Context(), key, revs[key])
			delete(revs, key)
		} else {
			revs[key], err = m.Put(t.Context(), key, value(i), revs[key])
		}
		if err != nil {
			t.Errorf("writing %q: %v", key, err)
			return
		}
	}
}

// follow applies the changes since cursor to seen.
func follow(t *testing.T, m refs.Manager, cursor refs.Cursor, seen map[string]string) refs.Cursor {
	t.Helper()
	for _, r := range collect(t, m.Changes(t.Context(), cursor)) {
		cursor = r.Cursor
		if r.Deleted {
			delete(seen, r.Key)
			continue
		}
		seen[r.Key] = string(r.Value)
	}
	return cursor
}

func testCreateRace(t *testing.T, m refs.Manager) {
	const racers, rounds = 8, 5
	for round := range rounds {
		key := fmt.Sprintf(`version/a\0.0.%d`, round+1)
		errs := make([]error, racers)
		revs := make([]refs.Rev, racers)
		var wg sync.WaitGroup
		for i := range racers {
			wg.Go(func() { revs[i], errs[i] = m.Put(t.Context(), key, value(i), refs.Absent) })
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			switch {
			case err == nil && winner >= 0:
				t.Errorf("both %d and %d created %q", winner, i, key)
			case err == nil:
				winner = i
			default:
				wantError(t, "losing", err, refs.ErrConflict)
			}
		}
		if winner < 0 {
			t.Fatalf("nobody created %q: %v", key, errs)
		}
		wantRecord(t, m, key, value(winner), revs[winner])
	}
}

func testCounterRace(t *testing.T, m refs.Manager) {
	const racers, each = 4, 15
	mustPut(t, m, "archive/n", value(0), refs.Absent)
	var wg sync.WaitGroup
	for range racers {
		wg.Go(func() {
			for range each {
				if err := increment(t, m, "archive/n"); err != nil {
					t.Errorf("incrementing: %v", err)
					return
				}
			}
		})
	}
	wg.Wait()
	r, err := m.Get(t.Context(), "archive/n")
	if err != nil || string(r.Value) != string(value(racers*each)) {
		t.Errorf("counter is %s, %v, want %s", r.Value, err, value(racers*each))
	}
}

func increment(t *testing.T, m refs.Manager, key string) error {
	for {
		r, err := m.Get(t.Context(), key)
		if err != nil {
			return err
		}
		_, text, _ := strings.Cut(string(r.Value), `"n":`)
		n, err := strconv.Atoi(strings.TrimSuffix(text, "}"))
		if err != nil {
			return err
		}
		if _, err = m.Put(t.Context(), key, value(n+1), r.Rev); !errors.Is(err, refs.ErrConflict) {
			return err
		}
	}
}

func testBatch(t *testing.T, m refs.Manager) {
	b, ok := m.(refs.Batcher)
	if !ok {
		t.Skip("this manager is no Batcher")
	}
	a := mustPut(t, m, "archive/a", value(1), refs.Absent)
	d := mustPut(t, m, "archive/d", value(2), refs.Absent)
	errs, err := b.PutAll(t.Context(), []refs.Change{
		{Key: "archive/a", Value: value(3), Prev: a},
		{Key: "archive/a", Value: value(4), Prev: a},
		{Key: "archive/b", Value: value(5)},
		{Key: "archive/b", Value: value(6)},
		{Key: "archive/c", Value: value(7), Prev: "1"},
		{Key: "archive/d", Prev: d},
		{Key: "archive/d", Prev: d},
		{Key: "", Value: value(8)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []error{nil, refs.ErrConflict, nil, refs.ErrConflict, refs.ErrConflict, nil, fs.ErrNotExist, fs.ErrInvalid}
	for i := range want {
		if !errors.Is(errs[i], want[i]) {
			t.Errorf("change %d: error is %v, want %v", i, errs[i], want[i])
		}
	}
	got := map[string]string{}
	for _, r := range collect(t, m.List(t.Context(), "")) {
		got[r.Key] = string(r.Value)
	}
	if want := map[string]string{"archive/a": string(value(3)), "archive/b": string(value(5))}; !maps.Equal(got, want) {
		t.Errorf("the batch left %v, want %v", got, want)
	}
}

func testAtomic(t *testing.T, m refs.Manager) {
	a, ok := m.(refs.Atomic)
	if !ok {
		t.Skip("this manager is not Atomic")
	}
	rev := mustPut(t, m, "archive/a", value(1), refs.Absent)
	failed := errors.New("no")
	err := a.Atomic(t.Context(), func(m refs.Manager) error {
		mustDelete(t, m, "archive/a", rev)
		mustPut(t, m, "archive/b", value(2), refs.Absent)
		if got := keys(collect(t, m.List(t.Context(), ""))); !slices.Equal(got, []string{"archive/b"}) {
			t.Errorf("within, List gives %q", got)
		}
		return failed
	})
	wantError(t, "Atomic", err, failed)
	wantRecord(t, m, "archive/a", value(1), rev)
	if got := keys(collect(t, m.Changes(t.Context(), ""))); !slices.Equal(got, []string{"archive/a"}) {
		t.Errorf("after a failure Changes gives %q", got)
	}
	var b refs.Rev
	err = a.Atomic(t.Context(), func(m refs.Manager) error {
		_, err := m.Put(t.Context(), "archive/a", value(9), "1000")
		wantError(t, "a conflict within", err, refs.ErrConflict)
		mustDelete(t, m, "archive/a", rev)
		b = mustPut(t, m, "archive/b", value(2), refs.Absent)
		b = mustPut(t, m, "archive/b", value(3), b)
		return nil
	})
	wantError(t, "Atomic", err, nil)
	wantRecord(t, m, "archive/b", value(3), b)
	if got := keys(collect(t, m.List(t.Context(), ""))); !slices.Equal(got, []string{"archive/b"}) {
		t.Errorf("afterwards, List gives %q", got)
	}
	wantError(t, "Atomic of nothing", a.Atomic(t.Context(), func(refs.Manager) error { return nil }), nil)
}

// testAtomicRace moves one unit between two records: their sum never changes.
func testAtomicRace(t *testing.T, m refs.Manager) {
	a, ok := m.(refs.Atomic)
	if !ok {
		t.Skip("this manager is not Atomic")
	}
	mustPut(t, m, "archive/x", value(0), refs.Absent)
	mustPut(t, m, "archive/y", value(0), refs.Absent)
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 10 {
				err := a.Atomic(t.Context(), func(m refs.Manager) error {
					return errors.Join(increment(t, m, "archive/x"), increment(t, m, "archive/y"))
				})
				if err != nil {
					t.Errorf("Atomic: %v", err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	for end := false; !end; {
		select {
		case <-done:
			end = true
		default:
		}
		if l := collect(t, m.List(t.Context(), "")); len(l) != 2 || string(l[0].Value) != string(l[1].Value) {
			t.Fatalf("halfway: %v", l)
		}
	}
	if r, err := m.Get(t.Context(), "archive/x"); err != nil || string(r.Value) != string(value(30)) {
		t.Errorf("the end is %s, %v", r.Value, err)
	}
}

// testBatchAgain deletes an archive and brings it back, twice.
func testBatchAgain(t *testing.T, m refs.Manager) {
	b, ok := m.(refs.Batcher)
	if !ok {
		t.Skip("this manager is no Batcher")
	}
	list := []string{"archive/a", `version/a\0.0.1`, `version/a\0.0.2`}
	var cursor refs.Cursor
	for range 2 {
		for _, deleted := range []bool{false, true, false, true} {
			changes := make([]refs.Change, len(list))
			for i, key := range list {
				changes[i] = refs.Change{Key: key, Value: value(i)}
				if deleted {
					r, err := m.Get(t.Context(), key)
					if err != nil {
						t.Fatal(err)
					}
					changes[i].Value, changes[i].Prev = nil, r.Rev
				}
			}
			errs, err := b.PutAll(t.Context(), changes)
			if err = errors.Join(err, errors.Join(errs...)); err != nil {
				t.Fatalf("deleted %v: %v", deleted, err)
			}
			last := map[string]bool{}
			for _, r := range collect(t, m.Changes(t.Context(), cursor)) {
				last[r.Key], cursor = r.Deleted, r.Cursor
			}
			for i, key := range list {
				if was, ok := last[key]; !ok || was != deleted {
					t.Errorf("deleted %v: the changes of %q say %v, %v", deleted, key, was, ok)
				}
				if r, err := m.Get(t.Context(), key); deleted != errors.Is(err, fs.ErrNotExist) || !deleted && string(r.Value) != string(value(i)) {
					t.Errorf("deleted %v: got %q, %v of %q", deleted, r.Value, err, key)
				}
			}
		}
	}
}
