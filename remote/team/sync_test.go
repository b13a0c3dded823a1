package team

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
)

// syncClock ticks a second with each look, for all repositories of a test.
type syncClock struct{ n atomic.Int64 }

func (c *syncClock) now() time.Time { return time.Unix(1_700_000_000+c.n.Add(1), 0).UTC() }

// syncRepo is a repository of records only.
type syncRepo struct {
	*Sync
	t     testing.TB
	db    *refs.DB
	bolt  *bolt.Manager
	index *index.DB
	path  string // of the index
}

func newSyncRepo(t testing.TB, team refs.Manager, clock *syncClock) *syncRepo {
	t.Helper()
	dir := t.TempDir()
	db, err := index.Open(filepath.Join(dir, "index"), nil)
	if err != nil {
		t.Fatal(err)
	}
	journal := filepath.Join(dir, "journal")
	local, err := bolt.Open(db, journal, nil)
	if err != nil {
		t.Fatal(err)
	}
	aside, err := bolt.Open(db, journal, &bolt.Options{Table: "datafs~local", Make: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := local.Check(context.Background()); err != nil {
			t.Error(err)
		}
	})
	s := New(&Options{Local: local, Aside: aside, Team: team, Space: "team", Now: clock.now})
	return &syncRepo{s, t, refs.New(local, &refs.Options{Now: clock.now}), local, db, filepath.Join(dir, "index")}
}

func twoRepos(t *testing.T) (a, b *syncRepo, team *refs.Mem) {
	team, clock := &refs.Mem{}, &syncClock{}
	return newSyncRepo(t, team, clock), newSyncRepo(t, team, clock), team
}

// twoWithX are two that both have the first version of x.
func twoWithX(t *testing.T) (a, b *syncRepo, team *refs.Mem) {
	a, b, team = twoRepos(t)
	a.create("x")
	a.add("x", 1, nil)
	a.push()
	b.pull()
	return a, b, team
}

func (r *syncRepo) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *syncRepo) create(name string) {
	r.t.Helper()
	_, err := r.db.Create(r.t.Context(), refs.Archive{Name: name, Versioned: true, Authority: "a"}, nil)
	r.must(err)
}

func treeOf(n uint64) (id index.ID) {
	binary.BigEndian.PutUint64(id[:], n+1)
	return id
}

func (r *syncRepo) add(name string, tree uint64, deps refs.Dependencies) string {
	r.t.Helper()
	v, err := r.tryAdd(name, tree, deps)
	r.must(err)
	return v
}

func (r *syncRepo) tryAdd(name string, tree uint64, deps refs.Dependencies) (string, error) {
	v, _, _, err := r.db.AddVersion(r.t.Context(), refs.NewVersion{
		Archive: name, Tree: treeOf(tree), Hash: treeOf(tree), Size: 1, Files: 1, Min: r.floor(name), Dependencies: deps,
	})
	return v.Label(), err
}

func (r *syncRepo) set(name, key, value string) {
	r.t.Helper()
	set := map[string]*string{key: &value}
	if value == "" {
		set[key] = nil
	}
	r.must(r.db.UpdateMetadata(r.t.Context(), name, set))
}

func (r *syncRepo) pull() PullReport {
	r.t.Helper()
	rep, err := r.Pull(r.t.Context(), nil)
	r.must(err)
	return rep
}

// push pulls, and registers all that is pending.
func (r *syncRepo) push() RegisterReport {
	r.t.Helper()
	out, err := r.Outgoing(r.t.Context(), nil)
	r.must(err)
	rep, err := r.Register(r.t.Context(), out.Pending)
	r.must(err)
	return rep
}

func (r *syncRepo) status() []Pending {
	r.t.Helper()
	return r.state().Pending
}

func (r *syncRepo) state() Status {
	r.t.Helper()
	st, err := r.Status(r.t.Context(), nil)
	r.must(err)
	return st
}

func (r *syncRepo) floor(archive string) (floor *refs.Version) {
	r.t.Helper()
	r.must(r.bolt.View(r.t.Context(), func(tx *index.Tx) (err error) {
		floor, err = r.Floor(tx, archive)
		return err
	}))
	return floor
}

// records lists the keys and values of a manager.
func records(t testing.TB, m refs.Manager) []string {
	t.Helper()
	var list []string
	for r, err := range m.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r.Key+" "+string(r.Value))
	}
	return list
}

func wantSame(t testing.TB, a, b refs.Manager) {
	t.Helper()
	if got, want := records(t, a), records(t, b); !slices.Equal(got, want) {
		t.Errorf("the records differ:\n%s\n\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func (r *syncRepo) settled() {
	r.t.Helper()
	if list := r.status(); len(list) > 0 {
		r.t.Errorf("got pending %+v, want none", list)
	}
}

func TestAPushedArchiveComesToTheOthersAndGoesWhenItIsDeleted(t *testing.T) {
	a, b, team := twoRepos(t)
	a.create("x")
	a.add("x", 1, nil)
	if got := a.status(); len(got) != 1 || !got[0].New || len(got[0].Versions) != 1 {
		t.Fatalf("got %+v, want one new archive with a version", got)
	}
	rep := a.push()
	if want := []RegisteredVersion{{"x", "0.0.1"}}; !slices.Equal(rep.Registered, want) || len(rep.Changed) > 0 {
		t.Errorf("got %+v, want only %v", rep, want)
	}
	got := b.pull()
	if got.NewArchives != 1 || got.NewVersions != 1 || !slices.Equal(got.Changed, []string{"x"}) {
		t.Errorf("got %+v, want one archive, one version", got)
	}
	wantSame(t, a.bolt, team)
	wantSame(t, b.bolt, team)
	b.must(b.db.Delete(t.Context(), "x"))
	if got := b.status(); len(got) != 1 || !got[0].Deleted {
		t.Errorf("got %+v, want a deletion", got)
	}
	if rep := b.push(); !slices.Equal(rep.Deleted, []string{"x"}) {
		t.Errorf("got %+v, want a deletion", rep)
	}
	if rep := a.pull(); rep.DeletedArchives != 1 {
		t.Errorf("got %+v, want a deletion", rep)
	}
	wantSame(t, a.bolt, team)
	a.settled()
	b.settled()
	if floor := a.floor("x"); floor == nil || floor.String() != "0.0.1" {
		t.Errorf("got floor %v, want 0.0.1 for ever", floor)
	}
}

func TestVersionsOfOneNumberAreBothKept(t *testing.T) {
	a, b, team := twoWithX(t)
	a.add("x", 2, nil)
	b.add("x", 3, nil)
	b.add("x", 4, nil)
	b.create("y")
	two := "0.0.2"
	b.add("y", 5, refs.Dependencies{"x": &two})
	a.push()
	rep := b.push()
	if len(rep.Refused) != 2 || len(rep.Registered) != 0 {
		t.Fatalf("got %+v, want x and y refused", rep)
	}
	var c Conflict
	if err := rep.Refused[0].Err; !errors.As(err, &c) || !errors.Is(err, refs.ErrConflict) || c.Version != two {
		t.Errorf("got %v, want a conflict of 0.0.2", err)
	}
	if err := rep.Refused[1].Err; !errors.Is(err, refs.ErrConflict) || !strings.Contains(err.Error(), "0.0.2") {
		t.Errorf("got %v, want that y waits for it", err)
	}
	aside, err := b.AsideVersions(t.Context(), "x")
	if err != nil || len(aside) != 1 || aside[0].Tree != treeOf(3) {
		t.Fatalf("got %v, %v, want the version aside", aside, err)
	}
	if err := b.Resolve(t.Context(), "x", false, nil); !errors.As(err, &c) {
		t.Errorf("got %v, want the conflict", err)
	}
	moved, err := b.Renumber(t.Context(), "x")
	want := []Renumbered{{"x", "0.0.2", "0.0.3"}, {"x", "0.0.3", "0.0.4"}}
	if err != nil || !slices.Equal(moved, want) {
		t.Errorf("got %v, %v, want %v", moved, err, want)
	}
	y, err := b.db.Latest(t.Context(), "y")
	if err != nil || *y.Last().Dependencies["x"] != "0.0.3" {
		t.Errorf("got %v, %v, want that y depends on 0.0.3", y.Last().Dependencies, err)
	}
	if rep := b.push(); len(rep.Refused) > 0 || len(rep.Registered) != 3 {
		t.Errorf("got %+v, want three versions", rep)
	}
	a.pull()
	wantSame(t, a.bolt, team)
	wantSame(t, b.bolt, team)
}

func TestOnesOwnVersionIsDroppedForTheirs(t *testing.T) {
	a, b, team := twoRepos(t)
	a.create("x")
	a.push()
	b.pull()
	a.add("x", 1, nil)
	b.add("x", 2, nil)
	a.push()
	b.push()
	b.must(b.Resolve(t.Context(), "x", true, nil))
	b.settled()
	wantSame(t, b.bolt, team)
	if err := b.Resolve(t.Context(), "x", true, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want that there is no conflict", err)
	}
}

func TestMetadataIsMergedKeyByKey(t *testing.T) {
	for _, theirs := range []bool{false, true} {
		t.Run(fmt.Sprintf("and a clash is settled, theirs %v", theirs), func(t *testing.T) {
			a, b, team := twoRepos(t)
			a.create("x")
			a.set("x", "k", "0")
			a.push()
			b.pull()
			a.set("x", "k", "1")
			a.set("x", "a", "1")
			b.set("x", "k", "2")
			b.set("x", "b", "2")
			a.must(a.db.AddTags(t.Context(), "x", "ta"))
			b.must(b.db.AddTags(t.Context(), "x", "tb"))
			a.push()
			rep := b.pull()
			if len(rep.Conflicts) != 1 || rep.Conflicts[0].Key != "k" || *rep.Conflicts[0].Base != "0" {
				t.Fatalf("got %+v, want a conflict of k", rep)
			}
			if rep := b.push(); len(rep.Refused) != 1 {
				t.Errorf("got %+v, want a refusal", rep)
			}
			b.must(b.Resolve(t.Context(), "x", theirs, []string{"k"}))
			b.push()
			a.pull()
			x, err := a.db.Archive(t.Context(), "x")
			want := map[bool]string{false: "2", true: "1"}[theirs]
			if err != nil || x.Metadata["k"] != want || x.Metadata["a"] != "1" || x.Metadata["b"] != "2" || len(x.Tags) != 2 {
				t.Errorf("got %+v, %v, want k=%s and the rest of both", x, err, want)
			}
			wantSame(t, b.bolt, team)
			b.settled()
		})
	}
}

func TestDependenciesThatBothChangedAreUnited(t *testing.T) {
	a, b, team := twoWithX(t)
	one := "1.0"
	a.must(a.db.SetDependencies(t.Context(), "x", refs.Dependencies{"a": &one}, nil, nil))
	b.must(b.db.SetDependencies(t.Context(), "x", refs.Dependencies{"b": &one}, nil, nil))
	b.push()
	a.push()
	b.pull()
	v, err := b.db.Latest(t.Context(), "x")
	if err != nil || len(v.Updates) != 3 || v.Last().Dependencies["b"] == nil {
		t.Errorf("got %+v, %v, want three updates, b's last", v, err)
	}
	wantSame(t, a.bolt, team)
	wantSame(t, b.bolt, team)
	a.settled()
}

func TestADeletionAgainstAChangeIsAConflict(t *testing.T) {
	for _, c := range []struct {
		name           string
		here, theirs   bool // who resolves: the one who deleted
		wantThere      bool
		archives, vers int
	}{
		{"deleted there and kept", false, false, true, 1, 2},
		{"deleted there and followed", false, true, false, 0, 0},
		{"deleted here and deleted for all", true, false, false, 0, 0},
		{"deleted here and restored", true, true, true, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b, team := twoWithX(t)
			a.must(a.db.Delete(t.Context(), "x"))
			b.add("x", 2, nil)
			first, second := a, b
			if c.here {
				first, second = b, a
			}
			first.push()
			rep := second.pull()
			if len(rep.Conflicts) != 1 || rep.Conflicts[0].Kind != ConflictDeleted {
				t.Fatalf("got %+v, want a conflict", rep)
			}
			second.must(second.Resolve(t.Context(), "x", c.theirs, nil))
			second.push()
			first.pull()
			first.settled()
			second.settled()
			wantSame(t, a.bolt, team)
			wantSame(t, b.bolt, team)
			if got := len(records(t, team)); got != c.archives+c.vers {
				t.Errorf("got %d records, want %d:\n%s", got, c.archives+c.vers, strings.Join(records(t, team), "\n"))
			}
		})
	}
}

func TestADryPullWritesNothing(t *testing.T) {
	a, b, _ := twoRepos(t)
	a.create("x")
	a.push()
	rep, err := b.Pull(t.Context(), &PullOptions{Dry: true})
	if err != nil || rep.NewArchives != 1 || len(records(t, b.bolt)) != 0 {
		t.Errorf("got %+v, %v and %v, want a report only", rep, err, records(t, b.bolt))
	}
	if at := b.state().Asked; !at.IsZero() {
		t.Errorf("got %v, want never", at)
	}
	if rep := b.pull(); rep.NewArchives != 1 {
		t.Errorf("got %+v, want the archive", rep)
	}
}

func TestAnInvalidRecordOfTheTeamIsRefused(t *testing.T) {
	_, b, team := twoRepos(t)
	if _, err := team.Put(context.Background(), "archive/x", []byte(`{"format":1,"name":"y"}`), refs.Absent); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Pull(t.Context(), nil); !errors.Is(err, refs.ErrCorrupt) || !strings.Contains(err.Error(), "archive/x") {
		t.Errorf("got %v, want ErrCorrupt with the key", err)
	}
}

func TestALostBaseIsFoundAgain(t *testing.T) {
	a, b, team := twoWithX(t)
	a.add("x", 2, nil)
	b.must(b.Forget(t.Context()))
	a.push()
	b.pull()
	b.settled()
	wantSame(t, b.bolt, team)
	v, err := b.db.Latest(t.Context(), "x")
	b.must(err)
	if pub, err := b.Published(t.Context(), v); err != nil || !pub {
		t.Errorf("got %v, %v, want it published", pub, err)
	}
}

func TestWhatIsRequiredIsRegisteredAndTheTeamsWins(t *testing.T) {
	a, b, team := twoRepos(t)
	ctx := t.Context()
	require := func(r *syncRepo, key string) {
		t.Helper()
		r.must(r.db.SetSpec(ctx, refs.Spec{Metadata: map[string]string{key: "?"}}))
	}
	require(a, "one")
	if n, err := a.Outgoing(ctx, nil); err != nil || !n.Required {
		t.Fatalf("got %v, %v, want records written", n, err)
	}
	var warned []string
	b.opts.Warn = func(text string) { warned = append(warned, text) }
	require(b, "two")
	if n, err := b.Outgoing(ctx, nil); err != nil || n.Required || len(warned) != 1 {
		t.Errorf("got %v, %v and %q, want the team's and a warning", n, err, warned)
	}
	wantSame(t, b.bolt, team)
	wantSame(t, a.bolt, team)
}

func TestAllIsFoundAgainWhenTheIndexIsLost(t *testing.T) {
	a, b, team := twoWithX(t)
	a.add("x", 2, nil)
	b.add("x", 3, nil)
	a.push()
	b.push()
	before := b.status()
	b.must(os.Remove(b.path))
	b.must(b.bolt.Rebuild(t.Context()))
	b.pull()
	if got := b.status(); len(got) != 1 || len(got[0].Conflicts) != 1 || got[0].Conflicts[0].String() != before[0].Conflicts[0].String() {
		t.Errorf("got %+v, want the conflict of before, %+v", got, before)
	}
	roots, err := b.AsideRoots(t.Context())
	if err != nil || !slices.Equal(roots, []index.ID{treeOf(3)}) {
		t.Errorf("got %v, %v, want the tree of the version aside", roots, err)
	}
	wantSame(t, b.bolt, team)
}

// staleManager lets something happen after its changes were read.
type staleManager struct {
	*refs.Mem
	meanwhile func()
}

func (m *staleManager) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return func(yield func(refs.Record, error) bool) {
		var list []refs.Record
		for r := range m.Mem.Changes(ctx, since) {
			list = append(list, r)
		}
		if do := m.meanwhile; do != nil {
			m.meanwhile = nil
			do()
		}
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func TestWhatAnotherProcessPulledMeanwhileIsNotTakenForAChangeHere(t *testing.T) {
	team, clock := &staleManager{Mem: &refs.Mem{}}, &syncClock{}
	a, b := newSyncRepo(t, team, clock), newSyncRepo(t, team, clock)
	a.create("x")
	a.push()
	b.pull()
	a.set("x", "k", "1")
	a.push()
	other := New(&b.opts)
	team.meanwhile = func() {
		a.set("x", "k", "2")
		a.push()
		_, err := other.Pull(t.Context(), nil)
		b.must(err)
	}
	if rep := b.pull(); len(rep.Conflicts) > 0 {
		t.Errorf("got %+v, want no conflict", rep)
	}
	b.settled()
	wantSame(t, b.bolt, team)
}

func TestAConflictThatGoesOnKeepsWhatBothHadBefore(t *testing.T) {
	a, b, _ := twoRepos(t)
	a.create("x")
	a.set("x", "k", "0")
	a.push()
	b.pull()
	b.set("x", "k", "mine")
	for _, theirs := range []string{"1", "2"} {
		a.set("x", "k", theirs)
		a.push()
		rep := b.pull()
		if len(rep.Conflicts) != 1 || *rep.Conflicts[0].Base != "0" || *rep.Conflicts[0].Theirs != theirs || *rep.Conflicts[0].Mine != "mine" {
			t.Errorf("got %+v, want mine against %s, and 0 before", rep.Conflicts, theirs)
		}
	}
	a.set("x", "k", "mine")
	a.push()
	b.pull()
	b.settled()
}
