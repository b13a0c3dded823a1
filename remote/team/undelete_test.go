package team

import (
	"errors"
	"testing"

	"github.com/datafs/datafs/fixtures/docmem"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/dir"
)

// undelete brings an archive back as the API does.
func (r *syncRepo) undelete(name string) {
	r.t.Helper()
	d, err := r.bolt.LastDeleted(r.t.Context(), name)
	r.must(err)
	r.must(errors.Join(r.Undeleting(r.t.Context(), name), r.bolt.Undelete(r.t.Context(), d, name)))
}

// TestADeletionThatWasPushedIsTakenBack with every kind of manager, by who made it
// and by a colleague, also with indexes that are lost.
func TestADeletionThatWasPushedIsTakenBack(t *testing.T) {
	authority := &remote.Mem{}
	dir, err := dir.Open(&dir.Options{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	documents := &docmem.Store{}
	memory := &refs.Mem{}
	for _, c := range []struct {
		name string
		team func(t *testing.T, db *index.DB) refs.Manager
	}{
		{"in memory", func(*testing.T, *index.DB) refs.Manager { return memory }},
		{"a catalog in memory", func(t *testing.T, db *index.DB) refs.Manager { return catalogOf(t, authority, db) }},
		{"a catalog in a directory", func(t *testing.T, db *index.DB) refs.Manager { return catalogOf(t, dir, db) }},
		{"a database of documents", func(*testing.T, *index.DB) refs.Manager { return docdb.New(documents, nil) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			clock := &syncClock{}
			var repos []*syncRepo
			for range 3 {
				r := newSyncRepo(t, nil, clock)
				r.opts.Team = c.team(t, r.index)
				repos = append(repos, r)
			}
			a, b, late := repos[0], repos[1], repos[2]
			a.create("x")
			a.add("x", 1, nil)
			a.add("x", 2, nil)
			a.set("x", "k", "v")
			a.push()
			b.pull()
			want := records(t, a.bolt)
			for i, by := range []*syncRepo{a, b, b, a} {
				a.pull()
				a.must(a.db.Delete(t.Context(), "x"))
				if rep := a.push(); len(rep.Deleted) != 1 {
					t.Fatalf("got %+v, want a deletion", rep)
				}
				b.pull()
				if i == 2 {
					late.pull()
				}
				if i > 0 {
					a.removeIndex()
					b.removeIndex()
				}
				by.undelete("x")
				if rep := by.push(); len(rep.Registered) != 2 || len(rep.Refused) > 0 {
					t.Errorf("got %+v, want both versions", rep)
				}
				a.pull()
				b.pull()
				wantRecords(t, a, want)
				wantRecords(t, b, want)
			}
			late.pull()
			wantRecords(t, late, want)
			if v := a.add("x", 3, nil); v != "0.0.3" {
				t.Errorf("got version %s, want 0.0.3", v)
			}
		})
	}
}

func wantRecords(t *testing.T, r *syncRepo, want []string) {
	t.Helper()
	got := records(t, r.bolt)
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("got %s, want %s", got[i], want[i])
		}
	}
	r.settled()
}

// TestADeletionThatComesInPagesIsTakenBackWhole, as the archive goes before some
// of its versions then.
func TestADeletionThatComesInPagesIsTakenBackWhole(t *testing.T) {
	a, b, team := twoRepos(t)
	a.create("x")
	a.must(a.bolt.Atomic(t.Context(), func(m refs.Manager) error {
		for i := range uint64(pullPage + 20) {
			v := refs.VersionRecord{Archive: "x", Version: refs.Version{Patch: i + 1}, Tree: treeOf(i), Hash: treeOf(i), Updates: []refs.Update{{Time: a.opts.Now()}}}
			value, err := refs.EncodeVersion(v)
			if err == nil {
				_, err = m.Put(t.Context(), v.Key(), value, refs.Absent)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}))
	a.push()
	b.pull()
	want := records(t, team)
	a.must(a.db.Delete(t.Context(), "x"))
	a.push()
	b.pull()
	b.create("x") // another one, that is deleted as well
	b.add("x", 9999, nil)
	b.must(b.db.Delete(t.Context(), "x"))
	b.undelete("x")
	if list, err := b.db.Versions(t.Context(), "x"); err != nil || len(list) != 1 {
		t.Errorf("got %d versions, %v, want the one of the last deletion", len(list), err)
	}
	d, err := b.bolt.LastDeleted(t.Context(), "x")
	b.must(err)
	b.must(b.db.Delete(t.Context(), "x"))
	b.must(b.bolt.Undelete(t.Context(), d, "x"))
	if rep := b.push(); len(rep.Registered) != pullPage+20 {
		t.Errorf("got %d versions registered", len(rep.Registered))
	}
	wantRecords(t, b, want)
}

// TestAnUndeletedArchiveIsMergedWithWhatTheTeamDidMeanwhile.
func TestAnUndeletedArchiveIsMergedWithWhatTheTeamDidMeanwhile(t *testing.T) {
	a, b, team := twoWithX(t)
	a.set("x", "k", "1")
	a.push()
	a.must(a.db.Delete(t.Context(), "x"))
	b.pull()
	b.set("x", "k", "2")
	b.add("x", 2, nil)
	b.push()
	if rep := a.pull(); len(rep.Conflicts) == 0 {
		t.Fatal("no conflict")
	}
	a.undelete("x")
	a.removeIndex()
	rep := a.pull()
	if len(rep.Conflicts) != 1 || rep.Conflicts[0].Key != "k" {
		t.Errorf("got conflicts %+v, want one of the key", rep.Conflicts)
	}
	a.must(a.Resolve(t.Context(), "x", true, nil))
	a.push()
	b.pull()
	wantSame(t, a.bolt, team)
	wantSame(t, b.bolt, team)
	a.settled()
}
