package refs

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/datafs/datafs/index"
)

// BenchmarkSearch looks for a tag among 100,000 archives.
func BenchmarkSearch(b *testing.B) {
	dir := b.TempDir()
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
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
		value, err := encodeArchive(a, false)
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, Change{Key: archiveKey(a.Name), Value: value})
	}
	if _, err := m.PutAll(context.Background(), list); err != nil {
		b.Fatal(err)
	}
	d := New(m, nil)
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
