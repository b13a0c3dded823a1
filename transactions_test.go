package datafs

import (
	"fmt"
	"testing"

	"github.com/datafs/datafs/remote"
)

// transactions returns how many transactions of the index that read, and that write, fn takes.
func transactions(api *API, fn func()) (reads, writes int64) {
	reads0, writes0 := api.index.Transactions()
	fn()
	reads, writes = api.index.Transactions()
	return reads - reads0, writes - writes0
}

// atMost fails when fn takes more transactions.
func atMost(t *testing.T, what string, api *API, reads, writes int64, fn func()) {
	t.Helper()
	r, w := transactions(api, fn)
	if r > reads || w > writes {
		t.Errorf("%s took %d reads and %d writes of the index, want at most %d and %d", what, r, w, reads, writes)
	}
}

func TestACommandReadsTheIndexOnce(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	put(t, h, "one")
	atMost(t, "update", api, 4, 2, func() { put(t, h, "two") })
	team := through(t, &remote.Mem{})
	h = newArchive(t, team, "x")
	put(t, h, "one")
	push(t, team)
	put(t, h, "two")
	atMost(t, "push", team, 17, 7, func() { push(t, team) })
	put(t, h, "three")
	atMost(t, "status", team, 1, 0, func() {
		_, err := team.Status(t.Context())
		noError(t, err)
	})
}

// TestACommandReadsTheIndexAsOftenForManyArchives compares what commands that look at
// all archives take in a repository with two archives, and with twenty. Where chunks
// lie they ask for each version: see docs/architecture.md.
func TestACommandReadsTheIndexAsOftenForManyArchives(t *testing.T) {
	few, many := withArchives(t, 2), withArchives(t, 20)
	for what, fn := range map[string]func(api *API){
		"stats":  func(api *API) { must(api.Stats(t.Context()))(t) },
		"freeze": func(api *API) { must(api.Freeze(t.Context(), &FreezeOptions{All: true}))(t) },
		"choose": func(api *API) { must(api.Choose(t.Context(), pinsOfAll(t, api)))(t) },
	} {
		r1, w1 := transactions(few, func() { fn(few) })
		r2, w2 := transactions(many, func() { fn(many) })
		if r2 > r1 || w2 > w1 {
			t.Errorf("%s takes %d reads and %d writes with 20 archives, %d and %d with 2", what, r2, w2, r1, w1)
		}
	}
}

func pinsOfAll(t *testing.T, api *API) *ChooseOptions {
	return &ChooseOptions{Archives: collect(t, api.Filter(t.Context(), nil))}
}

func withArchives(t *testing.T, n int) *API {
	t.Helper()
	api := newAPI(t)
	for i := range n {
		put(t, newArchive(t, api, fmt.Sprintf("a%d", i)), fmt.Sprintf("content %d", i))
	}
	return api
}
