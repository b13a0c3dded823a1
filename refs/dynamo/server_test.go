package dynamo

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/datafs/datafs/fixtures/servers"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
	"github.com/datafs/datafs/refs/refstest"
)

var tables atomic.Int64

// at gives the options for a table of a server that is not there yet.
func at(srv *servers.DynamoServer) *Options {
	return &Options{
		Table: fmt.Sprintf("team-%d", tables.Add(1)), Endpoint: srv.Endpoint, Region: srv.Region,
		AccessKey: srv.AccessKey, SecretKey: srv.SecretKey,
	}
}

// made gives the options for a table that is there.
func made(t *testing.T, srv *servers.DynamoServer) *Options {
	t.Helper()
	o := at(srv)
	if err := CreateTable(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return o
}

func manager(t *testing.T, o *Options) refs.Manager {
	t.Helper()
	m, err := Open(t.Context(), o, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestServerSuite(t *testing.T) {
	srv := servers.Dynamo(t)
	refstest.Run(t, func(t *testing.T) refs.Manager { return manager(t, made(t, srv)) })
}

func TestServerTables(t *testing.T) {
	srv, ctx := servers.Dynamo(t), t.Context()
	o := at(srv)
	_, err := manager(t, o).Get(ctx, "archive/a")
	checkError(t, "get", err, fs.ErrNotExist, fmt.Sprintf("Table %q not found", o.Table))
	checkError(t, "delete", DeleteTable(ctx, o), fs.ErrNotExist, fmt.Sprintf("Table %q not found", o.Table))
	o.ReadCapacity, o.WriteCapacity = 5, 5
	if err := CreateTable(ctx, o); err != nil {
		t.Fatal(err)
	}
	checkError(t, "create", CreateTable(ctx, o), fs.ErrExist, fmt.Sprintf("Table %q already exists", o.Table))
	other := made(t, srv)
	want := []string{o.Table, other.Table}
	if got, err := Tables(ctx, &Options{Endpoint: o.Endpoint, Region: o.Region, AccessKey: o.AccessKey, SecretKey: o.SecretKey}); err != nil || !slices.Equal(got, want) {
		t.Errorf("Tables: got %q, %v, want %q", got, err, want)
	}
	if err := DeleteTable(ctx, other); err != nil {
		t.Fatal(err)
	}
	if got, err := Tables(ctx, o); err != nil || !slices.Equal(got, want[:1]) {
		t.Errorf("Tables after one was deleted: got %q, %v, want %q", got, err, want[:1])
	}
}

// TestServerInterruptedTables: what stopped half-way goes on, and what is of
// something else is left alone.
func TestServerInterruptedTables(t *testing.T) {
	srv, ctx := servers.Dynamo(t), t.Context()
	for n := range 3 {
		o := at(srv)
		s, err := newStore(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, table := range s.parts()[:n] {
			if err := s.create(ctx, table); err != nil {
				t.Fatal(err)
			}
		}
		if err := CreateTable(ctx, o); err != nil {
			t.Errorf("with %d tables there: %v", n, err)
		}
		for _, table := range []string{s.table, s.table + specSuffix}[:n] {
			if err := s.removeTable(ctx, table); err != nil {
				t.Fatal(err)
			}
		}
		if err := DeleteTable(ctx, o); err != nil {
			t.Errorf("with %d tables gone: %v", n, err)
		}
	}
	for _, suffix := range []string{"", specSuffix} {
		o := at(srv)
		s, _ := newStore(o)
		if err := s.create(ctx, o.Table+suffix); err != nil {
			t.Fatal(err)
		}
		checkError(t, "create", CreateTable(ctx, o), fs.ErrExist, o.Table+suffix)
		checkError(t, "delete", DeleteTable(ctx, o), fs.ErrNotExist, o.Table)
	}
}

func TestServerManyWriters(t *testing.T) {
	const writers, times = 8, 25
	o := made(t, servers.Dynamo(t))
	var wg sync.WaitGroup
	for w := range writers {
		m := manager(t, o)
		wg.Go(func() {
			for i := range times {
				if err := writeBoth(t, m, w, i); err != nil {
					t.Errorf("writer %d, time %d: %v", w, i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	seen, last := map[string]bool{}, ""
	for r, err := range manager(t, o).Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		seen[r.Key], last = true, string(r.Value)
	}
	if want := writers*times + 1; len(seen) != want {
		t.Errorf("Changes gave %d keys, want %d; the last is %s", len(seen), want, last)
	}
	r, err := manager(t, o).Get(t.Context(), "archive/shared")
	if want := fmt.Sprintf(`{"count":%d}`, writers*times); err != nil || string(r.Value) != want {
		t.Errorf("the record that all count in is %s, %v, want %s", r.Value, err, want)
	}
}

// writeBoth creates a record of its own and counts in one that all share.
func writeBoth(t *testing.T, m refs.Manager, w, i int) error {
	own := refs.Change{Key: fmt.Sprintf("archive/%d-%d", w, i), Value: []byte(`{"format":1}`)}
	for {
		var count int
		r, err := m.Get(t.Context(), "archive/shared")
		if err == nil {
			fmt.Sscanf(string(r.Value), `{"count":%d}`, &count)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		shared := refs.Change{Key: "archive/shared", Value: fmt.Appendf(nil, `{"count":%d}`, count+1), Prev: r.Rev}
		changes := []refs.Change{shared}
		if own.Key != "" {
			changes = append(changes, own)
		}
		errs, err := m.(refs.Batcher).PutAll(t.Context(), changes)
		if err != nil {
			return err
		}
		if len(errs) > 1 && errs[1] != nil {
			return errs[1]
		}
		if own.Key = ""; errs[0] == nil {
			return nil
		}
		if !errors.Is(errs[0], refs.ErrConflict) {
			return errs[0]
		}
	}
}

func TestServerThatIsDown(t *testing.T) {
	srv, ctx := servers.Dynamo(t), t.Context()
	m := manager(t, made(t, srv))
	rev, err := m.Put(ctx, "archive/a", []byte(`{"a":1}`), refs.Absent)
	if err != nil {
		t.Fatal(err)
	}
	srv.Stop()
	_, err = m.Get(ctx, "archive/a")
	checkError(t, "get", err, refs.ErrUnavailable, "connection refused")
	_, err = m.Put(ctx, "archive/a", []byte(`{"a":2}`), rev)
	checkError(t, "put", err, refs.ErrUnavailable, "connection refused")
	srv.Restart(t)
	if r, err := m.Get(ctx, "archive/a"); err != nil || r.Rev != rev {
		t.Errorf("after the restart: got %+v, %v", r, err)
	}
	if _, err := m.Put(ctx, "archive/a", []byte(`{"a":2}`), rev); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

func TestServerLimits(t *testing.T) {
	m, ctx := manager(t, made(t, servers.Dynamo(t))), t.Context()
	_, err := m.Put(ctx, "archive/a", fmt.Appendf(nil, `{"a":"%0*d"}`, 410<<10, 1), refs.Absent)
	checkError(t, "put", err, fs.ErrInvalid, "larger than the 400 KB")
	for _, n := range []int{maxID - len("archive/"), maxID - len("archive/") + 3, 16 << 10} {
		for _, c := range []string{"x", "日"} {
			key := "archive/" + longText(c, n)
			if _, err := m.Put(ctx, key, []byte(`{"a":1}`), refs.Absent); err != nil {
				t.Fatalf("a key of %d bytes: %v", len(key), err)
			}
			if r, err := m.Get(ctx, key); err != nil || r.Key != key {
				t.Errorf("a key of %d bytes: got %.20q, %v", len(key), r.Key, err)
			}
			for _, p := range []string{key[:longID-1], key[:longID+1], key} {
				for r, err := range m.List(ctx, p) {
					if err != nil || len(r.Key) < len(p) || r.Key[:len(p)] != p {
						t.Errorf("List with a long prefix gave %.20q, %v", r.Key, err)
					}
				}
			}
		}
	}
}

func TestServerStore(t *testing.T) {
	s, err := newStore(made(t, servers.Dynamo(t)))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for _, p := range []docdb.Part{docdb.Records, docdb.Requirements} {
		c := docdb.Commit{N: 1, Data: []byte("x")}
		if err := s.Add(ctx, p, c); err != nil {
			t.Fatal(err)
		}
		checkError(t, "add twice", s.Add(ctx, p, c), fs.ErrExist, "")
		if got, err := s.Commits(ctx, p, 1, 3); err != nil || fmt.Sprint(got) != fmt.Sprint([]docdb.Commit{c}) {
			t.Errorf("Commits: got %v, %v", got, err)
		}
		for _, n := range []uint64{3, 2} {
			if err := s.SetShown(ctx, p, n); err != nil {
				t.Fatal(err)
			}
		}
		if n, err := s.Shown(ctx, p); err != nil || n != 3 {
			t.Errorf("the mark: got %d, %v, want 3", n, err)
		}
		showTwice(t, s, p)
	}
}

// showTwice shows records of commit 5 and then of commit 4: only what is newer counts.
func showTwice(t *testing.T, s *store, p docdb.Part) {
	key := map[docdb.Part]string{docdb.Records: "archive/a", docdb.Requirements: "spec/a"}[p]
	seq := func() string {
		items, err := s.get(t.Context(), s.documents(p), idOf(p, key))
		if err != nil || len(items) == 0 {
			return fmt.Sprint("none ", err)
		}
		n, _ := integer(items[0][seqAttr])
		return fmt.Sprint(n)
	}
	for _, c := range []struct {
		n       uint64
		deleted bool
		want    string
	}{{5, false, "5"}, {4, false, "5"}, {4, true, "5"}, {6, true, "none <nil>"}, {7, false, "7"}} {
		r := refs.Record{Key: key, Value: []byte(`{"a":1}`), Deleted: c.deleted}
		if err := s.Show(t.Context(), p, c.n, []refs.Record{r}); err != nil {
			t.Fatal(err)
		}
		if got := seq(); got != c.want {
			t.Errorf("after commit %d, deleted %v: got a document of %s, want %s", c.n, c.deleted, got, c.want)
		}
	}
}
