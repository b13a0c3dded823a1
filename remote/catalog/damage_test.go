package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/catalog"
	"github.com/datafs/datafs/remote/dir"
)

// unexclusive hides PutNew.
type unexclusive struct{ remote.Authority }

// careless is an authority whose PutNew overwrites.
type careless struct{ *remote.Mem }

func (c careless) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return c.Put(ctx, name, r)
}

func (careless) String() string { return "s3://b" }

func TestCatalogProbe(t *testing.T) {
	inner := &remote.Mem{}
	probed := 0
	c := openCatalog(t, inner, &catalog.Options{OnProbed: func() { probed++ }})
	putAll(t, c, creations("a", 1))
	putAll(t, c, creations("b", 1))
	if probed != 1 {
		t.Errorf("probed %d times", probed)
	}
	for info := range inner.List(t.Context(), "catalog/probe") {
		t.Errorf("%s is left", info.Name)
	}
	reader := openCatalog(t, unexclusive{inner}, nil)
	if got := catalogContents(t, reader); len(got) != 2 {
		t.Errorf("an authority that cannot be written gives %d records", len(got))
	}
	_, err := reader.Put(t.Context(), "archive/x", []byte("{}"), refs.Absent)
	if want := "cannot keep the catalogue: it has no exclusive write; configure a manager"; !errors.Is(err, errors.ErrUnsupported) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("error is %v", err)
	}
	broken := openCatalog(t, careless{&remote.Mem{}}, nil)
	_, err = broken.Put(t.Context(), "archive/x", []byte("{}"), refs.Absent)
	want := "s3://b: the server ignores conditional writes, so two people could register one version twice: use a manager (MongoDB, DynamoDB) or another server"
	if !errors.Is(err, errors.ErrUnsupported) || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func copyFiles(t *testing.T, from remote.Authority, keep func(name string) bool) *remote.Mem {
	t.Helper()
	to := &remote.Mem{}
	for info, err := range from.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if keep(info.Name) {
			if err := to.Put(t.Context(), info.Name, strings.NewReader(readFileAt(t, from, info.Name))); err != nil {
				t.Fatal(err)
			}
		}
	}
	return to
}

// TestCatalogThatWasSetBack: the log lost its last commits (a backup came back),
// and perhaps got others. What this side knew of them must not live on, and above
// all no commit may be written behind a gap.
func TestCatalogThatWasSetBack(t *testing.T) {
	old := &remote.Mem{}
	db := tempIndex(t)
	opts := &catalog.Options{Index: db, Space: "s"}
	c := openCatalog(t, old, opts)
	for i := range 6 {
		putAll(t, c, creations(fmt.Sprint(i), 1))
	}
	for name, more := range map[string]int{"and stays": 0, "and goes on": 3, "and goes on beyond": 5} {
		t.Run(name, func(t *testing.T) {
			restored := copyFiles(t, old, func(name string) bool { return name <= "catalog/datafs/log/000000000/000000000003" })
			db := tempIndex(t)
			opts := &catalog.Options{Index: db, Space: "s"}
			catalogContents(t, openCatalog(t, old, opts)) // the replica knows six
			other := openCatalog(t, restored, nil)
			for i := range more {
				putAll(t, other, creations(fmt.Sprint("new", i), 1))
			}
			c := openCatalog(t, restored, opts)
			n := 0
			for _, err := range c.Changes(t.Context(), "6") {
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if n != 3+more {
				t.Errorf("Changes gives %d records, want %d", n, 3+more)
			}
			putAll(t, c, creations("last", 1))
			if got, want := catalogContents(t, c), catalogContents(t, other); !maps.Equal(got, want) || len(got) != 4+more {
				t.Errorf("%d records, the other has %d", len(got), len(want))
			}
		})
	}
}

func readFileAt(t testing.TB, a remote.Authority, name string) string {
	t.Helper()
	r, err := a.Get(t.Context(), name, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCatalogRefusesDamagedCommits(t *testing.T) {
	const name = "catalog/datafs/log/000000000/000000000001"
	a := &remote.Mem{}
	putAll(t, openCatalog(t, a, nil), creations("a", 3))
	whole := readFileAt(t, a, name)
	for _, damaged := range []string{"", whole[:10], whole[:len(whole)-1], whole + "x", whole[:60] + "x" + whole[61:]} {
		if err := a.Put(t.Context(), name, strings.NewReader(damaged)); err != nil {
			t.Fatal(err)
		}
		for _, err := range openCatalog(t, a, nil).Changes(t.Context(), "") {
			if !errors.Is(err, refs.ErrCorrupt) {
				t.Errorf("%d bytes of %d: error is %v", len(damaged), len(whole), err)
			}
		}
	}
	elsewhere := openCatalog(t, a, &catalog.Options{Table: "other"})
	err := a.Put(t.Context(), strings.Replace(name, "datafs", "other", 1), strings.NewReader(whole))
	if _, getErr := elsewhere.Get(t.Context(), "archive/a/000000"); err != nil || !errors.Is(getErr, refs.ErrCorrupt) {
		t.Errorf("a commit of another table: %v, %v", err, getErr)
	}
}

func TestCatalogDoesWithoutBrokenRuns(t *testing.T) {
	a := &remote.Mem{}
	c := openCatalog(t, a, nil)
	for i := range 70 {
		putAll(t, c, creations(fmt.Sprint(i), 2))
	}
	want := catalogContents(t, c)
	for info := range copyFiles(t, a, func(name string) bool { return strings.Contains(name, "/run/") }).List(t.Context(), "") {
		if err := a.Put(t.Context(), info.Name, strings.NewReader("x")); err != nil {
			t.Fatal(err)
		}
	}
	if got := catalogContents(t, openCatalog(t, a, nil)); !maps.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

func TestCatalogNamesOfTables(t *testing.T) {
	a := catalogInDir(t)
	tables := []string{"datafs", "Datafs", "DATAFS", "a/b", "a_2fb", "..", ".", "été", strings.Repeat("é", 127), strings.Repeat("é", 126) + "e"}
	for i, table := range tables {
		c := openCatalog(t, a, &catalog.Options{Table: table})
		if _, err := c.Put(t.Context(), "archive/a", fmt.Appendf(nil, "%d", i), refs.Absent); err != nil {
			t.Errorf("table %q: %v", table, err)
		}
	}
	for i, table := range tables {
		r, err := openCatalog(t, a, &catalog.Options{Table: table}).Get(t.Context(), "archive/a")
		if err != nil || string(r.Value) != fmt.Sprint(i) {
			t.Errorf("table %q has %s, %v", table, r.Value, err)
		}
	}
	if _, err := catalog.Open(a, &catalog.Options{Table: "a\n"}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a broken name: %v", err)
	}
}

func TestCatalogOfAMissingPlaceIsNotEmpty(t *testing.T) {
	root := filepath.Join(t.TempDir(), "gone")
	a, err := dir.Open(&dir.Options{Root: root})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openCatalog(t, a, nil).Get(t.Context(), "archive/a"); !errors.Is(err, remote.ErrNoStorage) || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	if _, err := os.Stat(root); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the root was made")
	}
}
