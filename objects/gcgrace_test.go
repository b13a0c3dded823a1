package objects

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/datafs/datafs/fixtures/samples"
	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// grace is that of the collections below.
const grace = 24 * time.Hour

// age gives a pack a time of writing in the past.
func age(t *testing.T, s *Store, id ID, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	if err := os.Chtimes(s.packs.Path(id), at, at); err != nil {
		t.Fatal(err)
	}
}

// packOf returns the pack that a tree's root lies in.
func packOf(t *testing.T, s *Store, tree ID) ID {
	t.Helper()
	locs, err := s.index.Locate(t.Context(), localSpace, []ID{tree})
	if err != nil || !locs[0].Found {
		t.Fatalf("tree %s: found %v, %v", tree, locs[0].Found, err)
	}
	return locs[0].Pack
}

// settled is takeBytes for a version that was registered: its pack is not taken for
// what an interrupted writer left.
func settled(t *testing.T, s *Store, b []byte) ID {
	t.Helper()
	tree := takeBytes(t, s, b).Tree
	if err := s.index.ClearPending(t.Context(), localSpace, []ID{packOf(t, s, tree)}); err != nil {
		t.Fatal(err)
	}
	return tree
}

// gcAged is a collection with a grace period.
func gcAged(t *testing.T, s *Store, opts GCOptions) GCReport {
	t.Helper()
	opts.Grace, opts.Now = grace, time.Now()
	if opts.Live == nil {
		opts.Live = marks(s)
	}
	rep, err := s.GC(t.Context(), &opts)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// wantThere compares which trees the index still finds.
func wantThere(t *testing.T, s *Store, what string, want bool, trees ...ID) {
	t.Helper()
	for i, id := range trees {
		if got := isThere(t, s, id); got != want {
			t.Errorf("%s: tree %d is there: %v, want %v", what, i, got, want)
		}
	}
}

func TestGCKeepsYoungPacksOfWhichNothingIsKnown(t *testing.T) {
	s := newStore(t)
	live, young, old := settled(t, s, samples.Random(1, 90_000)), settled(t, s, samples.Random(2, 80_000)), settled(t, s, samples.Random(3, 70_000))
	age(t, s, packOf(t, s, old), grace+time.Hour)
	age(t, s, packOf(t, s, live), 100*grace)
	kept, writ := packOf(t, s, young), time.Now()
	for _, dry := range []bool{true, false} {
		rep := gcAged(t, s, GCOptions{Dry: dry, Live: marks(s, live)})
		if rep.Removed != 1 || rep.Freed < 70_000 || rep.Waiting < 80_000 || rep.Waiting > 90_000 {
			t.Errorf("dry %v: %+v", dry, rep)
		}
		if left := rep.Until.Sub(writ); left < grace-time.Minute || left > grace+time.Minute {
			t.Errorf("dry %v: until %v from now", dry, left)
		}
	}
	wantThere(t, s, "live and young", true, live, young)
	wantThere(t, s, "old", false, old)
	if packOf(t, s, young) != kept {
		t.Error("the young pack was written anew, which makes it young again")
	}
	checkFile(t, s, young, samples.Random(2, 80_000))
	age(t, s, kept, grace+time.Second)
	gcAged(t, s, GCOptions{Live: marks(s, live)})
	wantThere(t, s, "old by now", false, young)
	checkFile(t, s, live, samples.Random(1, 90_000))
}

func TestGCWithoutGraceTakesYoungPacks(t *testing.T) {
	s := newStore(t)
	tree := settled(t, s, samples.Random(2, 80_000))
	if rep := collect(t, s); rep.Removed != 1 || rep.Waiting != 0 {
		t.Errorf("%+v", rep)
	}
	wantThere(t, s, "garbage", false, tree)
}

// TestGCTakesWhatIsKnownToBeGarbage at once, however young its pack: what only dead
// trees reach. What waits stays, however old.
func TestGCTakesWhatIsKnownToBeGarbage(t *testing.T) {
	s := newStore(t)
	dead, waiting, both := settled(t, s, samples.Random(1, 90_000)), settled(t, s, samples.Random(2, 80_000)), settled(t, s, samples.Random(3, 70_000))
	age(t, s, packOf(t, s, waiting), 100*grace)
	age(t, s, packOf(t, s, both), 100*grace)
	opts := GCOptions{Waiting: marks(s, waiting, both), Dead: marks(s, dead, both)}
	if rep := gcAged(t, s, opts); rep.Removed != 1 || rep.Waiting < 150_000 || !rep.Until.IsZero() {
		t.Errorf("%+v", rep)
	}
	wantThere(t, s, "dead", false, dead)
	wantThere(t, s, "waiting", true, waiting, both)
	checkFile(t, s, waiting, samples.Random(2, 80_000))
	checkFile(t, s, both, samples.Random(3, 70_000))
}

// TestTreesThatAreGoneDoNotStopGC are of deleted versions whose content is not here.
func TestTreesThatAreGoneDoNotStopGC(t *testing.T) {
	s := newStore(t)
	young := settled(t, s, samples.Random(2, 80_000))
	left := func(m *Marks) error { return m.MarkLeft(t.Context(), s, ID{1}) }
	rep := gcAged(t, s, GCOptions{Waiting: left, Dead: left})
	if rep.Removed != 0 {
		t.Errorf("%+v", rep)
	}
	wantThere(t, s, "young", true, young)
}

func TestAnInterruptedWritersPackGoesAtOnce(t *testing.T) {
	s := newStore(t)
	live := settled(t, s, samples.Random(1, 90_000))
	left := takeBytes(t, s, samples.Random(2, 80_000)).Tree // no version was made of it
	rep := gcAged(t, s, GCOptions{Live: marks(s, live)})
	if rep.Removed != 1 || rep.Waiting != 0 {
		t.Errorf("%+v", rep)
	}
	wantThere(t, s, "left", false, left)

	// Once a version needed some of a pack, the rest of it is only unknown.
	part := takeBytes(t, s, samples.Random(3, 70_000)).Tree
	gcAged(t, s, GCOptions{Live: marks(s, live, part)})
	if pending, err := s.index.Pending(t.Context(), localSpace); err != nil || len(pending) > 0 {
		t.Errorf("pending: %v, %v", pending, err)
	}
	rep = gcAged(t, s, GCOptions{Live: marks(s, live)})
	if rep.Removed != 0 || rep.Waiting < 70_000 {
		t.Errorf("%+v", rep)
	}
	wantThere(t, s, "needed once", true, part)
}

// TestAPackThatAKilledWriterDidNotRegister is taken in, and goes at once, if it has
// its temporary name still, and unless the index itself may be what is incomplete.
func TestAPackThatAKilledWriterDidNotRegister(t *testing.T) {
	s := newStore(t)
	pack := putPack(t, s, wholeItem(samples.Random(1, 50_000)))
	if rep := gcAged(t, s, GCOptions{}); rep.Removed != 0 || rep.Waiting < 50_000 {
		t.Errorf("a pack of which nothing is known: %+v", rep)
	}
	for _, behind := range []bool{false, true} {
		s := newStore(t)
		pack = putPack(t, s, wholeItem(samples.Random(1, 50_000)))
		if err := os.Link(s.packs.Path(pack.ID), filepath.Join(s.dir, "tmp", "pack-killed")); err != nil {
			t.Fatal(err)
		}
		if behind {
			if err := s.index.Update(t.Context(), (*index.Tx).NoteBehind); err != nil {
				t.Fatal(err)
			}
		}
		rep := gcAged(t, s, GCOptions{})
		_, err := os.Stat(s.packs.Path(pack.ID))
		if gone := errors.Is(err, fs.ErrNotExist); gone == behind || (rep.Removed == 1) == behind {
			t.Errorf("behind %v: gone %v, %+v", behind, gone, rep)
		}
		if is, err := s.index.Behind(t.Context()); is || err != nil {
			t.Errorf("still behind: %v, %v", is, err)
		}
	}
}

// lostIndex opens the store with an index that knows nothing, as a backup of the
// packs alone does.
func lostIndex(t *testing.T, s *Store) *Store {
	t.Helper()
	if err := os.Remove(s.index.Path()); err != nil {
		t.Fatal(err)
	}
	again := reopen(t, s.dir)
	if err := again.index.Update(t.Context(), (*index.Tx).NoteBehind); err != nil { // as the journal's owner does
		t.Fatal(err)
	}
	return again
}

func TestGCAfterTheIndexWasLostTakesPacksInFirst(t *testing.T) {
	s := newStore(t)
	live, garbage := settled(t, s, samples.Random(1, 90_000)), settled(t, s, samples.Random(2, 80_000))
	s = lostIndex(t, s)
	rep := gcAged(t, s, GCOptions{Live: marks(s, live)})
	if rep.Removed != 0 || rep.Waiting < 80_000 {
		t.Errorf("%+v", rep)
	}
	wantThere(t, s, "all", true, live, garbage)
	// A tree that is at an authority is not marked in vain, either.
	s = lostIndex(t, s)
	gcAged(t, s, GCOptions{Live: func(m *Marks) error { return m.MarkPart(t.Context(), s, live) }})
	checkFile(t, s, live, samples.Random(1, 90_000))
}

// TestPartsThatAreNotHereKeepWhatTheyMayNeed has a directory of which a node is
// missing here: what it names cannot be told from garbage.
func TestPartsThatAreNotHereKeepWhatTheyMayNeed(t *testing.T) {
	s := openStore(t, t.TempDir(), smallChunks)
	whole := settled(t, s, samples.Random(1, 90_000))
	unknown := settled(t, s, samples.Random(2, 80_000))
	partial := settled(t, s, samples.Random(3, 70_000))
	for _, id := range []ID{packOf(t, s, unknown), packOf(t, s, whole)} {
		age(t, s, id, 100*grace)
	}
	e, _ := openTree(t, s, partial).Single()
	if e.level == 0 {
		t.Fatal("the file has no nodes")
	}
	dropChunk(t, s, e.root)
	live := func(m *Marks) error {
		return errors.Join(m.Mark(t.Context(), s, whole), m.MarkPart(t.Context(), s, partial))
	}
	for _, dry := range []bool{true, false} {
		rep := gcAged(t, s, GCOptions{Dry: dry, Live: live})
		if rep.Removed != 0 || rep.Unsure < 150_000 || rep.Freed != 0 {
			t.Errorf("dry %v: %+v", dry, rep)
		}
	}
	wantThere(t, s, "unknown", true, unknown)
	// What is known to be garbage goes all the same.
	rep := gcAged(t, s, GCOptions{Live: live, Dead: marks(s, unknown)})
	if rep.Freed < 80_000 || rep.Unsure < 70_000 {
		t.Errorf("%+v", rep)
	}
	wantThere(t, s, "dead", false, unknown)
	// And without grace?
	rep, err := s.GC(t.Context(), &GCOptions{Now: time.Now(), Live: live})
	if err != nil || rep.Unsure < 70_000 {
		t.Errorf("without grace: %+v, %v", rep, err)
	}
}

// dropChunk writes the pack of a chunk anew without it.
func dropChunk(t *testing.T, s *Store, id ID) {
	t.Helper()
	old := packOf(t, s, id)
	_, entries, err := s.packs.Table(old)
	if err != nil {
		t.Fatal(err)
	}
	var items []item
	for _, e := range entries {
		if e.ID == id {
			continue
		}
		items = append(items, wholeItem(loaded(t, s, e.ID)))
	}
	pack := putPack(t, s, items...)
	if err := s.index.ReplacePacks(t.Context(), localSpace, []index.Pack{{ID: old, Entries: entries}}, pack); err != nil {
		t.Fatal(err)
	}
	s.packs.Forget(old)
	if err := os.Remove(s.packs.Path(old)); err != nil {
		t.Fatal(err)
	}
	s.nodes = newNodeCache()
}

func loaded(t *testing.T, s *Store, id ID) []byte {
	t.Helper()
	raw, err := s.load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestGCRefusesWherePacksCannotBeRead has one that the index knows, and one that it
// does not: neither is garbage.
func TestGCRefusesWherePacksCannotBeRead(t *testing.T) {
	for _, known := range []bool{true, false} {
		s := openStore(t, t.TempDir(), codec.Params{})
		live, other := settled(t, s, samples.Random(1, 90_000)), settled(t, s, samples.Random(2, 80_000))
		name := s.packs.Path(packOf(t, s, other))
		good, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		overwrite(t, name, good[:len(good)-1])
		if !known {
			s = lostIndex(t, s)
		}
		for _, dry := range []bool{true, false} {
			_, err = s.GC(t.Context(), &GCOptions{Dry: dry, Now: time.Now(), Live: marks(s, live)})
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), filepath.Base(name)) {
				t.Errorf("known %v: %v", known, err)
			}
		}
		overwrite(t, name, good)
		if n := len(packPaths(t, s)); n != 2 {
			t.Errorf("known %v: %d packs are left", known, n)
		}
		checkFile(t, s, live, samples.Random(1, 90_000))
		collect(t, s, live, other) // and when it is back, all is as it was
		checkFile(t, s, other, samples.Random(2, 80_000))
		checkStore(t, s)
	}
}

func TestGCForgetsPacksThatAreNotThere(t *testing.T) {
	s := newStore(t)
	live, away := settled(t, s, samples.Random(1, 90_000)), settled(t, s, samples.Random(2, 80_000))
	id := packOf(t, s, away)
	aside := filepath.Join(t.TempDir(), "aside")
	s.packs.Forget(id)
	if err := os.Rename(s.packs.Path(id), aside); err != nil {
		t.Fatal(err)
	}
	gcAged(t, s, GCOptions{Live: marks(s, live)})
	wantThere(t, s, "away", false, away)
	if is, err := s.index.Behind(t.Context()); !is || err != nil {
		t.Errorf("behind: %v, %v", is, err)
	}
	if err := os.Rename(aside, s.packs.Path(id)); err != nil {
		t.Fatal(err)
	}
	checkFile(t, reopen(t, s.dir), away, samples.Random(2, 80_000)) // found again without a rebuild
	gcAged(t, s, GCOptions{Live: marks(s, live)})
	wantThere(t, s, "back", true, away)
}

// TestGCKeepsAPackThatWasAwayForAWhile, of which nothing is known but that a version
// at an authority may need it: the node that names its chunks is still away.
func TestGCKeepsAPackThatWasAwayForAWhile(t *testing.T) {
	s := openStore(t, t.TempDir(), smallChunks)
	tree := settled(t, s, samples.Random(3, 70_000))
	e, _ := openTree(t, s, tree).Single()
	root := loaded(t, s, e.root)
	dropChunk(t, s, e.root)
	register(t, s, putPack(t, s, wholeItem(root)))
	checkFile(t, s, tree, samples.Random(3, 70_000))
	live := func(m *Marks) error { return m.MarkPart(t.Context(), s, tree) }
	packs, aside := packPaths(t, s), t.TempDir()
	move := func(back bool, paths ...string) {
		for _, p := range paths {
			s.packs.Forget(mustID(t, filepath.Base(p)))
			from, to := p, filepath.Join(aside, filepath.Base(p))
			if back {
				from, to = to, from
			}
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	chunks, node := s.packs.Path(packOf(t, s, tree)), s.packs.Path(packOf(t, s, e.root))
	move(false, packs...)
	gcAged(t, s, GCOptions{Live: live})
	for range 2 {
		if _, err := readFile(t.Context(), reopen(t, s.dir), tree); !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v", err)
		}
	}
	move(true, chunks)
	age(t, s, mustID(t, filepath.Base(chunks)), 100*grace)
	s.nodes = newNodeCache()
	gcAged(t, s, GCOptions{Live: live})
	move(true, node)
	checkFile(t, s, tree, samples.Random(3, 70_000))
	checkStore(t, s)
}

func TestStrayFilesBetweenPacksAreNamedAndLeftAlone(t *testing.T) {
	s := newStore(t)
	tree := settled(t, s, samples.Random(1, 90_000))
	id := packOf(t, s, tree).String()
	in := func(name string) string { return filepath.Join("packs", id[:2], name) }
	want := []string{
		filepath.Join("packs", ".DS_Store"), filepath.Join("packs", "@eaDir"), filepath.Join("packs", "zz"), filepath.Join("packs", "00f"),
		in("Thumbs.db"), in(".nfs0001"), in(strings.ToUpper(id)), in(id + ".part"), in("00" + id[2:]), in("ff" + id[2:]),
	}
	for _, name := range want {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte("stray"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	dir := "00" + strings.Repeat("1", 62)
	mkdir(t, s.dir, filepath.Join("packs", "00", dir))
	want = append(want, filepath.Join("packs", "00", dir))
	var got []string
	_, _, err := s.CheckPacks(t.Context(), &CheckOptions{Full: true, Found: func(p Problem) { t.Error(p.What) }, Stray: func(name string) { got = append(got, name) }})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	collect(t, s, tree)
	for _, name := range want {
		if _, err := os.Lstat(filepath.Join(s.dir, name)); err != nil {
			t.Error(err)
		}
	}
	if err := rebuild(t, s, func(p Problem) { t.Error(p.What) }); err != nil {
		t.Fatal(err)
	}
	checkFile(t, s, tree, samples.Random(1, 90_000))
}

// TestABrokenOffGCIsHarmless ends it before each pack in turn.
func TestABrokenOffGCIsHarmless(t *testing.T) {
	broken := errors.New("broken off")
	for n := 1; ; n++ {
		s := openStore(t, t.TempDir(), codec.Params{})
		live, garbage := settled(t, s, samples.Random(1, 90_000)), settled(t, s, samples.Random(2, 80_000))
		settled(t, s, append(samples.Random(3, 60_000), samples.Random(2, 80_000)...))
		at, err := 0, error(nil)
		func() {
			defer func() {
				if r := recover(); r != nil && r != broken {
					panic(r)
				}
			}()
			lock, e := s.lock(t.Context(), true)
			if e != nil {
				t.Fatal(e)
			}
			defer lock.Unlock()
			c := &collector{s: s, opts: &GCOptions{Now: time.Now(), Live: marks(s, live)}, rep: &GCReport{}, buf: bufio.NewWriterSize(nil, 1<<16), aging: map[ID]bool{}, step: func() {
				if at++; at == n {
					panic(broken)
				}
			}}
			if err = c.mark(t.Context()); err == nil {
				err = c.run(t.Context())
			}
		}()
		if err != nil {
			t.Fatal(err)
		}
		if err := s.CleanTemp(); err != nil {
			t.Fatal(err)
		}
		s = reopen(t, s.dir)
		checkStore(t, s)
		checkFile(t, s, live, samples.Random(1, 90_000))
		collect(t, s, live)
		checkFile(t, s, live, samples.Random(1, 90_000))
		wantThere(t, s, "garbage", false, garbage)
		if at < n {
			if n < 4 {
				t.Errorf("only %d steps", n-1)
			}
			return
		}
	}
}

// TestAFullDiskIsNoErrorOfGC has no room for anything: whole packs go, what would
// have to be written anew stays.
func TestAFullDiskIsNoErrorOfGC(t *testing.T) {
	s := newStore(t)
	live := settled(t, s, samples.Random(1, 90_000))
	c := &collector{s: s, rep: &GCReport{}}
	if err := c.full(&os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}); err != nil || !c.rep.NoRoom {
		t.Errorf("%v, %+v", err, c.rep)
	}
	if err := c.full(ErrCorrupt); err != ErrCorrupt {
		t.Errorf("got %v", err)
	}
	if rep := collect(t, s, live); rep.NoRoom {
		t.Errorf("%+v", rep)
	}
}
