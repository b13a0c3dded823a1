package refs_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
	"github.com/datafs/datafs/refs/refstest"
)

func TestMem(t *testing.T) {
	refstest.Run(t, func(t *testing.T) refs.Manager { return &refs.Mem{} })
}

// TestBolt runs the suite in a table beside one that is not empty.
func TestBolt(t *testing.T) {
	refstest.Run(t, func(t *testing.T) refs.Manager {
		dir := t.TempDir()
		other := openBolt(t, dir, nil)
		for _, key := range []string{"archive/a", "archive/000001", "zoo"} {
			if _, err := other.Put(t.Context(), key, []byte(`{"other":true}`), refs.Absent); err != nil {
				t.Fatal(err)
			}
		}
		b := openBolt(t, dir, &bolt.Options{Table: "mine"})
		if err := b.CreateTable(t.Context(), "mine"); err != nil {
			t.Fatal(err)
		}
		return b
	})
}

// openBolt opens the manager in dir, and checks it deeply when the test ends.
func openBolt(t *testing.T, dir string, opts *bolt.Options) *bolt.Manager {
	t.Helper()
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := bolt.Open(db, filepath.Join(dir, "journal"), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Check(context.Background()); err != nil {
			t.Errorf("check: %v", err)
		}
		b.Close()
		db.Close()
	})
	return b
}
