package index

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
)

// many makes entries that fill several pages.
func many(n int) []Entry {
	entries := make([]Entry, n)
	for i := range entries {
		binary.BigEndian.PutUint64(entries[i].ID[:], uint64(i)*0x9E3779B97F4A7C15)
		entries[i].Offset, entries[i].Stored, entries[i].Raw = uint64(i), 1, 1
	}
	return entries
}

// Each case removes a part of the pages in one transaction: all, the first, the
// last, and the middle ones.
func TestPagesThatAreEmptiedInOneTransaction(t *testing.T) {
	const n = 5000
	for _, part := range [][2]int{{0, n}, {0, n / 2}, {n / 2, n}, {n / 4, 3 * n / 4}} {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			db, err := Open(filepath.Join(t.TempDir(), "index.db"), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			key := func(i int) string { return fmt.Sprintf("%06d", i) }
			err = db.Update(t.Context(), func(tx *Tx) error {
				for i := range n {
					if err := tx.Put("b", key(i), []byte("value")); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			err = db.Update(t.Context(), func(tx *Tx) error {
				for i := part[0]; i < part[1]; i++ {
					if err := tx.Delete("b", key(i)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			got := 0
			err = db.View(t.Context(), func(tx *Tx) error {
				for _, err := range tx.Scan("b", "", "") {
					if err != nil {
						return err
					}
					got++
				}
				return nil
			})
			if want := n - (part[1] - part[0]); err != nil || got != want {
				t.Errorf("got %d records, %v; want %d", got, err, want)
			}
			if err := db.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAPackOfManyChunksIsRemovedWhole(t *testing.T) {
	db, err := Open(filepath.Join(t.TempDir(), "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	pack := Pack{ID: ID{1}, Size: 1, Entries: many(5000)}
	if err := db.AddPacks(t.Context(), "local", pack); err != nil {
		t.Fatal(err)
	}
	if err := db.ReplacePacks(t.Context(), "local", []Pack{pack}, Pack{}); err != nil {
		t.Fatal(err)
	}
	if got, err := db.CountChunks(t.Context(), "local"); err != nil || got != 0 {
		t.Errorf("got %d chunks, %v", got, err)
	}
}
