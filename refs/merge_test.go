package refs

import (
	"maps"
	"slices"
	"testing"
	"time"
)

func TestMergeTags(t *testing.T) {
	for _, c := range []struct {
		name                     string
		base, mine, theirs, want []string
	}{
		{"what both have stays", []string{"a"}, []string{"a"}, []string{"a"}, []string{"a"}},
		{"what either added is in, theirs first", nil, []string{"m", "c"}, []string{"t", "c"}, []string{"t", "c", "m"}},
		{"what mine removed is out", []string{"a", "b"}, []string{"b"}, []string{"a", "b", "t"}, []string{"b", "t"}},
		{"what theirs removed is out", []string{"a", "b"}, []string{"a", "b"}, []string{"b"}, []string{"b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := MergeTags(c.base, c.mine, c.theirs); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestMergeArchives(t *testing.T) {
	base := Archive{Name: "x", Authority: "a", Metadata: map[string]string{"same": "0", "mine": "0", "theirs": "0", "gone": "0", "clash": "0", "lost": "0"}}
	mine, theirs := base, base
	mine.Authority = "b"
	mine.Metadata = map[string]string{"same": "1", "mine": "1", "theirs": "0", "clash": "1", "lost": "1", "new": "1"}
	theirs.Metadata = map[string]string{"same": "1", "mine": "0", "theirs": "2", "gone": "0", "clash": "2"}
	got, conflicts := MergeArchives(&base, mine, theirs)
	want := map[string]string{"same": "1", "mine": "1", "theirs": "2", "clash": "1", "lost": "1", "new": "1"}
	if !maps.Equal(got.Metadata, want) || got.Authority != "b" {
		t.Errorf("got %v at %q, want %v at b", got.Metadata, got.Authority, want)
	}
	if len(conflicts) != 2 || conflicts[0].Key != "clash" || *conflicts[0].Theirs != "2" || *conflicts[0].Base != "0" || conflicts[1].Key != "lost" || conflicts[1].Theirs != nil {
		t.Errorf("got %v, want clash and lost", conflicts)
	}
	got, conflicts = MergeArchives(nil, mine, theirs)
	if len(conflicts) != 3 || got.Metadata["gone"] != "0" || got.Authority != "a" {
		t.Errorf("without a base: got %v, conflicts %v, want the keys of both, clash, mine, theirs", got, conflicts)
	}
}

func TestMergeVersions(t *testing.T) {
	at := func(n int64) Update { return Update{Time: time.Unix(n, 0).UTC()} }
	mine := VersionRecord{Archive: "x", Version: Version{Patch: 1}, Updates: []Update{at(5), at(2), at(6)}}
	theirs := VersionRecord{Archive: "x", Version: Version{Patch: 1}, Place: "p", Updates: []Update{at(5), at(4), at(6)}}
	if !SameVersion(mine, theirs) {
		t.Error("got two versions, want the same: places and updates do not count")
	}
	got := MergeVersions(mine, theirs)
	var times []int64
	for _, u := range got.Updates {
		times = append(times, u.Time.Unix())
	}
	if want := []int64{5, 2, 4, 6}; !slices.Equal(times, want) || got.Place != "p" {
		t.Errorf("got %v at %q, want %v, the write first", times, got.Place, want)
	}
	if theirs.Updates[0] = at(7); SameVersion(mine, theirs) {
		t.Error("got the same version, want two that were written at different times")
	}
}

func TestMergeYanks(t *testing.T) {
	at := func(n int64, reason string) Yank {
		return Yank{Time: time.Unix(n, 0).UTC(), Reason: reason, Undo: reason == ""}
	}
	for _, c := range []struct {
		name               string
		mine, theirs, want []Yank
	}{
		{"none", nil, nil, nil},
		{"what both have is there once", []Yank{at(1, "r")}, []Yank{at(1, "r")}, []Yank{at(1, "r")}},
		{"two yanks both stay", []Yank{at(1, "r"), at(3, "")}, []Yank{at(1, "r"), at(2, "s")}, []Yank{at(1, "r"), at(2, "s"), at(3, "")}},
		{"mine alone", []Yank{at(1, "r")}, nil, []Yank{at(1, "r")}},
		{"at one moment the yank counts", []Yank{at(2, "s")}, []Yank{at(2, "")}, []Yank{at(2, ""), at(2, "s")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, sides := range [][2][]Yank{{c.mine, c.theirs}, {c.theirs, c.mine}} {
				mine, theirs := VersionRecord{Archive: "x", Yanks: sides[0]}, VersionRecord{Archive: "x", Yanks: sides[1]}
				if !SameVersion(mine, theirs) {
					t.Error("got two versions, want the same: yanks do not count")
				}
				if got := MergeVersions(mine, theirs).Yanks; !slices.EqualFunc(got, c.want, Yank.equal) {
					t.Errorf("got %v, want %v", got, c.want)
				}
			}
		})
	}
}
