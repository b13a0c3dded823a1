package commitlog

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/datafs/datafs/index"
)

func TestReplicas(t *testing.T) {
	db, err := index.Open(filepath.Join(t.TempDir(), "index.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]replica{"memory": &memReplica{}, "index": &indexReplica{db: db, bucket: "b"}} {
		t.Run(name, func(t *testing.T) { testReplica(t, r) })
	}
}

func testReplica(t *testing.T, r replica) {
	first, second := place{3, writeID{3}}, place{4, writeID{4}}
	apply := func(from, to, want place, keys ...keyEntry) {
		t.Helper()
		if got, err := r.apply(t.Context(), from, to, keys); err != nil || got != want {
			t.Errorf("it stands at %v, %v, want %v", got, err, want)
		}
	}
	look := func(want place, entries ...entry) {
		t.Helper()
		at, got, err := r.look(t.Context(), []string{"a", "b", "", "c"})
		if err != nil || at != want || !slices.Equal(got, entries) {
			t.Errorf("at %v it has %v, %v, want %v %v", at, got, err, want, entries)
		}
	}
	look(place{}, entry{}, entry{}, entry{}, entry{})
	apply(first, second, place{}, keyEntry{"a", entry{4, 1}})
	apply(place{}, first, first, keyEntry{"a", entry{1, 5}}, keyEntry{"b", entry{3, 0}})
	apply(place{}, second, first, keyEntry{"a", entry{9, 9}})
	apply(place{3, writeID{9}}, second, first, keyEntry{"a", entry{9, 9}})
	look(first, entry{1, 5}, entry{3, 0}, entry{}, entry{})
	if keys, err := r.page(t.Context(), "", ""); err != nil || !slices.Equal(keys, []keyEntry{{"a", entry{1, 5}}}) {
		t.Errorf("the page is %v, %v", keys, err)
	}
	apply(first, second, second, keyEntry{"b", entry{4, 2}})
	if err := r.reset(t.Context(), first); err != nil {
		t.Error(err)
	}
	look(second, entry{1, 5}, entry{4, 2}, entry{}, entry{})
	if err := r.reset(t.Context(), second); err != nil {
		t.Error(err)
	}
	look(place{}, entry{}, entry{}, entry{}, entry{})
	pages(t, r)
}

// pages fills an empty replica, and reads it page by page.
func pages(t *testing.T, r replica) {
	var keys []keyEntry
	for i := range pageKeys + 10 {
		keys = append(keys, keyEntry{fmt.Sprintf("k%06d", i), entry{1, 1}})
	}
	keys = append(keys, keyEntry{"large1", entry{1, pageBytes}}, keyEntry{"large2", entry{1, 1}}, keyEntry{"large3", entry{1, 0}})
	if _, err := r.apply(t.Context(), place{}, place{number: 1}, keys); err != nil {
		t.Fatal(err)
	}
	var sizes []int
	for after := ""; ; {
		page, err := r.page(t.Context(), "", after)
		if err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(page))
		if len(page) == 0 {
			break
		}
		after = page[len(page)-1].key
	}
	if want := []int{pageKeys, 11, 1, 0}; !slices.Equal(sizes, want) {
		t.Errorf("pages of %v, want %v", sizes, want)
	}
}
