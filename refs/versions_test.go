package refs_test

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/datafs/datafs/refs"
)

func TestAddVersion(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, versioned("a")[0])
		steps := []struct {
			name, contents, kind, pre, want string
		}{
			{"first contents are a bump of 0.0", "one", "patch", "", "0.0.1"},
			{"equal contents make nothing, whatever the bump", "one", "major", "alpha", ""},
			{"other contents make a version", "two", "patch", "", "0.0.2"},
			{"contents of an older version make one again", "one", "minor", "", "0.1"},
			{"a pre-release", "two", "", "beta", "0.1.1b1"},
			{"a release of it", "three", "patch", "", "0.1.1"},
			{"numbers are ordered as numbers", "four", "patch", "", "0.1.2"},
		}
		for _, s := range steps {
			t.Run(s.name, func(t *testing.T) {
				if got := add(t, d, "a", s.contents, bump(s.kind, s.pre)); got != s.want {
					t.Errorf("made %q, want %q", got, s.want)
				}
			})
		}
		wantList(t, "versions", labels(t, d, "a"), []string{"0.0.1", "0.0.2", "0.1", "0.1.1b1", "0.1.1", "0.1.2"})
	})
}

func TestAddVersionGivesThePrevious(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, versioned("a")[0])
		nv := refs.NewVersion{Archive: "a", Tree: content("t"), Hash: content("1"), Size: 5, Files: 1, Checksums: map[string]string{"md5": "x"},
			Message: new("first"), UserConfig: map[string]string{"username": "Me"}, Bump: "minor", Prerelease: "alpha"}
		rec, prev, created, err := d.AddVersion(t.Context(), nv)
		if err != nil || prev != nil || !created || rec.Label() != "0.1a1" {
			t.Fatalf("first: %+v, %v, %v, %v", rec, prev, created, err)
		}
		again, prev, created, err := d.AddVersion(t.Context(), nv)
		if err != nil || prev == nil || created || again.Label() != "0.1a1" || prev.Label() != "0.1a1" {
			t.Errorf("again: %+v, %v, %v, %v", again, prev, created, err)
		}
		nv.Dir = true
		second, prev, created, err := d.AddVersion(t.Context(), nv)
		if err != nil || prev == nil || prev.Label() != "0.1a1" || !created || second.Label() != "0.2a1" {
			t.Errorf("a tree of the same hash: %+v, %v, %v, %v", second, prev, created, err)
		}
		got, err := d.Version(t.Context(), "a", rec.Version)
		if err != nil {
			t.Fatal(err)
		}
		u := got.Last()
		if got.Tree != nv.Tree || got.Hash != nv.Hash || got.Size != 5 || got.Files != 1 || got.Dir || got.Checksums["md5"] != "x" || got.Archive != "a" {
			t.Errorf("version is %+v", got)
		}
		if *u.Message != "first" || u.UserConfig["username"] != "Me" || u.Bump != "minor" || u.Prerelease != "alpha" || u.Time.IsZero() || u.Dependencies == nil {
			t.Errorf("update is %+v", u)
		}
	})
}

func TestAddVersionUnversioned(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, refs.Archive{Name: "a"})
		for i, c := range []struct{ contents, want string }{{"x", "1"}, {"x", ""}, {"y", "2"}, {"x", "3"}} {
			if got := add(t, d, "a", c.contents, bump("nonsense", "ignored")); got != c.want {
				t.Errorf("update %d made %q, want %q", i, got, c.want)
			}
		}
		for i := 4; i <= 12; i++ {
			add(t, d, "a", fmt.Sprint(i))
		}
		wantList(t, "order of writing", labels(t, d, "a"), []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"})
		latest, err := d.Latest(t.Context(), "a")
		if err != nil || latest.Number != 12 || !latest.Version.IsZero() {
			t.Errorf("latest is %+v, %v", latest, err)
		}
		if err := d.CheckBump(t.Context(), "a", "nonsense", "ignored"); err != nil {
			t.Errorf("CheckBump: %v", err)
		}
	})
}

func TestAddVersionRefuses(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, versioned("a")[0])
		add(t, d, "a", "x", bump("minor", "beta"))
		ok := refs.NewVersion{Archive: "a", Hash: content("y"), Size: 1}
		cases := []struct {
			change func(*refs.NewVersion)
			want   string
		}{
			{func(nv *refs.NewVersion) { nv.Size = 0 }, `no version made of archive "a": the contents are empty`},
			{bump("huge", ""), `Bump kind "huge" not understood`},
			{bump("", "rc"), `Prerelease type "rc" not understood`},
			{bump("", "alpha"), `Cannot bump version "0.1b1" to prerelease stage "alpha" - version already in beta`},
			{func(nv *refs.NewVersion) { nv.Message = new("\xff") }, `message is not valid UTF-8: "\xff"`},
			{func(nv *refs.NewVersion) { nv.Dependencies = refs.Dependencies{"x": new("\xff")} }, `dependency is not valid UTF-8: "\xff"`},
		}
		for _, c := range cases {
			nv := ok
			c.change(&nv)
			_, _, created, err := d.AddVersion(t.Context(), nv)
			wantText(t, err, c.want, fs.ErrInvalid)
			if created {
				t.Error("and made it all the same")
			}
		}
		for _, c := range cases[1:4] {
			nv := ok
			c.change(&nv)
			wantText(t, d.CheckBump(t.Context(), "a", nv.Bump, nv.Prerelease), c.want, fs.ErrInvalid)
		}
		if err := d.CheckBump(t.Context(), "a", "minor", ""); err != nil {
			t.Errorf("CheckBump: %v", err)
		}
		wantList(t, "versions", labels(t, d, "a"), []string{"0.1b1"})
	})
}

func TestAddVersionOfNothing(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		for _, a := range versioned("file", "tree") {
			mustCreate(t, d, a)
		}
		if got := add(t, d, "file", "", func(nv *refs.NewVersion) { nv.Size, nv.AllowEmpty = 0, true }); got != "0.0.1" {
			t.Errorf("an empty file that is allowed made %q", got)
		}
		if got := add(t, d, "tree", "", func(nv *refs.NewVersion) { nv.Size, nv.Dir = 0, true }); got != "0.0.1" {
			t.Errorf("an empty tree made %q", got)
		}
	})
}

func TestAddVersionAfterWhatWasPublished(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, versioned("a")[0])
		published := parse(t, "1.2")
		after := func(nv *refs.NewVersion) { nv.Min = &published }
		if got := add(t, d, "a", "x", after); got != "1.2.1" {
			t.Errorf("first is %s, want 1.2.1", got)
		}
		if got := add(t, d, "a", "y", after); got != "1.2.2" {
			t.Errorf("second is %s, want 1.2.2", got)
		}
	})
}

func TestAddVersionRace(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		for _, a := range []refs.Archive{versioned("a")[0], {Name: "u"}} {
			mustCreate(t, d, a)
			var wg sync.WaitGroup
			for w := range 4 {
				wg.Go(func() {
					for i := range 10 {
						add(t, d, a.Name, fmt.Sprint(w, i))
					}
				})
			}
			wg.Wait()
			got := labels(t, d, a.Name)
			if want := slices.Compact(slices.Clone(got)); len(got) != 40 || len(want) != 40 {
				t.Errorf("of 40 updates there are %d versions: %v", len(got), got)
			}
		}
	})
}

func TestVersionsAndLatest(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		for _, a := range versioned("a", "a/b", "ab") {
			mustCreate(t, d, a)
		}
		wantList(t, "no versions", labels(t, d, "a"), []string{})
		_, err := d.Latest(t.Context(), "a")
		wantText(t, err, `Archive "a" has no versions`, fs.ErrNotExist)
		add(t, d, "a/b", "other")
		add(t, d, "ab", "other")
		for i := range 11 {
			add(t, d, "a", fmt.Sprint(i))
		}
		latest, err := d.Latest(t.Context(), "a")
		if err != nil || latest.Label() != "0.0.11" {
			t.Errorf("latest is %v, %v, want 0.0.11", latest.Label(), err)
		}
		_, err = d.Version(t.Context(), "a", parse(t, "0.0.12"))
		wantText(t, err, `Version "0.0.12" not found in archive history`, fs.ErrNotExist)
		if v, err := d.Version(t.Context(), "a", parse(t, "0.0.03")); err != nil || v.Hash != content("2") {
			t.Errorf("0.0.03 is %+v, %v", v, err)
		}
	})
}

func TestDependencies(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, versioned("a")[0])
		wantText(t, d.SetDependencies(t.Context(), "a", nil, nil, nil), "Cannot set dependencies on an empty archive", fs.ErrNotExist)
		deps := func(deps refs.Dependencies) func(*refs.NewVersion) {
			return func(nv *refs.NewVersion) { nv.Dependencies = deps }
		}
		add(t, d, "a", "1")
		add(t, d, "a", "2", deps(refs.Dependencies{"x": new("1.1"), "y": nil}))
		add(t, d, "a", "3")
		add(t, d, "a", "4", deps(refs.Dependencies{}))
		add(t, d, "a", "5", deps(refs.Dependencies{"z": new("2.0")}))
		if err := d.SetDependencies(t.Context(), "a", refs.Dependencies{"w": nil}, nil, map[string]string{"username": "You"}); err != nil {
			t.Fatal(err)
		}
		add(t, d, "a", "6")
		if err := d.SetDependencies(t.Context(), "a", nil, nil, nil); err != nil {
			t.Fatal(err)
		}
		add(t, d, "a", "7")
		want := map[string]string{
			"0.0.1": "{}", "0.0.2": "{x:1.1 y:None}", "0.0.3": "{x:1.1 y:None}", "0.0.4": "{}", "0.0.5": "{w:None}", "0.0.6": "{}", "0.0.7": "{}",
		}
		list, err := d.Versions(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, v := range list {
			got[v.Label()] = showDeps(v.Last().Dependencies)
		}
		if !maps.Equal(got, want) {
			t.Errorf("dependencies are %v, want %v", got, want)
		}
	})
}

func showDeps(deps refs.Dependencies) string {
	s := "{"
	for i, name := range slices.Sorted(maps.Keys(deps)) {
		if i > 0 {
			s += " "
		}
		if v := deps[name]; v != nil {
			s += name + ":" + *v
		} else {
			s += name + ":None"
		}
	}
	return s + "}"
}

func TestHistory(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		for _, a := range []refs.Archive{versioned("a")[0], {Name: "u"}} {
			mustCreate(t, d, a)
			if h, err := d.History(t.Context(), a.Name); err != nil || len(h) != 0 {
				t.Errorf("history of nothing is %v, %v", h, err)
			}
			who := func(nv *refs.NewVersion) {
				nv.UserConfig, nv.Message = map[string]string{"username": "Me"}, new("first")
			}
			add(t, d, a.Name, "1", who)
			if err := d.SetDependencies(t.Context(), a.Name, refs.Dependencies{"x": new("1.0")}, nil, map[string]string{"username": "You"}); err != nil {
				t.Fatal(err)
			}
			add(t, d, a.Name, "2")
			h, err := d.History(t.Context(), a.Name)
			if err != nil || len(h) != 3 {
				t.Fatalf("history is %+v, %v", h, err)
			}
			if h[0].Label() != h[1].Label() || h[0].Hash != h[1].Hash || *h[1].Message != "first" || h[1].UserConfig["username"] != "You" || h[0].UserConfig["username"] != "Me" {
				t.Errorf("setting dependencies shows as %+v after %+v", h[1], h[0])
			}
			if showDeps(h[0].Dependencies) != "{}" || showDeps(h[1].Dependencies) != "{x:1.0}" || showDeps(h[2].Dependencies) != "{x:1.0}" || h[2].Message != nil {
				t.Errorf("history is %+v", h)
			}
			if !h[0].Time.Before(h[1].Time) || !h[1].Time.Before(h[2].Time) || h[0].Time.Location() != time.UTC {
				t.Errorf("times are %v, %v, %v", h[0].Time, h[1].Time, h[2].Time)
			}
		}
	})
}

func TestDelete(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		for _, a := range versioned("a", "a/b", "ab") {
			mustCreate(t, d, a)
			add(t, d, a.Name, "1")
			add(t, d, a.Name, "2")
		}
		if err := d.UpdateMetadata(t.Context(), "a", map[string]*string{"k": new("v")}); err != nil {
			t.Fatal(err)
		}
		if err := d.Delete(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		_, err := d.Archive(t.Context(), "a")
		wantText(t, err, `Archive "a" not found`, fs.ErrNotExist)
		wantList(t, "names", names(t, d.Names(t.Context(), "")), []string{"a/b", "ab"})
		wantList(t, "versions of a sibling", labels(t, d, "a/b"), []string{"0.0.1", "0.0.2"})
		a := mustCreate(t, d, versioned("a")[0])
		wantList(t, "versions of a new one", labels(t, d, "a"), []string{})
		if len(a.Metadata)+len(a.Tags) != 0 {
			t.Errorf("the new one is %+v", a)
		}
		if got := add(t, d, "a", "1"); got != "0.0.1" {
			t.Errorf("its first version is %s", got)
		}
	})
}
