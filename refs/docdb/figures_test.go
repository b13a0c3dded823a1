package docdb_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/datafs/datafs/fixtures/docmem"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

const manyVersions = 3 // of each archive

// manyArchives is the largest table that is promised where DATAFS_TEST_LARGE is
// set, and else a tenth of it.
func manyArchives() int {
	if os.Getenv("DATAFS_TEST_LARGE") != "" {
		return 100_000
	}
	return 10_000
}

// fillMany writes the table a thousand archives at a time.
func fillMany(t *testing.T, m *docdb.Manager, archives int) {
	t.Helper()
	var changes []refs.Change
	for i := range archives {
		name := fmt.Sprintf("team/dataset-%06d", i)
		changes = append(changes, refs.Change{Key: refs.ArchiveKey(name), Value: fmt.Appendf(nil,
			`{"authority":"main","format":1,"metadata":{"description":"number %d"},"name":%q,"tags":["a","b"],"versioned":true}`, i, name)})
		for v := range manyVersions {
			changes = append(changes, refs.Change{Key: fmt.Sprintf(`%s0.0.%d`, refs.VersionsPrefix(name), v+1),
				Value: fmt.Appendf(nil, `{"archive":%q,"checksums":{},"files":1,"format":1,"size":%d,"version":"0.0.%d"}`, name, i, v+1)})
		}
		if len(changes) >= 4000 {
			putAll(t, m, changes)
			changes = changes[:0]
		}
	}
	putAll(t, m, changes)
}

func putAll(t *testing.T, m *docdb.Manager, changes []refs.Change) {
	t.Helper()
	errs, err := m.PutAll(t.Context(), changes)
	if err = errors.Join(err, errors.Join(errs...)); err != nil {
		t.Fatal(err)
	}
}

// count gives how many records changed since cursor, and the new cursor.
func count(t *testing.T, m *docdb.Manager, cursor refs.Cursor) (n int, next refs.Cursor) {
	t.Helper()
	for r, err := range m.Changes(t.Context(), cursor) {
		if err != nil {
			t.Fatal(err)
		}
		n, cursor = n+1, r.Cursor
	}
	return n, cursor
}

func TestChangesOfALargeTableComeInPagesAndAfterwardsCostWhatChanged(t *testing.T) {
	s := &docmem.Store{}
	m := docdb.New(s, nil)
	fillMany(t, m, manyArchives())
	all := manyArchives() * (1 + manyVersions)
	filled := s.Counts()
	commits := s.Head(docdb.Records)
	if got, want := filled.Writes, int64(all)+2*int64(commits); got != want || commits > uint64(all/500) {
		t.Errorf("filling took %d writes and %d commits, want %d: each record once, and two for some thousand", got, commits, want)
	}
	s.Reset()
	n, cursor := count(t, m, "")
	first := s.Counts()
	if n != all {
		t.Errorf("got %d changes, want %d", n, all)
	}
	if got, most := first.Reads, int64(commits/32+4); got > most {
		t.Errorf("reading all took %d requests, want %d at most", got, most)
	}
	if first.Most > 8<<20 || first.Writes != 0 {
		t.Errorf("the largest answer had %d bytes, with %d writes, want pages and none", first.Most, first.Writes)
	}
	for i := range 10 {
		set(t, m, refs.ArchiveKey(fmt.Sprintf("team/dataset-%06d", i*777)), "changed")
	}
	s.Reset()
	n, cursor = count(t, m, cursor)
	if got := s.Counts(); n != 10 || got.Reads > 3 || got.Bytes > 2000 || got.Writes != 0 {
		t.Errorf("10 changes: got %d of them for %+v, want 10 for 3 requests and 2000 bytes", n, got)
	}
	s.Reset()
	n, _ = count(t, m, cursor)
	if got := s.Counts(); n != 0 || got.Reads != 2 || got.Bytes != 0 {
		t.Errorf("no change: got %d of them for %+v, want none for a request to each log", n, got)
	}
	t.Logf("filling: %+v; reading all: %+v", filled, first)
}

func TestAWriteCostsWhatItWrites(t *testing.T) {
	s := &docmem.Store{}
	m := docdb.New(s, nil)
	set(t, m, "archive/a", "one")
	prev := rev(t, m, "archive/a")
	s.Reset()
	if _, err := m.Put(t.Context(), "archive/a", value("two"), prev); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Counts(), (docmem.Counts{Reads: 3, Writes: 3}); got.Reads != want.Reads || got.Writes != want.Writes {
		t.Errorf("a change took %+v, want %+v", got, want)
	}
}
