package datafs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

func undelete(t *testing.T, api *API, name string) Undeleted {
	t.Helper()
	return must(api.Undelete(t.Context(), name, nil))(t)
}

func TestUndeleteBringsEverythingBack(t *testing.T) {
	for _, c := range []struct {
		name    string
		between func(t *testing.T, api *API)
	}{
		{"at once", func(*testing.T, *API) {}},
		{"after the index was lost", func(t *testing.T, api *API) { noError(t, os.Remove(api.index.Path())) }},
		{"after the index was made anew", func(t *testing.T, api *API) { must(api.RebuildIndex(t.Context()))(t) }},
		{"after other deletions", func(t *testing.T, api *API) {
			must(api.Create(t.Context(), "dir/x/y", &CreateOptions{Metadata: map[string]string{"a": "1"}}))(t)
			noError(t, api.Delete(t.Context(), "dir/x/y"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			api := openChecked(t, testOptions(t.TempDir()))
			furnish(t, api)
			noError(t, archive(t, api, "dir/x").Yank(t.Context(), "0.0.1", "wrong"))
			want := picture(t, api)
			for _, name := range []string{"dir/x", "tree", "unversioned", "empty"} {
				noError(t, api.Delete(t.Context(), name))
			}
			if picture(t, api) == want {
				t.Fatal("nothing was deleted")
			}
			c.between(t, api)
			if _, err := os.Stat(api.index.Path()); errors.Is(err, fs.ErrNotExist) {
				must(api.RebuildIndex(t.Context()))(t) // contents are not found without
			}
			done := undelete(t, api, "dir/x")
			equal(t, "versions", fmt.Sprint(done.Versions, done.Lost), "[0.0.1 0.1b1] []")
			for _, name := range []string{"tree", "unversioned", "empty"} {
				undelete(t, api, name)
			}
			equal(t, "picture", picture(t, api), want)
			noError(t, api.Delete(t.Context(), "dir/x"))
			undelete(t, api, "dir/x")
			equal(t, "picture after a second time", picture(t, api), want)
			equal(t, "the next version", put(t, archive(t, api, "dir/x"), "three").Version, "0.1.1")
		})
	}
}

func TestUndeleteTakesTheLastDeletion(t *testing.T) {
	api := openChecked(t, testOptions(t.TempDir()))
	for _, contents := range [][]string{{"a", "b", "c"}, {"d", "e"}} {
		h := newArchive(t, api, "x")
		for _, c := range contents {
			put(t, h, c)
		}
		noError(t, h.Delete(t.Context()))
	}
	equal(t, "versions", fmt.Sprint(undelete(t, api, "x").Versions), "[0.0.1 0.0.2]")
	equal(t, "contents", text(t, archive(t, api, "x"), "0.0.1"), "d")
	done := must(api.Undelete(t.Context(), "x", &UndeleteOptions{As: "y"}))(t)
	equal(t, "the one before, by another name", fmt.Sprint(done.Archive, done.Versions), "<DataArchive local://y> [0.0.1 0.0.2 0.0.3]")
	equal(t, "contents", text(t, archive(t, api, "y"), "0.0.3"), "c")
}

func TestUndeleteOfANameThatWasMadeAgain(t *testing.T) {
	api := openChecked(t, testOptions(t.TempDir()))
	put(t, newArchive(t, api, "x"), "old")
	noError(t, api.Delete(t.Context(), "x"))
	put(t, newArchive(t, api, "x"), "new")
	_, err := api.Undelete(t.Context(), "x", nil)
	wantError(t, err, `Archive "x" was made again since it was deleted`, fs.ErrExist)
	wantError(t, err, `Archive "x" was made again since it was deleted`, ErrMadeAgain)
	newArchive(t, api, "taken")
	_, err = api.Undelete(t.Context(), "x", &UndeleteOptions{As: "taken"})
	wantError(t, err, `Archive "taken" already exists`, fs.ErrExist)
	for _, as := range []string{"a\nb", "/"} {
		if _, err := api.Undelete(t.Context(), "x", &UndeleteOptions{As: as}); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("as %q: got %v", as, err)
		}
	}
	noError(t, api.RequirePatterns(t.Context(), []string{"^y"}, nil))
	if _, err := api.Undelete(t.Context(), "x", &UndeleteOptions{As: "z"}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a name that is not allowed: got %v", err)
	}
	must(api.Undelete(t.Context(), "x", &UndeleteOptions{As: "y"}))(t)
	equal(t, "the old one", text(t, archive(t, api, "y"), ""), "old")
	equal(t, "the new one", text(t, archive(t, api, "x"), ""), "new")
}

func TestUndeleteOfNothingSaysWhy(t *testing.T) {
	api := openChecked(t, testOptions(t.TempDir()))
	newArchive(t, api, "here")
	newArchive(t, api, "old")
	noError(t, api.Delete(t.Context(), "old"))
	var keys []string
	for g, err := range api.bolt.Graves(t.Context()) {
		noError(t, err)
		keys = append(keys, g.Key)
	}
	noError(t, api.bolt.ForgetGraves(t.Context(), keys))
	for name, want := range map[string]string{
		"none": `Archive "none" was never here`,
		"old":  `Archive "old" was deleted, and gc has let it go`,
		"here": `Archive "here" is here, and there is no earlier one of that name to bring back`,
	} {
		kind := fs.ErrNotExist
		if name == "here" {
			kind = fs.ErrExist
		}
		_, err := api.Undelete(t.Context(), name, nil)
		wantError(t, err, want, kind)
	}
}

func TestUndeleteLeavesOutVersionsWithoutContent(t *testing.T) {
	for _, unversioned := range []bool{false, true} {
		api := openOnly(t, testOptions(t.TempDir()))
		h := must(api.Create(t.Context(), "x", &CreateOptions{Unversioned: unversioned}))(t)
		put(t, h, "one")
		id := index.ID{1, 2, 3}
		_, _, _, err := api.refs.AddVersion(t.Context(), refs.NewVersion{Archive: "x", Tree: id, Hash: id, Size: 3, Files: 1})
		noError(t, err)
		if !unversioned {
			put(t, h, "three")
		}
		noError(t, h.Delete(t.Context()))
		done := undelete(t, api, "x")
		want := "[0.0.1 0.0.3] [0.0.2]"
		if unversioned {
			want = "[] [1 2]"
		}
		equal(t, "versions", fmt.Sprint(done.Versions, done.Lost), want)
		checkDeeply(t, api)
	}
}

// TestUndeleteAfterThePush of the deletion, and after a colleague has pulled it, by
// either of them, with and without contents there.
func TestUndeleteAfterThePush(t *testing.T) {
	for _, c := range []struct {
		name string
		by   func(alice, bob *API) *API
		read bool // Bob has the contents
	}{
		{"by who deleted it", func(alice, bob *API) *API { return alice }, false},
		{"by a colleague", func(alice, bob *API) *API { return bob }, true},
		{"by a colleague who has no contents", func(alice, bob *API) *API { return bob }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			shared := t.TempDir()
			alice, bob := member(t, shared, ""), member(t, shared, "")
			h := must(alice.Create(t.Context(), "x", &CreateOptions{Tags: []string{"t"}, Metadata: map[string]string{"k": "v"}}))(t)
			put(t, h, "one")
			put(t, h, "two")
			push(t, alice)
			pull(t, bob)
			if c.read {
				equal(t, "contents", text(t, archive(t, bob, "x"), "0.0.1"), "one")
				equal(t, "contents", text(t, archive(t, bob, "x"), "0.0.2"), "two")
			}
			noError(t, h.Delete(t.Context()))
			push(t, alice)
			pull(t, bob)
			if _, err := bob.Archive(t.Context(), "x", nil); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("after the deletion: %v", err)
			}
			by := c.by(alice, bob)
			equal(t, "versions", fmt.Sprint(undelete(t, by, "x").Versions), "[0.0.1 0.0.2]")
			equal(t, "pushed", fmt.Sprint(push(t, by).Versions), "[{x 0.0.1} {x 0.0.2}]")
			third := member(t, shared, "")
			for _, api := range []*API{alice, bob, third} {
				pull(t, api)
				h := archive(t, api, "x")
				equal(t, "contents", text(t, h, "0.0.1")+text(t, h, "0.0.2"), "onetwo")
				equal(t, "tags", fmt.Sprint(must(h.Tags(t.Context()))(t), must(h.Metadata(t.Context()))(t)), "[t] map[k:v]")
				if st := must(api.Status(t.Context()))(t); len(st.Pending) > 0 {
					t.Errorf("pending: %+v", st.Pending)
				}
			}
			equal(t, "the next version", put(t, h, "three").Version, "0.0.3")
		})
	}
}

func TestUndeleteBeforeThePushLeavesNothingToPush(t *testing.T) {
	shared := t.TempDir()
	alice := member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	noError(t, alice.Delete(t.Context(), "x"))
	undelete(t, alice, "x")
	equal(t, "left", push(t, alice).String(), nothingToPush)
}

// TestUndeleteOfWhatTheTeamHasChanged since: what the team did is merged.
func TestUndeleteOfWhatTheTeamHasChanged(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	h := newArchive(t, alice, "x")
	put(t, h, "one")
	noError(t, h.UpdateMetadata(t.Context(), map[string]*string{"k": new("1")}))
	push(t, alice)
	pull(t, bob)
	b := archive(t, bob, "x")
	put(t, b, "two")
	noError(t, b.UpdateMetadata(t.Context(), map[string]*string{"l": new("2")}))
	push(t, bob)
	noError(t, h.Delete(t.Context()))
	if _, err := alice.Pull(t.Context(), &PullOptions{RefsOnly: true}); !errors.Is(err, ErrConflict) {
		t.Fatalf("got %v, want a conflict", err)
	}
	undelete(t, alice, "x")
	push(t, alice)
	pull(t, bob)
	for _, h := range []*Archive{h, b} {
		equal(t, "versions", versions(t, h), "0.0.1 0.0.2")
		equal(t, "metadata", fmt.Sprint(must(h.Metadata(t.Context()))(t)), "map[k:1 l:2]")
	}
}

// TestUndeleteByAnotherNameIsNew to the team as well.
func TestUndeleteByAnotherNameIsNew(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	noError(t, alice.Delete(t.Context(), "x"))
	must(alice.Undelete(t.Context(), "team://x", &UndeleteOptions{As: "y"}))(t)
	rep := push(t, alice)
	equal(t, "pushed", fmt.Sprint(rep.Versions, rep.Deleted), "[{y 0.0.1}] [x]")
	pull(t, bob)
	equal(t, "contents", text(t, archive(t, bob, "y"), "0.0.1"), "one")
}

// TestUndeleteAfterRenumbering brings each version back once.
func TestUndeleteAfterRenumbering(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	h := newArchive(t, alice, "x")
	put(t, h, "one")
	push(t, alice)
	pull(t, bob)
	put(t, archive(t, bob, "x"), "Bob's")
	push(t, bob)
	put(t, h, "Alice's")
	if _, err := alice.Push(t.Context(), nil); !errors.Is(err, ErrConflict) {
		t.Fatal(err)
	}
	must(alice.Push(t.Context(), &PushOptions{Renumber: true}))(t)
	equal(t, "versions", versions(t, h), "0.0.1 0.0.2 0.0.3")
	want := picture(t, alice)
	noError(t, h.Delete(t.Context()))
	undelete(t, alice, "x")
	equal(t, "picture", picture(t, alice), want)
}

// TestUndeleteOfNothingChangesNothing: a command that fails leaves nothing.
func TestUndeleteOfNothingChangesNothing(t *testing.T) {
	api := openChecked(t, testOptions(t.TempDir()))
	put(t, newArchive(t, api, "x"), "one")
	before := journalSizes(t, api)
	if _, err := api.Undelete(t.Context(), "y", nil); err == nil {
		t.Error("nothing was brought back, without an error")
	}
	if after := journalSizes(t, api); !slices.Equal(before, after) {
		t.Errorf("the journal has %v bytes, had %v", after, before)
	}
}

func journalSizes(t *testing.T, api *API) (sizes []int64) {
	t.Helper()
	for _, name := range must(filepath.Glob(filepath.Join(api.Repo(), "journal/*")))(t) {
		sizes = append(sizes, must(os.Stat(name))(t).Size())
	}
	return sizes
}

// TestUndeleteAddsWhatAColleagueDidNotHave, who was first to bring the archive back.
func TestUndeleteAddsWhatAColleagueDidNotHave(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	h := newArchive(t, alice, "x")
	put(t, h, "one")
	push(t, alice)
	pull(t, bob)
	put(t, h, "two")
	noError(t, h.UpdateMetadata(t.Context(), map[string]*string{"k": new("v")}))
	push(t, alice)
	noError(t, h.Delete(t.Context()))
	push(t, alice)
	pull(t, bob)
	equal(t, "Bob's", fmt.Sprint(undelete(t, bob, "x").Versions), "[0.0.1]")
	push(t, bob)
	pull(t, alice)
	equal(t, "Alice's", fmt.Sprint(undelete(t, alice, "x").Versions), "[0.0.2]")
	equal(t, "pushed", fmt.Sprint(push(t, alice).Versions), "[{x 0.0.2}]")
	pull(t, bob)
	equal(t, "contents", text(t, archive(t, bob, "x"), ""), "two")
	_, err := alice.Undelete(t.Context(), "x", nil)
	wantError(t, err, `Archive "x" is here, with all of its versions that were deleted`, fs.ErrNotExist)
}
