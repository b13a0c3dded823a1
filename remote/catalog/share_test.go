package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/catalog"
	"github.com/datafs/datafs/remote/remotetest"
)

func TestCatalogBatchWithSeveralChangesOfAKey(t *testing.T) {
	a := &remote.Mem{}
	c := openCatalog(t, a, nil)
	rev, err := c.Put(t.Context(), "archive/a", []byte(`1`), refs.Absent)
	if err != nil {
		t.Fatal(err)
	}
	errs, err := c.PutAll(t.Context(), []refs.Change{
		{Key: "archive/a", Prev: "7"},
		{Key: "archive/a", Prev: rev},
		{Key: "archive/b", Value: []byte(`2`)},
		{Key: "archive/a", Value: []byte(`3`)},
		{Key: "archive/a", Value: []byte(`4`)},
		{Key: "archive/c", Value: []byte(`5`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []error{refs.ErrConflict, nil, nil, nil, refs.ErrConflict, nil}
	for i := range want {
		if !errors.Is(errs[i], want[i]) {
			t.Errorf("change %d: error is %v, want %v", i, errs[i], want[i])
		}
	}
	if got, want := catalogContents(t, c), map[string]string{"archive/a": "3", "archive/b": "2", "archive/c": "5"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := countCommits(t, a); got != 3 {
		t.Errorf("%d commits, want 3", got)
	}
}

// TestCatalogFollowersMissNothing while writers go on and runs are made: some
// share an index, some begin anew each time, some stop halfway.
func TestCatalogFollowersMissNothing(t *testing.T) {
	a, db := &remote.Mem{}, tempIndex(t)
	done := make(chan struct{})
	var want map[string]string
	go func() { want = raceCatalogs(t, a, 4, 40); close(done) }()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			opts := &catalog.Options{}
			if i%2 == 0 {
				opts.Index = db
			}
			c := openCatalog(t, a, opts)
			seen, cursor := map[string]string{}, refs.Cursor("")
			for end := false; !end; {
				select {
				case <-done:
					end = true // and look once more
				default:
				}
				n := 0
				for r, err := range c.Changes(t.Context(), cursor) {
					if err != nil {
						t.Error(err)
						return
					}
					seen[r.Key], cursor = string(r.Value), r.Cursor
					if n++; n%50 == 17 && !end {
						break
					}
				}
				if i == 3 {
					c = openCatalog(t, a, nil)
				}
			}
			if !maps.Equal(seen, want) {
				t.Errorf("follower %d has seen %d records, want %d", i, len(seen), len(want))
			}
		})
	}
	wg.Wait()
}

func TestCatalogThrowsAwayAReplicaOfAnotherVersion(t *testing.T) {
	a, db := &remote.Mem{}, tempIndex(t)
	opts := &catalog.Options{Index: db, Space: "s"}
	putAll(t, openCatalog(t, a, opts), creations("a", 5))
	err := db.Update(t.Context(), func(tx *index.Tx) error {
		return errors.Join(tx.Put("remote/catalog/s/datafs", "p", []byte{9}), tx.Put("remote/catalog/s/datafs", "karchive/x", []byte{1}))
	})
	if err != nil {
		t.Fatal(err)
	}
	c := openCatalog(t, a, opts)
	if _, err := c.Get(t.Context(), "archive/x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	if got := catalogContents(t, c); len(got) != 5 {
		t.Errorf("%d records", len(got))
	}
}

// TestCatalogWithFaults: whatever fails, an error is told or the change is made,
// and nothing is made twice.
func TestCatalogWithFaults(t *testing.T) {
	for _, op := range []remotetest.Op{remotetest.Get, remotetest.PutNew, remotetest.Put, remotetest.List} {
		for _, how := range []remotetest.How{remotetest.Before, remotetest.After, remotetest.Break} {
			for n := 1; n <= 45; n += 4 {
				inner := &remote.Mem{}
				a := remotetest.NewFaulty(nil, inner, remotetest.Fault{Op: op, N: n, Times: 2, How: how, At: 20})
				done, refused := 0, 0
				for i := range 40 {
					c := openCatalog(t, a, nil)
					errs, err := c.PutAll(t.Context(), creations("a", i+1)[i:])
					switch {
					case err != nil && !errors.Is(err, remote.ErrUnavailable):
						t.Fatalf("%s %v %d: %v", op, how, n, err)
					case err == nil && errs[0] == nil:
						done++
					default:
						refused++
					}
				}
				if got := len(catalogContents(t, openCatalog(t, inner, nil))); got < done || got > done+refused || got != countCommits(t, inner) {
					t.Errorf("%s %v %d: %d records, %d done, %d refused, %d commits", op, how, n, got, done, refused, countCommits(t, inner))
				}
			}
		}
	}
}

// hooked calls functions when commits are first asked for: those of "before 1",
// and those of "after 1" when the answer is on its way.
type hooked struct {
	*remote.Mem
	mu    sync.Mutex // guards calls
	calls map[string]func()
}

func (h *hooked) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	number := strings.TrimPrefix(name, "catalog/datafs/log/000000000/00000000000")
	h.call("before " + number)
	r, err := h.Mem.Get(ctx, name, off, n)
	h.call("after " + number)
	return r, err
}

func (h *hooked) call(what string) {
	h.mu.Lock()
	call := h.calls[what]
	delete(h.calls, what)
	h.mu.Unlock()
	if call != nil {
		call()
	}
}

// TestCatalogReplicaThatMovesMeanwhile: another process with the same index goes
// ahead while this one reads the log, in several steps as there is much.
func TestCatalogReplicaThatMovesMeanwhile(t *testing.T) {
	a := &remote.Mem{}
	opts := &catalog.Options{Index: tempIndex(t), Space: "s"}
	writer := openCatalog(t, a, nil)
	for i := range 6 {
		putAll(t, writer, creations(fmt.Sprint("before", i), 9_000))
	}
	h := &hooked{Mem: a, calls: map[string]func(){
		"after 4":  func() { putAll(t, openCatalog(t, a, opts), creations("meanwhile", 2)) }, // is 7
		"before 8": func() { putAll(t, writer, creations("later", 2)) },                      // is 8
	}}
	c, seen := openCatalog(t, h, opts), map[string]string{}
	for r, err := range c.Changes(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		seen[r.Key] = string(r.Value)
	}
	if got := catalogContents(t, c); len(got) != 54_004 || !maps.Equal(got, seen) {
		t.Errorf("%d records, Changes gave %d", len(got), len(seen))
	}
}
