package team

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// losing is a way to lose what the index of a repository has.
type losing struct {
	name string
	lose func(r *syncRepo, rnd *rand.Rand)
}

func waysToLose() []losing {
	older := map[*syncRepo][][]byte{}
	return []losing{
		{"is made anew from the journal", func(r *syncRepo, _ *rand.Rand) { r.must(r.bolt.Rebuild(r.t.Context())) }},
		{"is lost", func(r *syncRepo, _ *rand.Rand) { r.removeIndex() }},
		{"is lost after the journal was compacted", func(r *syncRepo, _ *rand.Rand) {
			r.must(r.bolt.Compact(r.t.Context()))
			r.removeIndex()
		}},
		{"is an older one", func(r *syncRepo, rnd *rand.Rand) {
			data, err := os.ReadFile(r.path)
			if errors.Is(err, fs.ErrNotExist) {
				return
			}
			r.must(err)
			older[r] = append(older[r], data)
			r.must(os.WriteFile(r.path, older[r][rnd.IntN(len(older[r]))], 0o600))
		}},
	}
}

func (r *syncRepo) removeIndex() {
	r.t.Helper()
	if err := os.Remove(r.path); !errors.Is(err, fs.ErrNotExist) {
		r.must(err)
	}
}

// TestNothingIsLostWithTheIndex: what status, pull and push say after a loss at
// each step is what they say without.
func TestNothingIsLostWithTheIndex(t *testing.T) {
	for seed := range uint64(3) {
		want := playSync(t, seed, nil)
		for _, way := range waysToLose() {
			t.Run(fmt.Sprintf("when it %s, with seed %d", way.name, seed), func(t *testing.T) {
				got := playSync(t, seed, way.lose)
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("step %d: got\n%s\nwant\n%s", i, got[i], want[i])
					}
				}
			})
		}
	}
}

// playSync gives what is said at each step.
func playSync(t *testing.T, seed uint64, lose func(*syncRepo, *rand.Rand)) (said []string) {
	team, clock := &refs.Mem{}, &syncClock{}
	m := &syncModel{t: t, rnd: rand.New(rand.NewPCG(seed, 11)), dropped: map[index.ID]bool{}, made: map[index.ID]bool{}}
	for range 2 {
		m.repos = append(m.repos, newSyncRepo(t, team, clock))
	}
	other := rand.New(rand.NewPCG(seed, 12))
	for range 70 {
		m.act()
		text := strings.Join(m.log, "\n")
		for _, r := range m.repos {
			if lose != nil {
				lose(r, other)
			}
			known, err := r.Known(t.Context(), "y")
			r.must(err)
			text += "\n" + asJSON(t, r.state()) + fmt.Sprint(r.floor("x"), known, records(t, r.bolt))
		}
		said = append(said, text)
		m.log = nil
	}
	m.converge()
	m.check(team)
	return append(said, fmt.Sprint(records(t, team)))
}

// broken registers what is pending, and the connection breaks once all is written
// but for the news of it.
func (r *syncRepo) broken() {
	r.t.Helper()
	team := r.opts.Team
	r.opts.Team = brokenManager{team}
	pending := r.status()
	if len(pending) == 0 {
		r.t.Fatal("nothing is pending")
	}
	if _, err := r.Register(r.t.Context(), pending); !errors.Is(err, errFlaky) {
		r.t.Fatalf("got %v, want a broken connection", err)
	}
	r.opts.Team = team
}

type brokenManager struct{ refs.Manager }

func (b brokenManager) PutAll(ctx context.Context, changes []refs.Change) ([]error, error) {
	_, err := putAll(ctx, b.Manager, changes)
	return make([]error, len(changes)), errors.Join(err, errFlaky)
}

// TestNobodyIsInConflictWithHimself after a push that was broken off once the team
// had it, and a further change of the same.
func TestNobodyIsInConflictWithHimself(t *testing.T) {
	for _, c := range []struct {
		name       string
		one, other func(a *syncRepo)
		others     func(b *syncRepo) // between the two, somebody else
		want       []string          // at the team
	}{
		{"a key that is changed again", setKey("k", "2"), setKey("k", "3"), nil, []string{"k=3"}},
		{"a key that is set back", setKey("k", "2"), setKey("k", "1"), nil, []string{"k=1"}},
		{"a key that is removed", setKey("k", "2"), setKey("k", ""), nil, []string{}},
		{"a removed key that is set", setKey("k", ""), setKey("k", "4"), nil, []string{"k=4"}},
		{"a key beside one that another sets", setKey("k", "2"), setKey("k", "3"), setKey("l", "5"), []string{"k=3", "l=5"}},
		{"a key beside tags of another", setKey("k", "2"), setKey("k", "3"), addTag("t"), []string{"k=3", "+t"}},
		{"a tag that is removed", addTag("t"), dropTag("t"), nil, []string{"k=1"}},
		{"a tag that is removed beside one of another", addTag("t"), dropTag("t"), addTag("u"), []string{"k=1", "+u"}},
		{"an archive that is deleted", setKey("k", "2"), deleteX, nil, nil},
		{"an archive that is deleted and made", deleteX, func(a *syncRepo) { a.create("x") }, nil, []string{}},
		{"an archive that is made and deleted", func(a *syncRepo) { deleteX(a); a.push(); a.create("x"); a.add("x", 7, nil) }, deleteX, nil, nil},
		{"an archive that is made and changed", func(a *syncRepo) { deleteX(a); a.push(); a.create("x"); a.set("x", "k", "6") }, setKey("k", "7"), addTag("t"), []string{"k=7", "+t"}},
		{"a version that gets others", func(a *syncRepo) { a.add("x", 7, nil) }, func(a *syncRepo) {
			dep := "1.0"
			a.must(a.db.SetDependencies(a.t.Context(), "x", refs.Dependencies{"d": &dep}, nil, nil))
			a.add("x", 8, nil)
		}, nil, []string{"k=1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			a, b, team := twoWithX(t)
			setKey("k", "1")(a)
			a.push()
			c.one(a)
			a.broken()
			a.removeIndex()
			if c.others != nil {
				b.pull()
				c.others(b)
				b.push()
			}
			c.other(a)
			if rep := a.push(); len(rep.Refused) > 0 {
				t.Errorf("got %+v, want nothing refused", rep)
			}
			a.settled()
			b.pull()
			wantSame(t, a.bolt, team)
			wantSame(t, b.bolt, team)
			if got := describeX(t, a); !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
			a.must(a.bolt.View(t.Context(), func(tx *index.Tx) error {
				for r, err := range tx.Scan(a.bucket("intent"), "", "") {
					t.Errorf("still intended: %q, %v", r.Key, err)
				}
				return nil
			}))
		})
	}
}

func setKey(key, value string) func(*syncRepo) {
	return func(r *syncRepo) { r.set("x", key, value) }
}

func addTag(tag string) func(*syncRepo) {
	return func(r *syncRepo) { r.must(r.db.AddTags(r.t.Context(), "x", tag)) }
}

func dropTag(tag string) func(*syncRepo) {
	return func(r *syncRepo) { r.must(r.db.DeleteTags(r.t.Context(), "x", tag)) }
}

func deleteX(r *syncRepo) { r.must(r.db.Delete(r.t.Context(), "x")) }

// describeX gives the metadata and tags of x; nil when it is not there.
func describeX(t *testing.T, r *syncRepo) []string {
	x, err := r.db.Archive(t.Context(), "x")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	r.must(err)
	list := []string{}
	for k, v := range x.Metadata {
		list = append(list, k+"="+v)
	}
	slices.Sort(list)
	for _, tag := range x.Tags {
		list = append(list, "+"+tag)
	}
	return list
}

// TestAnIntentThatCameToNothingIsForgotten: the same value from somebody else,
// later, is theirs.
func TestAnIntentThatCameToNothingIsForgotten(t *testing.T) {
	a, b, team := twoWithX(t)
	a.set("x", "k", "2")
	a.opts.Team = failingManager{team}
	if _, err := a.Register(t.Context(), a.status()); !errors.Is(err, errFlaky) {
		t.Fatalf("got %v, want a broken connection", err)
	}
	a.opts.Team = team
	a.pull()
	a.set("x", "k", "")
	b.set("x", "k", "2")
	b.push()
	a.pull()
	if got := describeX(t, a); !slices.Equal(got, []string{"k=2"}) {
		t.Errorf("got %q, want the other's value", got)
	}
	a.settled()
}

type failingManager struct{ refs.Manager }

func (f failingManager) PutAll(context.Context, []refs.Change) ([]error, error) { return nil, errFlaky }

// TestAnotherVersionOfAnIntendedNumberIsAConflict: its content is not what was
// written.
func TestAnotherVersionOfAnIntendedNumberIsAConflict(t *testing.T) {
	a, _, _ := twoWithX(t)
	a.create("y")
	a.add("y", 1, nil)
	a.broken()
	a.must(a.db.Delete(t.Context(), "y"))
	a.create("y")
	a.add("y", 2, nil)
	rep := a.pull()
	if len(rep.Conflicts) != 1 || rep.Conflicts[0].Kind != ConflictVersion {
		t.Errorf("got %+v, want a conflict of versions", rep.Conflicts)
	}
}
