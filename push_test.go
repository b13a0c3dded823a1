package datafs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
	"github.com/datafs/datafs/remote/remotetest"
	"github.com/datafs/datafs/remote/team"
)

// clock moves on by a second each time that it is asked, as different users'
// clocks do not show the same.
func clock(start time.Time) func() time.Time {
	return func() time.Time {
		start = start.Add(time.Second)
		return start
	}
}

// member opens a new repository of a user of the team's directory.
func member(t *testing.T, shared, config string) *API {
	t.Helper()
	opts := configured(t.TempDir(), "authorities: {team: {service: OSFS, args: ["+shared+"]}}\n"+config)
	opts.Now = clock(someTime)
	opts.Warn = func(text string) { t.Log("warning:", text) }
	return openChecked(t, opts)
}

func push(t *testing.T, api *API) PushReport {
	t.Helper()
	return must(api.Push(t.Context(), nil))(t)
}

func pull(t *testing.T, api *API) PullReport {
	t.Helper()
	return must(api.Pull(t.Context(), &PullOptions{RefsOnly: true}))(t)
}

func archive(t *testing.T, api *API, name string) *Archive {
	t.Helper()
	return must(api.Archive(t.Context(), name, nil))(t)
}

func TestTwoShareADirectory(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	h := newArchive(t, alice, "climate/tas")
	put(t, h, "one")
	noError(t, h.UpdateMetadata(t.Context(), map[string]*string{"units": new("K")}))
	rep := push(t, alice)
	equal(t, "pushed", fmt.Sprint(rep.Versions), "[{climate/tas 0.0.1}]")

	pull(t, bob)
	b := archive(t, bob, "climate/tas")
	if here := must(b.IsCached(t.Context(), ""))(t); here {
		t.Error("a pull of the records brought the contents too")
	}
	equal(t, "Bob reads", text(t, b, ""), "one")
	equal(t, "metadata", fmt.Sprint(must(b.Metadata(t.Context()))(t)), "map[units:K]")
	put(t, b, "two")
	push(t, bob)
	equal(t, "nothing left", fmt.Sprint(push(t, bob)), "nothing to push")

	pull(t, alice)
	equal(t, "versions", versions(t, h), "0.0.1 0.0.2")
	equal(t, "Alice reads", text(t, h, ""), "two")
	if st := must(alice.Status(t.Context()))(t); len(st.Pending) > 0 || st.LastPull == "" {
		t.Errorf("status: %+v", st)
	}
}

func TestBothMakeTheSameVersion(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	a := newArchive(t, alice, "x")
	put(t, a, "one")
	push(t, alice)
	pull(t, bob)
	b := archive(t, bob, "x")
	put(t, b, "Bob's")
	put(t, a, "Alice's")
	put(t, a, "Alice's next")
	other := newArchive(t, alice, "other")
	put(t, other, "goes on")
	push(t, bob)

	rep, err := alice.Push(t.Context(), &PushOptions{DryRun: true})
	if !errors.Is(err, ErrConflict) || len(rep.Refused) != 1 || len(rep.Versions) != 1 || rep.Requests < 5 {
		t.Errorf("dry run: %+v, %v", rep, err)
	}
	rep, err = alice.Push(t.Context(), nil)
	var conflict team.Conflict
	if !errors.Is(err, ErrConflict) || !errors.As(err, &conflict) || conflict.Archive != "x" {
		t.Fatalf("push: %v", err)
	}
	equal(t, "the other archive", fmt.Sprint(rep.Versions), "[{other 0.0.1}]")
	equal(t, "the contested number", text(t, a, "0.0.2"), "Bob's")
	equal(t, "one's own", text(t, a, "0.0.2~local"), "Alice's")
	must(alice.GC(t.Context(), noGrace(false)))(t)
	equal(t, "one's own, after gc", text(t, a, "0.0.2~local"), "Alice's")

	rep = must(alice.Push(t.Context(), &PushOptions{Renumber: true}))(t)
	equal(t, "renumbered", fmt.Sprint(rep.Versions), "[{x 0.0.3} {x 0.0.4}]")
	pull(t, bob)
	equal(t, "versions", versions(t, b), "0.0.1 0.0.2 0.0.3 0.0.4")
	equal(t, "0.0.3", text(t, b, "0.0.3"), "Alice's")
	equal(t, "0.0.4", text(t, b, "0.0.4"), "Alice's next")
	if _, err := a.Version(t.Context(), "0.0.2~local"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("0.0.2~local: %v", err)
	}
}

func TestOnesOwnVersionMayBeDropped(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	pull(t, bob)
	put(t, archive(t, bob, "x"), "Bob's")
	put(t, archive(t, alice, "x"), "Alice's")
	push(t, bob)
	if _, err := alice.Pull(t.Context(), nil); !errors.Is(err, ErrConflict) {
		t.Fatalf("pull: %v", err)
	}
	must(alice.Resolve(t.Context(), "x", &ResolveOptions{Theirs: true}))(t)
	equal(t, "nothing left", fmt.Sprint(push(t, alice)), "nothing to push")
	equal(t, "versions", versions(t, archive(t, alice, "x")), "0.0.1 0.0.2")
}

func TestMetadataIsMergedKeyByKey(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	a := newArchive(t, alice, "x")
	push(t, alice)
	pull(t, bob)
	b := archive(t, bob, "x")
	noError(t, a.UpdateMetadata(t.Context(), map[string]*string{"a": new("1"), "both": new("A")}))
	noError(t, a.AddTags(t.Context(), "red"))
	noError(t, b.UpdateMetadata(t.Context(), map[string]*string{"b": new("2"), "both": new("B")}))
	noError(t, b.AddTags(t.Context(), "blue"))
	push(t, alice)
	_, err := bob.Push(t.Context(), nil)
	if !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "both") {
		t.Fatalf("push: %v", err)
	}
	must(bob.Resolve(t.Context(), "x", &ResolveOptions{Ours: true, Keys: []string{"both"}}))(t)
	push(t, bob)
	pull(t, alice)
	for _, h := range []*Archive{a, b} {
		equal(t, "metadata", fmt.Sprint(must(h.Metadata(t.Context()))(t)), "map[a:1 b:2 both:B]")
		tags := must(h.Tags(t.Context()))(t)
		slices.Sort(tags)
		equal(t, "tags", fmt.Sprint(tags), "[blue red]")
	}
}

func TestADeletedArchiveIsDeletedEverywhere(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	pull(t, bob)
	noError(t, bob.Delete(t.Context(), "x"))
	equal(t, "deleted", fmt.Sprint(push(t, bob).Deleted), "[x]")
	pull(t, alice)
	if _, err := alice.Archive(t.Context(), "x", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	// The number of a deleted version is not given again.
	again := newArchive(t, alice, "x")
	equal(t, "version", put(t, again, "another").Version, "0.0.2")
	push(t, alice)
	pull(t, bob)
	equal(t, "versions", versions(t, archive(t, bob, "x")), "0.0.2")
}

func TestADeletionIsTakenBack(t *testing.T) {
	shared := t.TempDir()
	alice := member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	noError(t, alice.Delete(t.Context(), "x"))
	must(alice.Resolve(t.Context(), "x", &ResolveOptions{Theirs: true}))(t)
	equal(t, "nothing left", push(t, alice).String(), "nothing to push")
	equal(t, "x", text(t, archive(t, alice, "x"), ""), "one")
}

func TestContentsAreFetchedInParts(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	dir := writeTree(t, map[string]string{"a.txt": "small", "sub/b.txt": "another"})
	big := make([]byte, 3<<20)
	_, err := io.ReadFull(newRandom(1), big)
	noError(t, err)
	noError(t, os.WriteFile(filepath.Join(dir, "big"), big, 0o644))
	must(newArchive(t, alice, "tree").Update(t.Context(), dir, nil))(t)
	push(t, alice)
	pull(t, bob)
	h := archive(t, bob, "tree")
	var b strings.Builder
	noError(t, h.Cat(t.Context(), &b, &OpenOptions{Path: "sub/b.txt"}))
	equal(t, "sub/b.txt", b.String(), "another")
	if got := must(bob.Stats(t.Context()))(t).Stored; got > 1<<20 {
		t.Errorf("a small file brought %d bytes", got)
	}
	target := filepath.Join(t.TempDir(), "out")
	must(h.Download(t.Context(), target, nil))(t)
	equal(t, "the tree", len(readTree(t, target)["big"]), 3<<20)
}

func TestContentsAreGivenUpAndFetchedAgain(t *testing.T) {
	shared := t.TempDir()
	alice := member(t, shared, "")
	h := newArchive(t, alice, "x")
	must(h.UpdateFrom(t.Context(), io.LimitReader(newRandom(2), 5<<20), nil))(t)
	put(t, h, "two")
	if err := h.RemoveFromCache(t.Context(), "0.0.1"); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("before the push: %v", err)
	}
	push(t, alice)
	noError(t, h.RemoveFromCache(t.Context(), "0.0.1"))
	if got := must(alice.Stats(t.Context()))(t).Stored; got > 1<<20 {
		t.Errorf("%d bytes are left", got)
	}
	checkDeeply(t, alice)
	equal(t, "cached", must(h.IsCached(t.Context(), "0.0.1"))(t), false)
	equal(t, "cached", must(h.IsCached(t.Context(), "0.0.2"))(t), true)
	noError(t, h.Cache(t.Context(), "0.0.1"))
	equal(t, "cached again", must(h.IsCached(t.Context(), "0.0.1"))(t), true)
	equal(t, "size", len(text(t, h, "0.0.1")), 5<<20)
}

func TestAnUpdateOfADirectoryThatIsNotHereIsWhole(t *testing.T) {
	shared := t.TempDir()
	alice := member(t, shared, "")
	dir := writeTree(t, map[string]string{"a": "1", "b": strings.Repeat("x", 1<<20)})
	h := newArchive(t, alice, "x")
	must(h.Update(t.Context(), dir, nil))(t)
	push(t, alice)
	noError(t, h.RemoveFromCache(t.Context(), ""))
	noError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("2"), 0o644))
	must(h.Update(t.Context(), dir, nil))(t)
	equal(t, "cached", must(h.IsCached(t.Context(), "0.0.2"))(t), true)
	must(alice.GC(t.Context(), noGrace(false)))(t)
	equal(t, "pushed", len(push(t, alice).Versions), 1)
}

func TestOfflineTouchesNothing(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	pull(t, bob)
	bob.opts.Offline = true
	h := archive(t, bob, "x")
	if err := h.Cat(t.Context(), io.Discard, nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("cat: %v", err)
	}
	if _, err := bob.Push(t.Context(), nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("push: %v", err)
	}
	if _, err := bob.Pull(t.Context(), nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("pull: %v", err)
	}
	must(bob.Status(t.Context()))(t)
	put(t, h, "two")
	equal(t, "written offline", text(t, h, ""), "two")
}

func TestAMissingDirectoryIsNotMadeAnew(t *testing.T) {
	shared := filepath.Join(t.TempDir(), "not mounted")
	alice := member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	if _, err := alice.Push(t.Context(), nil); !errors.Is(err, ErrUnavailable) {
		t.Errorf("push: %v", err)
	}
	if _, err := os.Stat(shared); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory: %v", err)
	}
}

func TestAnotherPlaceUnderTheSameNameIsFilled(t *testing.T) {
	dir, first, second := t.TempDir(), t.TempDir(), t.TempDir()
	at := func(place string) *API {
		return openOnly(t, configured(dir, "authorities: {team: 'file://"+place+"'}"))
	}
	alice := at(first)
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	alice = at(second)
	if _, err := alice.Pull(t.Context(), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a pull from an empty place: %v", err)
	}
	equal(t, "pushed", fmt.Sprint(push(t, alice).Versions), "[{x 0.0.1}]")
	bob := member(t, second, "")
	pull(t, bob)
	equal(t, "x", text(t, archive(t, bob, "x"), ""), "one")
	equal(t, "back again", push(t, at(first)).String(), "nothing to push")
}

func TestAutoPushesAndAsks(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, "sync: auto\n"), member(t, shared, "sync: auto\n")
	bob.opts.Now = clock(someTime.Add(time.Hour))
	h := newArchive(t, alice, "x")
	put(t, h, "one")
	noError(t, h.AddTags(t.Context(), "red"))
	b := archive(t, bob, "x")
	equal(t, "Bob reads", text(t, b, ""), "one")
	put(t, h, "two")
	bob.auto.at = time.Time{}
	equal(t, "Bob reads", text(t, archive(t, bob, "x"), ""), "two")
}

func TestWhatIsRequiredByNowIsEnforcedAtPush(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	put(t, newArchive(t, bob, "without"), "one")
	put(t, must(bob.Create(t.Context(), "with", &CreateOptions{Metadata: map[string]string{"source": "here"}}))(t), "one")
	noError(t, alice.RequireMetadata(t.Context(), map[string]*string{"source": new("Where from?")}))
	push(t, alice)
	rep, err := bob.Push(t.Context(), nil)
	if !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), "source") {
		t.Errorf("push: %v", err)
	}
	equal(t, "pushed", fmt.Sprint(rep.Versions), "[{with 0.0.1}]")
	must(alice.Pull(t.Context(), &PullOptions{RefsOnly: true}))(t)
	put(t, archive(t, alice, "with"), "two")
	noError(t, bob.RequireUserConfig(t.Context(), map[string]*string{"username": new("Who?")}))
	if _, err := bob.Push(t.Context(), nil); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("push: %v", err)
	}
	if rep, err := alice.Push(t.Context(), nil); !errors.Is(err, fs.ErrInvalid) || len(rep.Versions) > 0 || !strings.Contains(err.Error(), "username") {
		t.Errorf("push of a version by nobody: %+v, %v", rep, err)
	}
	noError(t, bob.RequireUserConfig(t.Context(), map[string]*string{"username": nil}))
	noError(t, archive(t, bob, "without").UpdateMetadata(t.Context(), map[string]*string{"source": new("there")}))
	equal(t, "pushed", fmt.Sprint(push(t, bob).Versions), "[{without 0.0.1}]")
}

func TestTwoAuthorities(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	config := func(extra string) *Options {
		o := configured(t.TempDir(), fmt.Sprintf("authorities: {a: 'file://%s', b: 'file://%s'}\n%s", first, second, extra))
		o.Now = clock(someTime)
		return o
	}
	alice := openChecked(t, config(""))
	put(t, must(alice.Create(t.Context(), "x", &CreateOptions{Authority: "b"}))(t), "in b")
	if _, err := alice.Push(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "default-authority") {
		t.Errorf("push without default: %v", err)
	}
	noError(t, alice.SetDefaultAuthority("a"))
	put(t, newArchive(t, alice, "y"), "in a")
	push(t, alice)
	for dir, want := range map[string]bool{first: true, second: false} {
		_, err := os.Stat(filepath.Join(dir, "catalog"))
		equal(t, "catalogue", err == nil, want)
		if packs, _ := filepath.Glob(filepath.Join(dir, "packs", "*", "*")); len(packs) != 1 {
			t.Errorf("%s has %d packs", dir, len(packs))
		}
	}
	bob := openChecked(t, config("default-authority: a\n"))
	pull(t, bob)
	equal(t, "x", text(t, archive(t, bob, "x"), ""), "in b")
	equal(t, "y", text(t, archive(t, bob, "b://x"), ""), "in b")
}

func TestTheManagerNamesItsAuthorityAndTable(t *testing.T) {
	first, second := t.TempDir(), t.TempDir()
	user := func() *API {
		return openChecked(t, configured(t.TempDir(), fmt.Sprintf(`
authorities: {a: 'file://%s', b: 'file://%s'}
default-authority: a
manager: {class: AuthorityManager, kwargs: {authority: b, table_name: Mine}}
`, first, second)))
	}
	alice, bob := user(), user()
	put(t, newArchive(t, alice, "x"), "one")
	push(t, alice)
	if left, _ := filepath.Glob(filepath.Join(second, "catalog", "*")); len(left) != 1 {
		t.Errorf("catalogues in b: %q", left)
	}
	pull(t, bob)
	equal(t, "x", text(t, archive(t, bob, "x"), ""), "one")
}

func TestAnUnversionedArchiveTravelsAsItIsNow(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	h := must(alice.Create(t.Context(), "x", &CreateOptions{Unversioned: true}))(t)
	put(t, h, "one")
	put(t, h, "two")
	must(alice.GC(t.Context(), noGrace(false)))(t)
	push(t, alice)
	pull(t, bob)
	equal(t, "x", text(t, archive(t, bob, "x"), ""), "two")
	put(t, h, "three")
	push(t, alice)
	pull(t, bob)
	equal(t, "x", text(t, archive(t, bob, "x"), ""), "three")
	put(t, archive(t, bob, "x"), "four")
	push(t, bob)
	pull(t, alice)
	equal(t, "x", text(t, h, ""), "four")
}

func TestContentsThatAreThereNeedNotBeHereToBeRegistered(t *testing.T) {
	mem := &remote.Mem{}
	faulty := remotetest.NewFaulty(t, mem, remotetest.Fault{Op: remotetest.PutNew, Name: "catalog/datafs/", Times: -1})
	alice := through(t, faulty)
	h := newArchive(t, alice, "x")
	put(t, h, "one")
	if _, err := alice.Push(t.Context(), nil); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("push: %v", err)
	}
	noError(t, h.RemoveFromCache(t.Context(), ""))
	noError(t, alice.closeSites())
	alice.kinds = config.With(authorityKinds(func(context.Context, config.Service) (remote.Authority, error) { return mem, nil }))
	push(t, alice)
	bob := through(t, mem)
	pull(t, bob)
	equal(t, "x", text(t, archive(t, bob, "x"), ""), "one")
}

func TestArchivesFromBeforeTheTeamGoToItsAuthority(t *testing.T) {
	dir, shared := t.TempDir(), t.TempDir()
	lone := openOnly(t, testOptions(dir))
	put(t, newArchive(t, lone, "x"), "one")
	opts := configured(dir, "authorities: {team: 'file://"+shared+"'}")
	alice := openChecked(t, opts)
	push(t, alice)
	equal(t, "authority", archive(t, alice, "x").Authority(), "team")
	bob := member(t, shared, "")
	pull(t, bob)
	equal(t, "x", text(t, archive(t, bob, "x"), ""), "one")
}

func TestPullBringsContents(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	for _, name := range []string{"x", "y"} {
		h := newArchive(t, alice, name)
		put(t, h, name+" one")
		put(t, h, name+" two")
	}
	push(t, alice)
	rep := must(bob.Pull(t.Context(), &PullOptions{Archives: []string{"x==0.0.1"}}))(t)
	equal(t, "pulled", fmt.Sprintf("%d %s", len(rep.Contents), rep.Contents[0].Version), "1 0.0.1")
	equal(t, "x 0.0.1", must(archive(t, bob, "x").IsCached(t.Context(), "0.0.1"))(t), true)
	equal(t, "y", must(archive(t, bob, "y").IsCached(t.Context(), ""))(t), false)
	rep = must(bob.Pull(t.Context(), &PullOptions{All: true}))(t)
	equal(t, "all", len(rep.Contents), 2)
	equal(t, "y", must(archive(t, bob, "y").IsCached(t.Context(), ""))(t), true)
}

func TestWhatIsRequiredTravels(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	noError(t, alice.RequireMetadata(t.Context(), map[string]*string{"source": new("Where from?")}))
	equal(t, "pushed", push(t, alice).String(), "what is required of archives")
	pull(t, bob)
	if _, err := bob.Create(t.Context(), "x", nil); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("create without what is required: %v", err)
	}
}
