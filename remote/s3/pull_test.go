package s3

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/catalog"
	"github.com/datafs/datafs/remote/remotetest"
	"github.com/datafs/datafs/remote/team"
)

// TestServerPullCostsWhatChanged pulls the records of many archives, and then
// ten changes: of 100,000 where DATAFS_TEST_LARGE is set, as make bench-remote
// does.
func TestServerPullCostsWhatChanged(t *testing.T) {
	n := 5000
	if os.Getenv("DATAFS_TEST_LARGE") != "" {
		n = 100_000
	}
	srv := servers.S3(t)
	a, err := Open(t.Context(), at(srv, srv.NewBucket(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	records, err := catalog.Open(a, nil)
	if err != nil {
		t.Fatal(err)
	}
	var changes []refs.Change
	for i := range n {
		changes = append(changes, record(t, i, "K"))
	}
	if errs, err := records.PutAll(t.Context(), changes); err != nil || errs[0] != nil {
		t.Fatal(err, errs[0])
	}

	counted := remotetest.NewFaulty(t, a)
	dir := t.TempDir()
	begin := time.Now()
	if rep := pulled(t, counted, dir); rep.NewArchives != n {
		t.Fatalf("the first pull: %+v", rep)
	}
	t.Logf("the first pull of %d archives: %.1f s, %+v", n, time.Since(begin).Seconds(), counted.Counts())

	for i := range 10 {
		key := record(t, i*n/10, "K").Key
		was, err := records.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := records.Put(t.Context(), key, record(t, i*n/10, "C").Value, was.Rev); err != nil {
			t.Fatal(err)
		}
	}
	counted.Reset()
	begin = time.Now()
	rep := pulled(t, counted, dir)
	took, counts := time.Since(begin), counted.Counts()
	t.Logf("ten changes among them: %.3f s, %+v", took.Seconds(), counts)
	if rep.ChangedArchives != 10 || counts.Down > 1<<20 || counts.All() > 30 || took > time.Second {
		t.Errorf("ten changes took %v, %+v: %+v", took, counts, rep)
	}
}

func record(t *testing.T, i int, units string) refs.Change {
	t.Helper()
	a := refs.Archive{
		Name: fmt.Sprintf("climate/model-%03d/tas-%05d.nc", i%100, i), Authority: "team", Versioned: true,
		Metadata: map[string]string{"units": units, "source": "CMIP6"}, Created: time.Unix(int64(i), 0).UTC(),
	}
	value, err := refs.EncodeArchive(a)
	if err != nil {
		t.Fatal(err)
	}
	return refs.Change{Key: refs.ArchiveKey(a.Name), Value: value}
}

// pulled opens the repository of records in dir, as a new process would, and
// pulls.
func pulled(t *testing.T, a remote.Authority, dir string) team.PullReport {
	t.Helper()
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	local, err := bolt.Open(db, filepath.Join(dir, "journal"), nil)
	if err != nil {
		t.Fatal(err)
	}
	aside, err := bolt.Open(db, filepath.Join(dir, "journal"), &bolt.Options{Table: "aside"})
	if err != nil {
		t.Fatal(err)
	}
	records, err := catalog.Open(a, &catalog.Options{Index: db, Space: "team"})
	if err != nil {
		t.Fatal(err)
	}
	rep, err := team.New(&team.Options{Local: local, Aside: aside, Team: records, Space: "team"}).Pull(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}
