package mongo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/refstest"
)

// The server of these tests has no users, so what is wrong with a password, or
// denied to a user, is tested with answers of our own; see fake_test.go.

func onServer(srv *servers.MongoServer) *Options {
	return &Options{URI: srv.URI, Database: srv.NewDatabase(), Table: "team"}
}

func connect(t *testing.T, o *Options) *Database {
	t.Helper()
	d, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// openTable gives a manager of a new table.
func openTable(t *testing.T, o *Options) refs.Manager {
	t.Helper()
	if err := CreateTable(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return open(t, o)
}

func open(t *testing.T, o *Options) refs.Manager {
	t.Helper()
	m, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestServerSuite(t *testing.T) {
	srv := servers.Mongo(t)
	refstest.Run(t, func(t *testing.T) refs.Manager { return openTable(t, onServer(srv)) })
}

func value(n int) []byte { return fmt.Appendf(nil, `{"format":1,"n":%d}`, n) }

// TestServerWritersAtOnce: of changes of one record that build on the same one
// takes place, of others each, and a reader is told of all.
func TestServerWritersAtOnce(t *testing.T) {
	const writers, rounds = 8, 25
	o := onServer(servers.Mongo(t))
	openTable(t, o)
	counted := make([]int, writers)
	var group sync.WaitGroup
	for w := range writers {
		m := open(t, o)
		group.Go(func() {
			for n := range rounds {
				a := refs.Change{Key: fmt.Sprintf("version/%d/%d/a", w, n), Value: value(n)}
				b := refs.Change{Key: fmt.Sprintf("version/%d/%d/b", w, n), Value: value(n)}
				added, err := count(t.Context(), m, "archive/shared", a, b)
				if err != nil {
					t.Error(err)
					return
				}
				counted[w] += added
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range counted {
		total += n
	}
	m := open(t, o)
	r, err := m.Get(t.Context(), "archive/shared")
	if err != nil || string(r.Value) != string(value(total)) {
		t.Errorf("got %s %v, want %d", r.Value, err, total)
	}
	seen := map[string]bool{}
	for r, err := range m.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		seen[r.Key] = true
	}
	if got, want := len(seen), 2*writers*rounds+1; got != want {
		t.Errorf("a reader is told of %d records, want %d", got, want)
	}
}

// count tries to add one to a record that others write too, and makes changes
// of its own with it, which must succeed. It says how much it has added.
func count(ctx context.Context, m refs.Manager, key string, own ...refs.Change) (int, error) {
	r, err := m.Get(ctx, key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	n := 0
	if err == nil {
		fmt.Sscanf(string(r.Value), `{"format":1,"n":%d}`, &n)
	}
	changes := append(own, refs.Change{Key: key, Value: value(n + 1), Prev: r.Rev})
	errs, err := m.(refs.Batcher).PutAll(ctx, changes)
	if err != nil {
		return 0, err
	}
	last := errs[len(own)]
	if errors.Is(last, refs.ErrConflict) {
		return 0, errors.Join(errs[:len(own)]...)
	}
	return 1, errors.Join(errs...)
}

func TestServerThatStopsIsUnavailableAndLosesNothing(t *testing.T) {
	srv := servers.Mongo(t)
	o := onServer(srv)
	o.URI += "/?serverSelectionTimeoutMS=300"
	m := openTable(t, o)
	rev, err := m.Put(t.Context(), "archive/a", value(1), refs.Absent)
	if err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	if _, err := m.Get(t.Context(), "archive/a"); !errors.Is(err, refs.ErrUnavailable) {
		t.Errorf("Get without a server: %v", err)
	}
	if _, err := m.Put(t.Context(), "archive/a", value(2), rev); !errors.Is(err, refs.ErrUnavailable) {
		t.Errorf("Put without a server: %v", err)
	}
	if _, err := Tables(t.Context(), o); !errors.Is(err, refs.ErrUnavailable) || !strings.Contains(err.Error(), o.String()) {
		t.Errorf("Tables without a server: %v", err)
	}
	srv.Restart(t)
	for what, m := range map[string]refs.Manager{"the one of before": m, "a new one": open(t, o)} {
		r, err := m.Get(t.Context(), "archive/a")
		if err != nil || string(r.Value) != string(value(1)) || r.Rev != rev {
			t.Errorf("%s gives %s at %s, %v", what, r.Value, r.Rev, err)
		}
	}
	if _, err := m.Put(t.Context(), "archive/a", value(2), rev); err != nil {
		t.Errorf("Put after the restart: %v", err)
	}
}

// TestServerStopsAmongWrites: what was said to be written is there afterwards,
// and what was not is there wholly or not at all.
func TestServerStopsAmongWrites(t *testing.T) {
	srv := servers.Mongo(t)
	o := onServer(srv)
	o.URI += "/?serverSelectionTimeoutMS=300"
	openTable(t, o)
	written, started := make([]map[string]bool, 4), make(chan bool, 400)
	var group sync.WaitGroup
	for w := range written {
		m := open(t, o)
		written[w] = map[string]bool{}
		group.Go(func() {
			for n := range 100 {
				key := fmt.Sprintf("archive/%d/%d", w, n)
				started <- true
				if _, err := m.Put(t.Context(), key, value(n), refs.Absent); err != nil {
					return
				}
				written[w][key] = true
			}
		})
	}
	for range 40 {
		<-started
	}
	srv.Stop()
	group.Wait()
	srv.Restart(t)
	wantAll(t, open(t, o), written)
}

func wantAll(t *testing.T, m refs.Manager, written []map[string]bool) {
	t.Helper()
	listed, changed := map[string]bool{}, map[string]bool{}
	for r, err := range m.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		changed[r.Key] = !r.Deleted
	}
	for r, err := range m.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		listed[r.Key] = true
		if !changed[r.Key] {
			t.Errorf("%s is there and no reader is told of it", r.Key)
		}
	}
	total := 0
	for _, keys := range written {
		total += len(keys)
		for key := range keys {
			if !listed[key] {
				t.Errorf("%s was written and is lost", key)
			}
		}
	}
	if total == 0 || total == 400 {
		t.Errorf("%d of 400 were written: the server did not stop among them", total)
	}
}

func TestServerTablesAreMadeAndDeleted(t *testing.T) {
	d := connect(t, onServer(servers.Mongo(t)))
	ctx := t.Context()
	m, err := d.Manager("team", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Get(ctx, "archive/a"); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `Table "team" not found`) {
		t.Errorf("Get without a table: %v", err)
	}
	if _, err := m.Put(ctx, "archive/a", value(1), refs.Absent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Put without a table: %v", err)
	}
	if err := d.DeleteTable(ctx, "team"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("DeleteTable without one: %v", err)
	}
	for _, name := range []string{"team", "Other.table"} {
		if err := d.CreateTable(ctx, name); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.CreateTable(ctx, "team"); !errors.Is(err, fs.ErrExist) || err.Error() != `Table "team" already exists` {
		t.Errorf("CreateTable again: %v", err)
	}
	if got, err := d.Tables(ctx); err != nil || !slices.Equal(got, []string{"Other.table", "team"}) {
		t.Errorf("got %q %v", got, err)
	}
	if _, err := m.Put(ctx, "archive/a", value(1), refs.Absent); err != nil {
		t.Errorf("Put: %v", err)
	}
	if err := d.DeleteTable(ctx, "team"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Put(ctx, "archive/b", value(1), refs.Absent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Put after the table is deleted: %v", err)
	}
	if got, err := d.Tables(ctx); err != nil || !slices.Equal(got, []string{"Other.table"}) {
		t.Errorf("got %q %v", got, err)
	}
}

func TestServerOneOfManyMakersOfATableWins(t *testing.T) {
	d := connect(t, onServer(servers.Mongo(t)))
	var group sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		group.Go(func() { errs[i] = d.CreateTable(t.Context(), "team") })
	}
	group.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d made it, want 1", made)
	}
}

// raw gives the database as its own tools see it.
func raw(t *testing.T, o *Options) *driver.Database {
	t.Helper()
	c, err := driver.Connect(options.Client().ApplyURI(o.URI))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Disconnect(context.Background()) })
	return c.Database(o.Database)
}

func TestServerKeepsDocumentsThatAPersonCanRead(t *testing.T) {
	o := onServer(servers.Mongo(t))
	m, db := openTable(t, o), raw(t, o)
	put := func(key, value string) {
		t.Helper()
		if _, err := m.Put(t.Context(), key, []byte(value), refs.Absent); err != nil {
			t.Fatal(err)
		}
	}
	put("archive/a", `{"big":9007199254740993,"list":[true,null,{"z":"é"}],"name":"a"}`)
	put("spec/required_archive_metadata", `{"config":{"source":"where from"},"format":1}`)
	put("archive/odd", `{"a.b":1.5}`)
	list := bson.A{true, nil, bson.D{{Key: "z", Value: "é"}}}
	wantDocument(t, db, "team", "archive/a", bson.D{{Key: "_id", Value: "archive/a"}, {Key: "_seq", Value: int64(0)},
		{Key: "big", Value: int64(9007199254740993)}, {Key: "list", Value: list}, {Key: "name", Value: "a"}})
	wantDocument(t, db, "team.spec", "required_archive_metadata", bson.D{{Key: "_id", Value: "required_archive_metadata"}, {Key: "_seq", Value: int64(0)},
		{Key: "config", Value: bson.D{{Key: "source", Value: "where from"}}}, {Key: "format", Value: int64(1)}})
	wantDocument(t, db, "team", "archive/odd", bson.D{{Key: "_id", Value: "archive/odd"}, {Key: "_seq", Value: int64(0)}, {Key: "_json", Value: `{"a.b":1.5}`}})
	var keys []string
	for r, err := range m.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, r.Key)
	}
	if want := []string{"archive/a", "archive/odd", "spec/required_archive_metadata"}; !slices.Equal(keys, want) {
		t.Errorf("got %q, want %q", keys, want)
	}
}

func wantDocument(t *testing.T, db *driver.Database, coll, id string, want bson.D) {
	t.Helper()
	var got bson.D
	if err := db.Collection(coll).FindOne(t.Context(), is(id)).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got) < 2 || got[1].Key != "_seq" {
		t.Fatalf("got %v without its _seq", got)
	}
	got[1].Value = int64(0) // docdb's to choose
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestServerListsBothCollectionsInOrder: for each prefix, keys on both sides of
// those of the spec come in byte order.
func TestServerListsBothCollectionsInOrder(t *testing.T) {
	m := openTable(t, onServer(servers.Mongo(t)))
	all := []string{"archive/b", "s", "spec", "spec.x", "spec/a", "spec/b", "spec0", "spec0x", "t", "é", "\U0010ffff"}
	var changes []refs.Change
	for _, key := range all {
		changes = append(changes, refs.Change{Key: key, Value: value(1)})
	}
	if errs, err := m.(refs.Batcher).PutAll(t.Context(), changes); err != nil || errors.Join(errs...) != nil {
		t.Fatal(errs, err)
	}
	for _, prefix := range []string{"", "s", "spec", "spec/", "spec/a", "spec0", "t", "\xc3", "é", "zz", "\U0010ffff"} {
		var got, want []string
		for r, err := range m.List(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, r.Key)
		}
		for _, key := range all {
			if strings.HasPrefix(key, prefix) {
				want = append(want, key)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", prefix, got, want)
		}
	}
}

func TestServerReadsTablesOfThePythonProgram(t *testing.T) {
	o := onServer(servers.Mongo(t))
	db, ctx := raw(t, o), t.Context()
	var docs []any
	for i := range pageSeed + 3 {
		docs = append(docs, bson.D{{Key: "_id", Value: fmt.Sprintf("archive%04d", i)}, {Key: "versioned", Value: true}})
	}
	odd := bson.D{{Key: "_id", Value: "a"}, {Key: "n", Value: int32(3)}, {Key: "f", Value: 0.5}, {Key: "null", Value: nil},
		{Key: "when", Value: time.Date(2017, 3, 4, 5, 6, 7, 8e6, time.UTC)}, {Key: "tags", Value: bson.A{"x", bson.D{{Key: "y", Value: "z"}}}}}
	if _, err := db.Collection("team").InsertMany(ctx, append(docs, odd)); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Collection("team.spec").InsertOne(ctx, bson.D{{Key: "_id", Value: "required_user_config"}, {Key: "config", Value: bson.D{}}}); err != nil {
		t.Fatal(err)
	}
	got := collect(t, ReadSeed(ctx, o))
	want := map[string]any{"_id": "a", "n": int64(3), "f": 0.5, "null": nil, "when": "2017-03-04T05:06:07.008Z", "tags": []any{"x", map[string]any{"y": "z"}}}
	if len(got) != pageSeed+4 || fmt.Sprint(got[0]) != fmt.Sprint(want) || got[pageSeed+3]["_id"] != "archive0102" {
		t.Errorf("got %d documents, the first %v, want %v", len(got), got[0], want)
	}
	spec := collect(t, ReadSeedSpec(ctx, o))
	if got, want := fmt.Sprint(spec), fmt.Sprint([]map[string]any{{"_id": "required_user_config", "config": map[string]any{}}}); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if err := CreateTable(ctx, o); !errors.Is(err, fs.ErrExist) {
		t.Errorf("CreateTable over it: %v", err)
	}
	if err := DeleteTable(ctx, o); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("DeleteTable of it: %v", err)
	}
	if _, err := open(t, o).Get(ctx, "archive/a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get from it: %v", err)
	}
}

func collect(t *testing.T, list func(func(map[string]any, error) bool)) (docs []map[string]any) {
	t.Helper()
	for doc, err := range list {
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, doc)
	}
	return docs
}

func TestServerTablesThatAreNotThePythonProgramsAreRefused(t *testing.T) {
	o := onServer(servers.Mongo(t))
	first := func() error {
		for _, err := range ReadSeed(t.Context(), o) {
			return err
		}
		return nil
	}
	if err := first(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no table: %v", err)
	}
	openTable(t, o)
	if err := first(); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a table of this program: %v", err)
	}
}

// TestServerManyVersionsOfOneArchive: each version is a document, so that no
// history meets the limit of one. They are 10,000 where DATAFS_TEST_LARGE is set.
func TestServerManyVersionsOfOneArchive(t *testing.T) {
	m := openTable(t, onServer(servers.Mongo(t)))
	n := 1500
	if os.Getenv("DATAFS_TEST_LARGE") != "" {
		n = 10_000
	}
	var changes []refs.Change
	for i := range n {
		changes = append(changes, refs.Change{Key: fmt.Sprintf(`version/x\0.0.%d`, i+1), Value: []byte(`{"archive":"x"}`)})
	}
	errs, err := m.(refs.Batcher).PutAll(t.Context(), changes)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, err := range m.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		found++
	}
	if found != n {
		t.Errorf("%d versions came back", found)
	}
}
