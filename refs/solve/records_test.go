package solve

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
)

// TestSomeOfVeryManyAreReadOneByOne, as reading through all would take longer.
func TestSomeOfVeryManyAreReadOneByOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	idx, err := index.Open(filepath.Join(dir, "index"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { idx.Close() })
	m, err := bolt.Open(idx, filepath.Join(dir, "journal"), nil)
	if err != nil {
		t.Fatal(err)
	}
	db := refs.New(m, nil)
	var list []refs.NewArchive
	var some []Requirement
	for i := range bulkRatio*bulkFrom + 1 {
		name := fmt.Sprintf("a/%06d", i)
		list = append(list, refs.NewArchive{
			Archive: refs.Archive{Name: name, Versioned: true},
			Version: refs.NewVersion{Archive: name, Tree: index.ID{1}, Hash: index.ID{byte(i), 1}, Size: 1, Files: 1, Bump: "patch"},
		})
		if i < bulkFrom {
			some = append(some, Requirement{Name: name})
		}
	}
	errs, err := db.ImportAll(t.Context(), list)
	if err := errors.Join(append(errs, err)...); err != nil {
		t.Fatal(err)
	}
	u, err := NewRecords(t.Context(), db, some, false)
	if err != nil || u.bulk || len(u.known) != 0 {
		t.Errorf("some: got %d read at once, bulk %v, %v, want none", len(u.known), u.bulk, err)
	}
	u, err = AllRecords(t.Context(), db, bulkFrom)
	if err != nil || len(u.known) != len(list) {
		t.Errorf("all: got %d, %v, want %d", len(u.known), err, len(list))
	}
}
