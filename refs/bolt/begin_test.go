package bolt

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

func TestBeginMakesAJournalThatTheFirstChangeGoesOnWith(t *testing.T) {
	dir := t.TempDir()
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	journal := filepath.Join(dir, "journal")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			b, err := Open(db, journal, nil)
			if err == nil {
				err = b.Begin(t.Context())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if files, _ := filepath.Glob(filepath.Join(journal, "*")); len(files) != 1 {
		t.Errorf("got the files %v", files)
	}
	b, err := Open(db, journal, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := refs.New(b, nil).Create(t.Context(), refs.Archive{Name: "a"}, nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := b.Rebuild(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := refs.New(b, nil).Archive(t.Context(), "a"); err != nil {
		t.Error(err)
	}
}
