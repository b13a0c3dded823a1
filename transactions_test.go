package datafs

import (
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
