package team

import (
	"context"
	"testing"

	"github.com/datafs/datafs/refs"
)

// besideManager calls functions around each write.
type besideManager struct {
	refs.Manager
	before, after func()
}

func (b besideManager) PutAll(ctx context.Context, changes []refs.Change) ([]error, error) {
	b.before()
	errs, err := putAll(ctx, b.Manager, changes)
	b.after()
	return errs, err
}

// TestADeleteBesideOnesOwnPushIsKept: the next push deletes at the team, and what
// this repository wrote itself is no change of the team. Another process may pull
// at any moment of that.
func TestADeleteBesideOnesOwnPushIsKept(t *testing.T) {
	changes := map[string]func(a *syncRepo){
		"an archive that is made":           func(a *syncRepo) { deleteX(a); a.push(); a.create("x") },
		"an archive that is made, with one": func(a *syncRepo) { deleteX(a); a.push(); a.create("x"); a.add("x", 5, nil) },
		"a new version":                     func(a *syncRepo) { a.add("x", 5, nil) },
		"a key":                             setKey("k", "2"),
		"a key and versions":                func(a *syncRepo) { a.set("x", "k", "2"); a.add("x", 5, nil); a.add("x", 6, nil) },
		"dependencies": func(a *syncRepo) {
			a.must(a.db.SetDependencies(a.t.Context(), "x", refs.Dependencies{"d": new("1.0")}, nil, nil))
		},
		"a yank": func(a *syncRepo) {
			v, err := a.db.Versions(a.t.Context(), "x")
			a.must(err)
			a.must(a.db.Yank(a.t.Context(), "x", v[0].Version, refs.Yank{Reason: "bad"}))
		},
	}
	pull := func(a *syncRepo) { a.pull() }
	both := func(a *syncRepo) { deleteX(a); a.pull() }
	nothing := func(*syncRepo) {}
	moments := []struct {
		name          string
		before, after func(a *syncRepo) // another process
	}{
		{"deleted before the write", deleteX, nothing},
		{"deleted after the write", nothing, deleteX},
		{"deleted after the write, and pulled", nothing, both},
		{"pulled before the write, deleted after", pull, deleteX},
		{"pulled before the write, deleted and pulled after", pull, both},
		{"deleted and pulled before the write", both, nothing},
		{"deleted and pulled before the write, pulled after", both, pull},
	}
	for what, change := range changes {
		for _, m := range moments {
			t.Run(what+", "+m.name, func(t *testing.T) {
				t.Parallel()
				a, b, team := twoWithX(t)
				change(a)
				opts := a.opts
				other := &syncRepo{New(&opts), t, a.db, a.bolt, a.index, a.path}
				done := false
				do := func(f func(*syncRepo)) func() {
					return func() {
						if !done {
							f(other)
						}
					}
				}
				a.opts.Team = besideManager{team, do(m.before), func() { do(m.after)(); done = true }}
				pending := a.status()
				rep, err := a.Register(t.Context(), pending)
				a.must(err)
				if !done || len(rep.Refused) > 0 {
					t.Errorf("got %+v, want nothing refused", rep)
				}
				a.opts.Team = team
				if rep := a.push(); len(rep.Refused) > 0 {
					t.Errorf("then got %+v, want nothing refused", rep)
				}
				a.settled()
				b.pull()
				b.settled()
				for _, l := range [][]string{records(t, team), records(t, a.bolt), records(t, b.bolt)} {
					if len(l) > 0 {
						t.Errorf("got %q, want that all is deleted", l)
					}
				}
			})
		}
	}
}
