package bolt

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// manyArchives is a table of 100,000 archives in 100 directories, each with a
// version.
func manyArchives(b *testing.B) *refs.DB {
	dir := b.TempDir()
	db, err := index.Open(filepath.Join(dir, "index.db"), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	m, err := Open(db, filepath.Join(dir, "journal"), nil)
	if err != nil {
		b.Fatal(err)
	}
	var list []refs.Change
	for i := range 100_000 {
		a := refs.Archive{Name: fmt.Sprintf("climate/model-%03d/tas-%05d.nc", i%100, i), Authority: "a", Metadata: map[string]string{"units": "K"}}
		for tag, every := range map[string]int{"half": 2, "tenth": 10, "some": 100, "rare": 1000} {
			if i%every == 0 {
				a.Tags = append(a.Tags, tag)
			}
		}
		slices.Sort(a.Tags)
		archive, err := refs.EncodeArchive(a)
		if err != nil {
			b.Fatal(err)
		}
		v := refs.VersionRecord{Archive: a.Name, Version: refs.Version{Patch: 1}, Tree: index.ID{1}, Hash: index.ID{2}}
		version, err := refs.EncodeVersion(v)
		if err != nil {
			b.Fatal(err)
		}
		list = append(list, refs.Change{Key: refs.ArchiveKey(a.Name), Value: archive}, refs.Change{Key: v.Key(), Value: version})
	}
	if _, err := m.PutAll(context.Background(), list); err != nil {
		b.Fatal(err)
	}
	return refs.New(m, nil)
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

// BenchmarkSearch looks for tags among 100,000 archives.
func BenchmarkSearch(b *testing.B) {
	d := manyArchives(b)
	for tags, want := range map[string]int{
		"none": 0, "rare": 100, "some": 1000, "tenth": 10_000, "half": 50_000, "half some": 1000, "half tenth": 10_000, "half tenth some": 1000,
	} {
		b.Run(tags, func(b *testing.B) {
			for b.Loop() {
				if got := count(b, d.Search(context.Background(), "", strings.Fields(tags))); got != want {
					b.Fatal(got)
				}
			}
		})
	}
}

// BenchmarkFilter looks for names among 100,000.
func BenchmarkFilter(b *testing.B) {
	d := manyArchives(b)
	for what, c := range map[string]struct {
		opts refs.FilterOptions
		want int
	}{
		"prefix":  {refs.FilterOptions{Prefix: "climate/model-007/"}, 1000},
		"pattern": {refs.FilterOptions{Pattern: "*/tas-00042.nc"}, 1},
		"all":     {refs.FilterOptions{}, 100_000},
	} {
		b.Run(what, func(b *testing.B) {
			for b.Loop() {
				if got := count(b, d.Filter(context.Background(), c.opts)); got != c.want {
					b.Fatal(got)
				}
			}
		})
	}
}

// BenchmarkOfOne is what is asked of one among 100,000 archives, and changed.
func BenchmarkOfOne(b *testing.B) {
	d := manyArchives(b)
	name := "climate/model-042/tas-00042.nc"
	for what, do := range map[string]func() error{
		"versions": func() error { _, err := d.Versions(context.Background(), name); return err },
		"similar":  func() error { _, err := d.Similar(context.Background(), strings.ToUpper(name)); return err },
		"tag": func() error {
			return errors.Join(d.AddTags(context.Background(), name, "new"), d.DeleteTags(context.Background(), name, "new"))
		},
	} {
		b.Run(what, func(b *testing.B) {
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func count(b *testing.B, list iter.Seq2[string, error]) (n int) {
	for _, err := range list {
		if err != nil {
			b.Fatal(err)
		}
		n++
	}
	return n
}
