package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/refstest"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/catalog"
	"github.com/datafs/datafs/remote/dir"
	"github.com/datafs/datafs/remote/remotetest"
)

func openCatalog(t testing.TB, a remote.Authority, opts *catalog.Options) *catalog.Catalog {
	t.Helper()
	c, err := catalog.Open(a, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func tempIndex(t testing.TB) *index.DB {
	t.Helper()
	db, err := index.Open(filepath.Join(t.TempDir(), "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func catalogInDir(t testing.TB) remote.Authority {
	t.Helper()
	a, err := dir.Open(&dir.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCatalogIsAManager(t *testing.T) {
	suites := map[string]func(t *testing.T) refs.Manager{
		"in memory": func(t *testing.T) refs.Manager { return openCatalog(t, &remote.Mem{}, nil) },
		"with an index": func(t *testing.T) refs.Manager {
			return openCatalog(t, &remote.Mem{}, &catalog.Options{Index: tempIndex(t), Space: "s", Table: "Other table"})
		},
		"in a directory": func(t *testing.T) refs.Manager { return openCatalog(t, catalogInDir(t), nil) },
		"several at once": func(t *testing.T) refs.Manager {
			db, a := tempIndex(t), &remote.Mem{}
			return &several{list: []*catalog.Catalog{
				openCatalog(t, a, nil), openCatalog(t, a, &catalog.Options{Index: db, Space: "s"}),
				openCatalog(t, a, &catalog.Options{Index: db, Space: "s"}),
			}}
		},
	}
	for name, open := range suites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refstest.Run(t, open)
		})
	}
}

// several uses Catalogs of one table by turns, as if it were one.
type several struct {
	mu   sync.Mutex // guards next
	next int
	list []*catalog.Catalog
}

func (s *several) one() *catalog.Catalog {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.next++
	return s.list[s.next%len(s.list)]
}

func (s *several) Get(ctx context.Context, key string) (refs.Record, error) {
	return s.one().Get(ctx, key)
}

func (s *several) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	return s.one().Put(ctx, key, value, prev)
}

func (s *several) Delete(ctx context.Context, key string, prev refs.Rev) error {
	return s.one().Delete(ctx, key, prev)
}

func (s *several) List(ctx context.Context, prefix string) recordSeq {
	return s.one().List(ctx, prefix)
}

func (s *several) Changes(ctx context.Context, since refs.Cursor) recordSeq {
	return s.one().Changes(ctx, since)
}

func (s *several) Close() error { return nil }

type recordSeq = iter.Seq2[refs.Record, error]

// contents gives all records by key, and checks that Changes gives the same.
func catalogContents(t testing.TB, c *catalog.Catalog) map[string]string {
	t.Helper()
	list := map[string]string{}
	for r, err := range c.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		list[r.Key] = string(r.Value)
	}
	changes := map[string]string{}
	n := 0
	for r, err := range c.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if n++; !r.Deleted {
			changes[r.Key] = string(r.Value)
		}
	}
	if !maps.Equal(list, changes) || n < len(list) {
		t.Errorf("List gives %d records, Changes %d of %d", len(list), len(changes), n)
	}
	return list
}

func creations(prefix string, n int) []refs.Change {
	changes := make([]refs.Change, n)
	for i := range changes {
		changes[i] = refs.Change{Key: fmt.Sprintf("archive/%s/%06d", prefix, i), Value: fmt.Appendf(nil, `{"n":%d}`, i)}
	}
	return changes
}

func putAll(t testing.TB, c *catalog.Catalog, changes []refs.Change) {
	t.Helper()
	errs, err := c.PutAll(t.Context(), changes)
	if err = errors.Join(err, errors.Join(errs...)); err != nil {
		t.Fatal(err)
	}
}

// race lets several Catalogs write batches at once, and gives what is to be there.
func raceCatalogs(t *testing.T, a remote.Authority, writers, batches int) map[string]string {
	var wg sync.WaitGroup
	want := map[string]string{}
	for w := range writers {
		for b := range batches {
			for _, change := range creations(fmt.Sprintf("%d-%d", w, b), 3) {
				want[change.Key] = string(change.Value)
			}
		}
		c := openCatalog(t, a, nil)
		wg.Go(func() {
			for b := range batches {
				errs, err := c.PutAll(t.Context(), creations(fmt.Sprintf("%d-%d", w, b), 3))
				if err = errors.Join(err, errors.Join(errs...)); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	wg.Wait()
	return want
}

func countCommits(t testing.TB, a remote.Authority) int {
	t.Helper()
	n := 0
	for _, err := range a.List(t.Context(), "catalog/datafs/log/") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

func TestCatalogLosesNothingBetweenWriters(t *testing.T) {
	a := &remote.Mem{}
	want := raceCatalogs(t, a, 8, 25)
	if got := catalogContents(t, openCatalog(t, a, nil)); !maps.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
	if got := countCommits(t, a); got != 8*25 {
		t.Errorf("%d commits, want one for each batch", got)
	}
}

func TestCatalogKnowsItsOwnCommitAfterALostAnswer(t *testing.T) {
	inner := &remote.Mem{}
	a := remotetest.NewFaulty(t, inner, remotetest.Fault{Op: remotetest.PutNew, Times: -1, How: remotetest.After})
	want := raceCatalogs(t, a, 4, 10)
	if got := catalogContents(t, openCatalog(t, a, nil)); !maps.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
	if got := countCommits(t, a); got != 4*10 {
		t.Errorf("%d commits, want one for each batch", got)
	}
}

func TestCatalogTriesAWriteThatDidNotArrive(t *testing.T) {
	a := remotetest.NewFaulty(t, &remote.Mem{}, remotetest.Fault{Op: remotetest.PutNew, Name: "catalog/datafs/", Times: 2})
	c := openCatalog(t, a, &catalog.Options{Probed: true})
	putAll(t, c, creations("a", 1))
	a.Plan(remotetest.Fault{Op: remotetest.PutNew, Times: 4})
	if errs, err := c.PutAll(t.Context(), creations("b", 1)); !errors.Is(err, remote.ErrUnavailable) || errs[0] != nil {
		t.Errorf("the errors are %v, %v", errs, err)
	}
	putAll(t, c, creations("b", 1))
}

func TestCatalogRequests(t *testing.T) {
	a := remotetest.NewFaulty(t, &remote.Mem{})
	c := openCatalog(t, a, &catalog.Options{Probed: true})
	putAll(t, c, creations("a", 10))
	want := func(what string, get, putNew, list int) {
		t.Helper()
		if n := a.Counts(); n.Get != get || n.PutNew != putNew || n.List != list || n.Put != 0 {
			t.Errorf("%s: requests are %+v, want %d, %d, %d", what, n, get, putNew, list)
		}
		a.Reset()
	}
	want("the first batch", 1, 1, 0)
	putAll(t, c, creations("b", 1000))
	want("a batch of 1000", 1, 1, 0)
	for range c.Changes(t.Context(), "2") {
		t.Error("something has changed")
	}
	want("no change", 1, 0, 0)
	putAll(t, c, creations("c", 25_000))
	want("a batch of 25,000", 1, 3, 0)
	fresh := openCatalog(t, a, nil)
	if _, err := fresh.Get(t.Context(), "archive/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	want("five commits", 4+2, 0, 1)
}

func TestCatalogReaderFarBehindUsesRuns(t *testing.T) {
	a := remotetest.NewFaulty(t, &remote.Mem{})
	c := openCatalog(t, a, nil)
	revs := map[string]refs.Rev{}
	want := map[string]string{}
	for i := range 1100 {
		key, value := fmt.Sprintf("archive/%03d", i%300), fmt.Sprintf(`{"n":%d}`, i)
		var err error
		if i%7 == 6 && revs[key] != refs.Absent {
			err = c.Delete(t.Context(), key, revs[key])
			delete(revs, key)
			delete(want, key)
		} else {
			revs[key], err = c.Put(t.Context(), key, []byte(value), revs[key])
			want[key] = value
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a.Reset()
	reader := openCatalog(t, a, &catalog.Options{Index: tempIndex(t)})
	cursor, seen := refs.Cursor(""), map[string]string{}
	for r, err := range reader.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		seen[r.Key], cursor = string(r.Value), r.Cursor
		if r.Deleted {
			delete(seen, r.Key)
		}
	}
	if !maps.Equal(seen, want) || cursor != "1100" {
		t.Errorf("Changes gives %d records up to %s, want %d", len(seen), cursor, len(want))
	}
	if n := a.Counts().All(); n > 30 {
		t.Errorf("%d requests for 1100 commits", n)
	}
	if got := catalogContents(t, reader); !maps.Equal(got, want) {
		t.Error("the reader has something else")
	}
	fromEveryCursor(t, openCatalog(t, a, nil), want)
}

// fromEveryCursor stops amid the changes, goes on from there, and must not miss
// anything.
func fromEveryCursor(t *testing.T, c *catalog.Catalog, want map[string]string) {
	t.Helper()
	seen, cursor := map[string]string{}, refs.Cursor("")
	for more := true; more; {
		more = false
		n := 0
		for r, err := range c.Changes(t.Context(), cursor) {
			if err != nil {
				t.Fatal(err)
			}
			seen[r.Key], cursor = string(r.Value), r.Cursor
			if r.Deleted {
				delete(seen, r.Key)
			}
			if n++; n == 37 {
				more = true
				break
			}
		}
	}
	if !maps.Equal(seen, want) {
		t.Errorf("going on from cursors gives %d records, want %d", len(seen), len(want))
	}
}

func TestCatalogCursorsAmidCommits(t *testing.T) {
	a := &remote.Mem{}
	c := openCatalog(t, a, nil)
	for i := range 10 {
		putAll(t, c, creations(fmt.Sprint(i), 30))
	}
	fromEveryCursor(t, c, catalogContents(t, c))
}

func archiveRecords(n int) []refs.Change {
	changes := make([]refs.Change, n)
	for i := range changes {
		name := fmt.Sprintf("project/%03d/data/%06d", i*7919%1000, i)
		changes[i] = refs.Change{Key: "archive/" + name, Value: fmt.Appendf(nil,
			`{"authority":"s3","created":"2026-11-24T10:00:%02d.%06dZ","format":1,"metadata":{"description":"record %d"},"name":"%s","tags":["a"],"user_config":{"username":"u%d"},"versioned":true}`,
			i%60, i, i*31, name, i%17)}
	}
	return changes
}

func TestCatalogOfManyArchives(t *testing.T) {
	a := remotetest.NewFaulty(t, &remote.Mem{})
	writer := openCatalog(t, a, nil)
	all := archiveRecords(100_000)
	for batch := range slices.Chunk(all, 1000) {
		putAll(t, writer, batch)
	}
	t.Logf("pushed: %+v", a.Counts())
	a.Reset()
	opts := &catalog.Options{Index: tempIndex(t), Space: "s"}
	n, cursor := 0, refs.Cursor("")
	start := time.Now()
	for r, err := range openCatalog(t, a, opts).Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n, cursor = n+1, r.Cursor
	}
	t.Logf("first pull: %v, %+v", time.Since(start), a.Counts())
	if n != len(all) || a.Counts().All() > 60 {
		t.Errorf("%d records with %d requests", n, a.Counts().All())
	}
	for i := range 10 {
		putAll(t, writer, creations(fmt.Sprint("new", i), 1))
	}
	a.Reset()
	start, n = time.Now(), 0
	for _, err := range openCatalog(t, a, opts).Changes(t.Context(), cursor) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	took, counts := time.Since(start), a.Counts()
	t.Logf("10 changes: %v, %+v", took, counts)
	if n != 10 || counts.All() >= 20 || counts.Down > 1<<20 || took > time.Second {
		t.Errorf("%d changes in %v with %+v", n, took, counts)
	}
	start, n = time.Now(), 0
	a.Reset()
	for _, err := range openCatalog(t, a, opts).List(t.Context(), "archive/") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	t.Logf("list: %v, %+v", time.Since(start), a.Counts())
	if n != len(all)+10 {
		t.Errorf("%d records listed", n)
	}
}

func TestCatalogSplitsLargeBatches(t *testing.T) {
	a := &remote.Mem{}
	c := openCatalog(t, a, nil)
	var changes []refs.Change
	for i, size := range []int{3 << 20, 1 << 20, refs.MaxValue, 1, 1} {
		changes = append(changes, refs.Change{Key: fmt.Sprint("archive/", i), Value: []byte(strings.Repeat("x", size))})
	}
	putAll(t, c, changes)
	if got := countCommits(t, a); got != 4 {
		t.Errorf("%d commits, want 4", got)
	}
	if got := catalogContents(t, openCatalog(t, a, nil)); len(got) != 5 || len(got["archive/2"]) != refs.MaxValue {
		t.Errorf("%d records", len(got))
	}
}
