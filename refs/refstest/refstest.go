// Package refstest is the suite that every refs.Manager passes. It is for tests
// only. Its one invariant: it relies on what refs.Manager promises, and on
// nothing that one manager happens to do.
package refstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
)

// Run runs the suite. open gives a new, empty manager and closes it when its
// test ends.
func Run(t *testing.T, open func(t *testing.T) refs.Manager) {
	cases := []struct {
		name string
		run  func(*testing.T, refs.Manager)
	}{
		{"a record that is not there is fs.ErrNotExist", testAbsent},
		{"a record is created, replaced and deleted only at its revision", testCompareAndSwap},
		{"a revision never comes back", testRevisionsDiffer},
		{"values come back byte for byte and are the caller's own", testValues},
		{"odd keys are kept apart", testOddKeys},
		{"broken keys are refused", testBrokenKeys},
		{"a record of 350 KB is kept", testLarge},
		{"listing is in byte order below the prefix", testListOrder},
		{"listing goes beyond one page and lets the caller write", testListPages},
		{"changes come once per record in order of change", testChanges},
		{"changes report a deletion and a key that is made anew", testChangesDeleted},
		{"an unknown cursor is an error and a lost future gives all", testCursors},
		{"changes are never missed while writers run", testChangesRace},
		{"one of many creators wins", testCreateRace},
		{"no increment is lost between writers", testCounterRace},
		{"a cancelled context is an error and changes nothing", testCancelled},
		{"a batch makes each change on its own terms", testBatch},
		{"what a batch deleted can be put again as it was", testBatchAgain},
		{"an atomic change is made wholly or not at all", testAtomic},
		{"atomic changes do not see each other halfway", testAtomicRace},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// value makes a record's value: a canonical JSON object.
func value(n int) []byte { return fmt.Appendf(nil, `{"format":1,"n":%d}`, n) }

func mustPut(t *testing.T, m refs.Manager, key string, v []byte, prev refs.Rev) refs.Rev {
	t.Helper()
	rev, err := m.Put(t.Context(), key, v, prev)
	if err != nil {
		t.Fatalf("Put(%q): %v", key, err)
	}
	if rev == refs.Absent {
		t.Fatalf("Put(%q): no revision", key)
	}
	return rev
}

func mustDelete(t *testing.T, m refs.Manager, key string, prev refs.Rev) {
	t.Helper()
	if err := m.Delete(t.Context(), key, prev); err != nil {
		t.Fatalf("Delete(%q): %v", key, err)
	}
}

// wantRecord checks that a record is there with this value and revision.
func wantRecord(t *testing.T, m refs.Manager, key string, v []byte, rev refs.Rev) {
	t.Helper()
	got, err := m.Get(t.Context(), key)
	if err != nil {
		t.Fatalf("Get(%q): %v", key, err)
	}
	if got.Key != key || !bytes.Equal(got.Value, v) || got.Rev != rev || got.Deleted {
		t.Errorf("Get(%q) = %q %.60q at %q, want %.60q at %q", key, got.Key, got.Value, got.Rev, v, rev)
	}
}

func wantError(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error is %v, want %v", what, got, want)
	}
}

// collect gives all of a listing.
func collect(t *testing.T, list iter.Seq2[refs.Record, error]) []refs.Record {
	t.Helper()
	var all []refs.Record
	for r, err := range list {
		if err != nil {
			t.Fatalf("listing: %v", err)
		}
		all = append(all, r)
	}
	return all
}

func keys(records []refs.Record) []string {
	list := []string{}
	for _, r := range records {
		list = append(list, r.Key)
	}
	return list
}

func testAbsent(t *testing.T, m refs.Manager) {
	_, err := m.Get(t.Context(), "archive/a")
	wantError(t, "Get", err, fs.ErrNotExist)
	wantError(t, "Delete", m.Delete(t.Context(), "archive/a", "1"), fs.ErrNotExist)
	_, err = m.Put(t.Context(), "archive/a", value(1), "1")
	wantError(t, "Put at a revision", err, refs.ErrConflict)
	if got := collect(t, m.List(t.Context(), "")); len(got) != 0 {
		t.Errorf("List of nothing gave %v", keys(got))
	}
	if got := collect(t, m.Changes(t.Context(), "")); len(got) != 0 {
		t.Errorf("Changes of nothing gave %v", keys(got))
	}
}

func testCompareAndSwap(t *testing.T, m refs.Manager) {
	const key = "archive/a"
	first := mustPut(t, m, key, value(1), refs.Absent)
	wantRecord(t, m, key, value(1), first)
	_, err := m.Put(t.Context(), key, value(2), refs.Absent)
	wantError(t, "creating what is there", err, refs.ErrConflict)
	second := mustPut(t, m, key, value(2), first)
	_, err = m.Put(t.Context(), key, value(3), first)
	wantError(t, "replacing at an old revision", err, refs.ErrConflict)
	wantError(t, "deleting at an old revision", m.Delete(t.Context(), key, first), refs.ErrConflict)
	wantError(t, "deleting at no revision", m.Delete(t.Context(), key, refs.Absent), refs.ErrConflict)
	wantRecord(t, m, key, value(2), second)
	mustDelete(t, m, key, second)
	_, err = m.Get(t.Context(), key)
	wantError(t, "getting what was deleted", err, fs.ErrNotExist)
	_, err = m.Put(t.Context(), key, value(3), second)
	wantError(t, "replacing what was deleted", err, refs.ErrConflict)
	wantError(t, "deleting twice", m.Delete(t.Context(), key, second), fs.ErrNotExist)
}

func testRevisionsDiffer(t *testing.T, m refs.Manager) {
	const key = `version/a\0.0.1`
	seen := map[refs.Rev]bool{}
	for range 3 {
		rev := mustPut(t, m, key, value(1), refs.Absent)
		again := mustPut(t, m, key, value(1), rev)
		if seen[rev] || seen[again] || rev == again {
			t.Errorf("revisions %q, %q of equal values are not new", rev, again)
		}
		seen[rev], seen[again] = true, true
		mustDelete(t, m, key, again)
	}
}

func testValues(t *testing.T, m refs.Manager) {
	const key = "archive/a"
	want := []byte(`{"a":"<&> é \"\\ \n \t 日本 😀","b":null,"c":[1,"x",{}],"d":{"":"empty","a.b":"dot","$c":"dollar"},"e":-12.5,"f":true}`)
	given := bytes.Clone(want)
	rev := mustPut(t, m, key, given, refs.Absent)
	clear(given)
	wantRecord(t, m, key, want, rev)
	got, err := m.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	clear(got.Value)
	for _, list := range [][]refs.Record{collect(t, m.List(t.Context(), "")), collect(t, m.Changes(t.Context(), ""))} {
		if len(list) != 1 || !bytes.Equal(list[0].Value, want) {
			t.Fatalf("listing gave %v", list)
		}
		clear(list[0].Value)
	}
	wantRecord(t, m, key, want, rev)
}

// oddKeys are legal, and easily mixed up.
var oddKeys = []string{
	"archive/a", "archive/a ", "archive/A", "archive/a/b", "archive/a%2Fb", "archive/a.b", "archive/a b", "archive/a+b",
	"archive/a=b", "archive/a_b", "archive/a*b", "archive/a?b", "archive/[a]", "archive/~!@#$", "archive/'a'", `archive/"a"`,
	"archive/ä", "archive/a\u0308", "archive/日本/😀", "archive/\uFFFD", "archive/null", "archive/0", "archive/{}", "archive/$where",
	`version/a\0.0.1`, `version/a\0.0.10`, `version/a\0.1`, `version/a\#00000001`, `version/a/b\0.0.1`, `version/a.b\0.0.1`,
	"spec/required_user_config", "archive/" + strings.Repeat("long/", 150) + "name",
}

func testOddKeys(t *testing.T, m refs.Manager) {
	revs := map[string]refs.Rev{}
	for i, key := range oddKeys {
		revs[key] = mustPut(t, m, key, value(i), refs.Absent)
	}
	for i, key := range oddKeys {
		wantRecord(t, m, key, value(i), revs[key])
	}
	want := slices.Sorted(slices.Values(oddKeys))
	if got := keys(collect(t, m.List(t.Context(), ""))); !slices.Equal(got, want) {
		t.Errorf("List gave %q, want %q", got, want)
	}
	for i, key := range oddKeys {
		if i%2 == 0 {
			mustDelete(t, m, key, revs[key])
		}
	}
	for i, key := range oddKeys {
		if _, err := m.Get(t.Context(), key); (err == nil) != (i%2 == 1) {
			t.Errorf("after deleting every second key, Get(%q) gave error %v", key, err)
		}
	}
}

func testBrokenKeys(t *testing.T, m refs.Manager) {
	for _, key := range []string{"", "archive/a\x00b", "archive/a\nb", "archive/\xff", strings.Repeat("x", refs.MaxKey+1)} {
		if _, err := m.Put(t.Context(), key, value(1), refs.Absent); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("Put(%.20q): error is %v, want %v", key, err, fs.ErrInvalid)
		}
		if _, err := m.Get(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Get(%.20q): error is %v, want %v", key, err, fs.ErrNotExist)
		}
	}
	if _, err := m.Put(t.Context(), "archive/a", nil, refs.Absent); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("Put of no value: error is %v, want %v", err, fs.ErrInvalid)
	}
}

func testLarge(t *testing.T, m refs.Manager) {
	want := fmt.Appendf(nil, `{"format":1,"text":"%s"}`, strings.Repeat("0123456789abcdef", 350<<10/16))
	for i := range 5 {
		key := fmt.Sprintf("archive/%d", i)
		wantRecord(t, m, key, want, mustPut(t, m, key, want, refs.Absent))
	}
	if got := collect(t, m.List(t.Context(), "archive/")); len(got) != 5 || !bytes.Equal(got[4].Value, want) {
		t.Errorf("List gave %d large records, want 5 whole ones", len(got))
	}
}

func testListOrder(t *testing.T, m refs.Manager) {
	for i, key := range []string{"archive/b", "archive/a/c", "archive/a", "spec/x", "archive/ab", "archive/B", "archivf", "archive/a-"} {
		mustPut(t, m, key, value(i), refs.Absent)
	}
	cases := []struct {
		prefix string
		want   []string
	}{
		{"", []string{"archive/B", "archive/a", "archive/a-", "archive/a/c", "archive/ab", "archive/b", "archivf", "spec/x"}},
		{"archive/", []string{"archive/B", "archive/a", "archive/a-", "archive/a/c", "archive/ab", "archive/b"}},
		{"archive/a", []string{"archive/a", "archive/a-", "archive/a/c", "archive/ab"}},
		{"archive/a/", []string{"archive/a/c"}},
		{"archive/c", []string{}},
		{"z", []string{}},
	}
	for _, c := range cases {
		if got := keys(collect(t, m.List(t.Context(), c.prefix))); !slices.Equal(got, c.want) {
			t.Errorf("List(%q) gave %q, want %q", c.prefix, got, c.want)
		}
	}
	for r, err := range m.List(t.Context(), "archive/") {
		if err != nil || r.Key != "archive/B" || r.Rev == refs.Absent || string(r.Value) != string(value(5)) {
			t.Errorf("List begins with %+v, %v", r, err)
		}
		break
	}
}

// pageTest is enough records for several pages of any manager.
const pageTest = 2300

func fill(t *testing.T, m refs.Manager, n int) {
	t.Helper()
	if b, ok := m.(refs.Batcher); ok {
		changes := make([]refs.Change, n)
		for i := range changes {
			changes[i] = refs.Change{Key: fmt.Sprintf("archive/%06d", i), Value: value(i)}
		}
		errs, err := b.PutAll(t.Context(), changes)
		if err = errors.Join(err, errors.Join(errs...)); err != nil {
			t.Fatal(err)
		}
		return
	}
	for i := range n {
		mustPut(t, m, fmt.Sprintf("archive/%06d", i), value(i), refs.Absent)
	}
}

func testListPages(t *testing.T, m refs.Manager) {
	fill(t, m, pageTest)
	n := 0
	for r, err := range m.List(t.Context(), "archive/") {
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("archive/%06d", n); r.Key != want || string(r.Value) != string(value(n)) {
			t.Fatalf("record %d is %q %q, want %q", n, r.Key, r.Value, want)
		}
		if n%500 == 0 { // a transaction that were still open would wait for itself
			mustPut(t, m, fmt.Sprintf("other/%06d", n), value(n), refs.Absent)
			mustDelete(t, m, r.Key, r.Rev)
		}
		n++
	}
	if n != pageTest {
		t.Errorf("List gave %d records, want %d", n, pageTest)
	}
	if got, want := len(collect(t, m.Changes(t.Context(), ""))), pageTest+5; got < want {
		t.Errorf("Changes gave %d records, want %d", got, want)
	}
}

func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func testCancelled(t *testing.T, m refs.Manager) {
	rev := mustPut(t, m, "archive/a", value(1), refs.Absent)
	ctx := cancelled()
	_, err := m.Get(ctx, "archive/a")
	wantError(t, "Get", err, context.Canceled)
	_, err = m.Put(ctx, "archive/a", value(2), rev)
	wantError(t, "Put", err, context.Canceled)
	wantError(t, "Delete", m.Delete(ctx, "archive/a", rev), context.Canceled)
	for what, list := range map[string]iter.Seq2[refs.Record, error]{"List": m.List(ctx, ""), "Changes": m.Changes(ctx, "")} {
		err = nil
		for _, err = range list {
			break
		}
		wantError(t, what, err, context.Canceled)
	}
	wantRecord(t, m, "archive/a", value(1), rev)
}
