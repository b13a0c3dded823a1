package refs

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/index"
)

// manyArchives is a table of 100,000 archives in 100 directories, each with a
// version.
func manyArchives(b *testing.B) *DB {
	dir := b.TempDir()
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	m, err := OpenBolt(db, filepath.Join(dir, "journal"), nil)
	if err != nil {
		b.Fatal(err)
	}
	var list []Change
	for i := range 100_000 {
		a := Archive{Name: fmt.Sprintf("climate/model-%03d/tas-%05d.nc", i%100, i), Authority: "a", Metadata: map[string]string{"units": "K"}}
		if i%1000 == 0 {
			a.Tags = []string{"rare"}
		}
		archive, err := encodeArchive(a, false)
		if err != nil {
			b.Fatal(err)
		}
		v := VersionRecord{Archive: a.Name, Version: Version{Patch: 1}, Tree: index.ID{1}, Hash: index.ID{2}}
		version, err := encodeVersion(v)
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, Change{Key: archiveKey(a.Name), Value: archive}, Change{Key: v.key(), Value: version})
	}
	if _, err := m.PutAll(context.Background(), list); err != nil {
		b.Fatal(err)
	}
	return New(m, nil)
}

// BenchmarkListDir lists the top and a directory of 1,000 among 100,000 archives.
func BenchmarkListDir(b *testing.B) {
	d := manyArchives(b)
	for location, want := range map[string]int{"": 1, "climate": 100, "climate/model-007": 1000} {
		b.Run("at "+location, func(b *testing.B) {
			for b.Loop() {
				if got, err := d.ListDir(context.Background(), "a", location); err != nil || len(got) != want {
					b.Fatal(len(got), err)
				}
			}
		})
	}
}

// BenchmarkSearch looks for a tag among 100,000 archives.
func BenchmarkSearch(b *testing.B) {
	d := manyArchives(b)
	for b.Loop() {
		n := 0
		for _, err := range d.Search(context.Background(), "", []string{"rare"}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 100 {
			b.Fatal(n)
		}
	}
}
