package team_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures/docmem"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
	"github.com/datafs/datafs/refs/docdb"
	"github.com/datafs/datafs/remote/team"
)

// TestAPullFromADatabase pulls the records of many archives with three versions
// each, and then ten changes: of 100,000 where DATAFS_TEST_LARGE is set.
func TestAPullFromADatabase(t *testing.T) {
	n := 2000
	if os.Getenv("DATAFS_TEST_LARGE") != "" {
		n = 100_000
	}
	team := &docmem.Store{}
	m := docdb.New(team, nil)
	var changes []refs.Change
	for i := range n {
		changes = append(changes, archiveAndVersions(t, i, "K")...)
	}
	for len(changes) > 0 {
		k := min(len(changes), 10_000)
		if errs, err := m.PutAll(t.Context(), changes[:k]); err != nil || errs[0] != nil {
			t.Fatal(err, errs[0])
		}
		changes = changes[k:]
	}
	dir := t.TempDir()
	begin := time.Now()
	// The store of this test is in memory, too: by default the collector would let as
	// much garbage pile up as that takes.
	collector := debug.SetGCPercent(20)
	most := peak()
	rep, db := pullRecords(t, team, dir)
	took, grown := time.Since(begin), most()
	debug.SetGCPercent(collector)
	if rep.NewArchives != n || rep.NewVersions != 3*n {
		t.Fatalf("the first pull: %+v", rep)
	}
	t.Logf("the first pull of %d archives: %.1f s, %d MiB of memory", n, took.Seconds(), grown>>20)
	if grown > 256<<20 {
		t.Errorf("it took %d MiB of memory", grown>>20)
	}
	lookUp(t, db, n)

	for i := range 10 {
		c := archiveAndVersions(t, i*n/10, "C")[0]
		was, err := m.Get(t.Context(), c.Key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.Put(t.Context(), c.Key, c.Value, was.Rev); err != nil {
			t.Fatal(err)
		}
	}
	team.Reset()
	begin = time.Now()
	rep, _ = pullRecords(t, team, dir)
	took = time.Since(begin)
	t.Logf("ten changes among them: %.3f s, %+v", took.Seconds(), team.Counts())
	if rep.ChangedArchives != 10 || took > time.Second {
		t.Errorf("ten changes took %v: %+v", took, rep)
	}
}

// peak watches the heap until the function that it returns is called, which says
// by how much it has grown at most.
func peak() func() uint64 {
	runtime.GC()
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := heap(), uint64(0)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			most = max(most, heap())
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-done
		return max(most, before) - before
	}
}

// TestTenThousandVersionsOfOneArchive go through a database that keeps small
// records only.
func TestTenThousandVersionsOfOneArchive(t *testing.T) {
	team := &docmem.Store{}
	m := docdb.New(team, nil)
	changes := archiveAndVersions(t, 0, "K")[:1]
	a, _, err := refs.DecodeArchive(refs.Record{Key: changes[0].Key, Value: changes[0].Value})
	if err != nil {
		t.Fatal(err)
	}
	const n = 10_000
	for i := range n {
		v, err := refs.ParseVersion(fmt.Sprintf("0.0.%d", i+1))
		if err != nil {
			t.Fatal(err)
		}
		rec := refs.VersionRecord{
			Archive: a.Name, Version: v, Tree: objects.Hash([]byte(fmt.Sprint(i))), Size: 1, Files: 1,
			Updates: []refs.Update{{Time: a.Created, Bump: "patch"}},
		}
		value, err := refs.EncodeVersion(rec)
		if err != nil {
			t.Fatal(err)
		}
		changes = append(changes, refs.Change{Key: rec.Key(), Value: value})
	}
	errs, err := m.PutAll(t.Context(), changes)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
	rep, db := pullRecords(t, team, t.TempDir())
	list, err := db.Versions(t.Context(), a.Name)
	if err != nil || len(list) != n || rep.NewVersions != n {
		t.Errorf("%d versions, %+v, %v", len(list), rep, err)
	}
	if got := list[n-1].Version.String(); got != "0.0.10000" {
		t.Errorf("the last is %s", got)
	}
}

// lookUp measures what users look up among many archives.
func lookUp(t *testing.T, db *refs.DB, n int) {
	t.Helper()
	count := func(list iter.Seq2[string, error]) (k int) {
		for _, err := range list {
			if err != nil {
				t.Fatal(err)
			}
			k++
		}
		return k
	}
	ctx := context.Background()
	for what, look := range map[string]func() int{
		"filter --prefix": func() int { return count(db.Filter(ctx, refs.FilterOptions{Prefix: "climate/model-007/"})) },
		"filter PATTERN":  func() int { return count(db.Filter(ctx, refs.FilterOptions{Pattern: "*00042*"})) },
		"search TAG":      func() int { return count(db.Search(ctx, "", []string{"rare"})) },
		"listdir": func() int {
			list, err := db.ListDir(ctx, "team", "climate/model-007")
			if err != nil {
				t.Fatal(err)
			}
			return len(list)
		},
	} {
		look()
		begin := time.Now()
		k := look()
		t.Logf("%s: %d of %d in %v", what, k, n, time.Since(begin))
	}
}

// archiveAndVersions are the records of one archive.
func archiveAndVersions(t *testing.T, i int, units string) []refs.Change {
	t.Helper()
	a := refs.Archive{
		Name: fmt.Sprintf("climate/model-%03d/tas-%05d.nc", i%100, i), Authority: "team", Versioned: true,
		Metadata: map[string]string{"units": units, "source": "CMIP6"}, Created: time.Unix(int64(i), 0).UTC(),
	}
	if i%1000 == 0 {
		a.Tags = []string{"rare"}
	}
	value, err := refs.EncodeArchive(a)
	if err != nil {
		t.Fatal(err)
	}
	list := []refs.Change{{Key: refs.ArchiveKey(a.Name), Value: value}}
	for k := range 3 {
		v, err := refs.ParseVersion(fmt.Sprintf("0.0.%d", k+1))
		if err != nil {
			t.Fatal(err)
		}
		rec := refs.VersionRecord{
			Archive: a.Name, Version: v, Tree: objects.Hash([]byte(fmt.Sprint(i, k))), Size: 1, Files: 1,
			Updates: []refs.Update{{Time: a.Created, Bump: "patch"}},
		}
		if value, err = refs.EncodeVersion(rec); err != nil {
			t.Fatal(err)
		}
		list = append(list, refs.Change{Key: rec.Key(), Value: value})
	}
	return list
}

// pullRecords opens the repository of records in dir, as a new process would,
// and pulls.
func pullRecords(t *testing.T, database docdb.Store, dir string) (team.PullReport, *refs.DB) {
	t.Helper()
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	journal := filepath.Join(dir, "journal")
	local, err := bolt.Open(db, journal, nil)
	if err != nil {
		t.Fatal(err)
	}
	aside, err := bolt.Open(db, journal, &bolt.Options{Table: "aside"})
	if err != nil {
		t.Fatal(err)
	}
	s := team.New(&team.Options{Local: local, Aside: aside, Team: docdb.New(database, &docdb.Options{Index: db}), Space: "team"})
	rep, err := s.Pull(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return rep, refs.New(local, nil)
}
