package catalog

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
	for name, r := range map[string]catReplica{"memory": &memReplica{}, "index": &indexReplica{db: db, bucket: "b"}} {
		t.Run(name, func(t *testing.T) { testReplica(t, r) })
	}
}

func testReplica(t *testing.T, r catReplica) {
	first, second := catPlace{3, writeID{3}}, catPlace{4, writeID{4}}
	apply := func(from, to, want catPlace, keys ...catKey) {
		t.Helper()
		if got, err := r.apply(t.Context(), from, to, keys); err != nil || got != want {
			t.Errorf("it stands at %v, %v, want %v", got, err, want)
		}
	}
	look := func(want catPlace, entries ...catEntry) {
		t.Helper()
		at, got, err := r.look(t.Context(), []string{"a", "b", "", "c"})
		if err != nil || at != want || !slices.Equal(got, entries) {
			t.Errorf("at %v it has %v, %v, want %v %v", at, got, err, want, entries)
		}
	}
	look(catPlace{}, catEntry{}, catEntry{}, catEntry{}, catEntry{})
	apply(first, second, catPlace{}, catKey{"a", catEntry{4, 1}})
	apply(catPlace{}, first, first, catKey{"a", catEntry{1, 5}}, catKey{"b", catEntry{3, 0}})
	apply(catPlace{}, second, first, catKey{"a", catEntry{9, 9}})
	apply(catPlace{3, writeID{9}}, second, first, catKey{"a", catEntry{9, 9}})
	look(first, catEntry{1, 5}, catEntry{3, 0}, catEntry{}, catEntry{})
	if keys, err := r.page(t.Context(), "", ""); err != nil || !slices.Equal(keys, []catKey{{"a", catEntry{1, 5}}}) {
		t.Errorf("the page is %v, %v", keys, err)
	}
	apply(first, second, second, catKey{"b", catEntry{4, 2}})
	if err := r.reset(t.Context(), first); err != nil {
		t.Error(err)
	}
	look(second, catEntry{1, 5}, catEntry{4, 2}, catEntry{}, catEntry{})
	if err := r.reset(t.Context(), second); err != nil {
		t.Error(err)
	}
	look(catPlace{}, catEntry{}, catEntry{}, catEntry{}, catEntry{})
	pages(t, r)
}

// pages fills an empty replica, and reads it page by page.
func pages(t *testing.T, r catReplica) {
	var keys []catKey
	for i := range catPageKeys + 10 {
		keys = append(keys, catKey{fmt.Sprintf("k%06d", i), catEntry{1, 1}})
	}
	keys = append(keys, catKey{"large1", catEntry{1, catPageBytes}}, catKey{"large2", catEntry{1, 1}}, catKey{"large3", catEntry{1, 0}})
	if _, err := r.apply(t.Context(), catPlace{}, catPlace{number: 1}, keys); err != nil {
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
	if want := []int{catPageKeys, 11, 1, 0}; !slices.Equal(sizes, want) {
		t.Errorf("pages of %v, want %v", sizes, want)
	}
}
