package bolt

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

func TestTogetherChangesTwoTablesAndTheIndexOrNothing(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	db, err := index.Open(filepath.Join(dir, "index"), nil)
	if err != nil {
		t.Fatal(err)
	}
	open := func(table string) *Manager {
		b, err := Open(db, filepath.Join(dir, "journal"), &Options{Table: table, Make: true})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	own, other := open(""), open("other")
	broken := errors.New("broken")
	for _, want := range []error{broken, nil} {
		err = own.Together(ctx, other, func(j *Joint) error {
			tx, a, b := j.Index, j.Own, j.Other
			for range b.List(ctx, "") {
				t.Error("got a record of a table that is not there")
			}
			_, errA := a.Put(ctx, "archive/x", []byte("{}"), refs.Absent)
			_, errB := b.Put(ctx, "archive/y", []byte("{}"), refs.Absent)
			return errors.Join(errA, errB, tx.Put("bucket", "key", nil), want)
		})
		if !errors.Is(err, want) {
			t.Fatalf("got %v, want %v", err, want)
		}
		_, errA := own.Get(ctx, "archive/x")
		_, errB := other.Get(ctx, "archive/y")
		if want != nil && (!errors.Is(errA, fs.ErrNotExist) || !errors.Is(errB, fs.ErrNotExist)) || want == nil && (errA != nil || errB != nil) {
			t.Errorf("after %v: got %v and %v", want, errA, errB)
		}
	}
	if err := own.Together(ctx, other, func(j *Joint) error { return j.Index.Put("bucket", "only", nil) }); err != nil {
		t.Fatal(err)
	}
	if err := db.View(context.Background(), func(tx *index.Tx) error { _, err := tx.Get("bucket", "only"); return err }); err != nil {
		t.Errorf("got %v, want that a change of the index alone is kept", err)
	}
	if err := own.Check(ctx); err != nil {
		t.Error(err)
	}
}
