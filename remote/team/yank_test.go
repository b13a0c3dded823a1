package team

import (
	"testing"

	"github.com/datafs/datafs/refs"
)

// yank yanks the first version of x, or takes that back with "".
func (r *syncRepo) yank(reason string) {
	r.t.Helper()
	r.must(r.db.Yank(r.t.Context(), "x", refs.Version{Patch: 1}, refs.Yank{Reason: reason, Undo: reason == ""}))
}

func TestYanksTravelAndAreUnited(t *testing.T) {
	a, b, team := twoWithX(t)
	a.yank("of a")
	b.must(b.db.SetDependencies(t.Context(), "x", refs.Dependencies{"d": nil}, nil, nil))
	b.yank("of b")
	a.push()
	rep := b.pull()
	if rep.ChangedVersions != 1 || len(rep.Changed) != 1 || len(rep.Conflicts) > 0 {
		t.Errorf("got %+v, want one changed version and no conflict", rep)
	}
	b.push()
	a.pull()
	a.yank("")
	a.push()
	b.pull()
	v, err := b.db.Latest(t.Context(), "x")
	if err != nil || len(v.Updates) != 2 || len(v.Yanks) != 3 || !v.Yanks[2].Undo {
		t.Errorf("got %+v, %v, want two updates and three yanks, taken back", v, err)
	}
	wantSame(t, a.bolt, team)
	wantSame(t, b.bolt, team)
	a.settled()
	b.settled()
}

func TestStatusTellsYanksFromDependencies(t *testing.T) {
	a, b, _ := twoWithX(t)
	for _, c := range []struct {
		name           string
		yank, deps     bool
		edited, yanked int
	}{
		{"a yank", true, false, 0, 1},
		{"dependencies", false, true, 1, 0},
		{"both", true, true, 1, 1},
	} {
		for _, r := range []*syncRepo{a, b} {
			if c.yank {
				r.yank(c.name)
			}
			if c.deps {
				r.must(r.db.SetDependencies(t.Context(), "x", refs.Dependencies{c.name: nil}, nil, nil))
			}
		}
		a.push()
		b.pull() // the team's changes are not taken for one's own
		for range 2 {
			got := b.status()
			if len(got) != 1 || len(got[0].Edited) != c.edited || len(got[0].Yanked) != c.yanked || len(got[0].Versions) > 0 {
				t.Errorf("%s: got %+v, want %d edited and %d yanked", c.name, got, c.edited, c.yanked)
			}
			b.pull()
		}
		b.push()
		a.pull()
		b.settled()
	}
}

func TestAYankAgainstADeletionIsAConflict(t *testing.T) {
	a, b, _ := twoWithX(t)
	a.must(a.db.Delete(t.Context(), "x"))
	b.yank("r")
	a.push()
	if rep := b.pull(); len(rep.Conflicts) != 1 || rep.Conflicts[0].Kind != ConflictDeleted {
		t.Errorf("got %+v, want a conflict", rep)
	}
}
