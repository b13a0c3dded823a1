package datafs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func repair(t *testing.T, api *API) RepairReport {
	t.Helper()
	return must(api.Repair(t.Context(), nil))(t)
}

// quarantined lists the files that were put aside.
func quarantined(t *testing.T, api *API) []string {
	t.Helper()
	return must(filepath.Glob(filepath.Join(api.Repo(), "quarantine", "*")))(t)
}

// wounded is a repository without a team that is damaged: a tree of two files, of which
// one is b, and an archive beside it.
type wounded struct {
	api   *API
	a, b  string
	other string
	dir   string // of the files
	pack  string // of the tree
}

func newWounded(t *testing.T) *wounded {
	t.Helper()
	opts := testOptions(t.TempDir())
	opts.Now = func() time.Time { return time.Now().Add(time.Hour) } // the stat cache is warm
	p := &wounded{api: openOnly(t, opts)}
	p.a, p.b, p.other = randomText(t, 1, 300_000), randomText(t, 2, 300_000), randomText(t, 3, 100_000)
	p.dir = writeTree(t, map[string]string{"a": p.a, "dir/b": p.b})
	must(newArchive(t, p.api, "tree").Update(t.Context(), p.dir, nil))(t)
	put(t, newArchive(t, p.api, "other"), p.other)
	p.pack = packFiles(t, p.api.Repo())[0]
	noError(t, p.api.Close())
	return p
}

// TestRepairSavesWhatIsGood damages a pack without a copy: of the chunks none is
// lost but that which is damaged, the pack is put aside, and a second run finds
// nothing new.
func TestRepairSavesWhatIsGood(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, p *wounded)
		lost   string // the files that are
		aside  int    // packs
	}{
		{"nothing", func(*testing.T, *wounded) {}, "", 0},
		{"the header", func(t *testing.T, p *wounded) { flipAt(t, p.pack, 0) }, "", 1},
		{"the trailer", func(t *testing.T, p *wounded) { flipAt(t, p.pack, -1) }, "", 1},
		{"the table", func(t *testing.T, p *wounded) { flipAt(t, p.pack, -200) }, "", 1},
		{"the table's end is cut off", func(t *testing.T, p *wounded) {
			noError(t, os.Truncate(p.pack, must(os.Stat(p.pack))(t).Size()-100))
		}, "", 1},
		{"something is behind the end", func(t *testing.T, p *wounded) {
			noError(t, os.WriteFile(p.pack, append(must(os.ReadFile(p.pack))(t), "more"...), 0o600))
		}, "", 1},
		{"a chunk", func(t *testing.T, p *wounded) { flipText(t, p.pack, p.b[100_000:100_050]) }, "tree==0.0.1/dir/b", 1},
		{"a chunk and the table", func(t *testing.T, p *wounded) {
			flipText(t, p.pack, p.b[100_000:100_050])
			flipAt(t, p.pack, -200)
		}, "tree==0.0.1/dir/b", 1},
		{"chunks of both files", func(t *testing.T, p *wounded) {
			flipText(t, p.pack, p.b[100_000:100_050])
			flipText(t, p.pack, p.a[100_000:100_050])
		}, "tree==0.0.1/a tree==0.0.1/dir/b", 1},
		{"the pack is gone", func(t *testing.T, p *wounded) { noError(t, os.Remove(p.pack)) }, "tree==0.0.1", 0},
		{"the pack is garbage", func(t *testing.T, p *wounded) {
			noError(t, os.WriteFile(p.pack, []byte(strings.Repeat("garbage", 1000)), 0o600))
		}, "tree==0.0.1", 1},
		{"the pack is empty", func(t *testing.T, p *wounded) { noError(t, os.Truncate(p.pack, 0)) }, "tree==0.0.1", 1},
	} {
		for _, index := range []string{"with an index", "without an index"} {
			if index == "without an index" && (strings.Contains(c.name, "the table") || strings.HasPrefix(c.name, "something")) {
				continue // then nothing says where all the chunks lie
			}
			t.Run(c.name+" "+index, func(t *testing.T) {
				t.Parallel()
				p := newWounded(t)
				c.damage(t, p)
				bad, _ := os.ReadFile(p.pack)
				if index == "without an index" {
					noError(t, os.Remove(p.api.index.Path()))
				}
				api := reopened(t, p.api, "", false)
				rep := repair(t, api)
				equal(t, "lost", lostNames(rep), c.lost)
				equal(t, "problems", len(rep.Problems) > 0, c.lost != "")
				equal(t, "put aside", len(rep.Quarantined), c.aside)
				aside := quarantined(t, api)
				if len(aside) != c.aside || c.aside == 1 && string(must(os.ReadFile(aside[0]))(t)) != string(bad) {
					t.Errorf("quarantine: %v", aside)
				}
				equal(t, "other", text(t, archive(t, api, "other"), "") == p.other, true)
				files := map[string]string{"a": p.a, "dir/b": p.b}
				for path, want := range files {
					var b strings.Builder
					err := archive(t, api, "tree").Cat(t.Context(), &b, &OpenOptions{Path: path})
					if hurt := strings.Contains(c.lost, path) || c.lost == "tree==0.0.1"; hurt != (err != nil) || !hurt && b.String() != want {
						t.Errorf("%s: %d bytes, %v", path, b.Len(), err)
					}
				}
				for _, api := range []*API{api, reopened(t, api, "", false)} {
					again := repair(t, api)
					equal(t, "put aside by another run", len(again.Quarantined), 0)
					equal(t, "lost", lostNames(again), c.lost)
				}
				// Whoever has the files stores them again.
				must(archive(t, api, "tree").Update(t.Context(), p.dir, nil))(t)
				equal(t, "lost at last", lostNames(repair(t, api)), "")
				checkDeeply(t, api)
			})
		}
	}
}

func lostNames(rep RepairReport) string {
	var names []string
	for _, d := range rep.Damaged {
		names = append(names, d.String())
	}
	return strings.Join(names, " ")
}

// TestRepairFetchesFromTheAuthority what is lost here, and says nothing of it.
func TestRepairFetchesFromTheAuthority(t *testing.T) {
	want := randomText(t, 1, 300_000)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, pack string)
		fetch  bool
	}{
		{"a chunk", func(t *testing.T, pack string) { flipText(t, pack, want[100_000:100_050]) }, true},
		{"the pack", func(t *testing.T, pack string) { noError(t, os.Truncate(pack, 10)) }, true},
		{"the table", func(t *testing.T, pack string) { flipAt(t, pack, -200) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			shared := t.TempDir()
			alice := unchecked(t, shared)
			h := newArchive(t, alice, "x")
			put(t, h, want)
			push(t, alice)
			noError(t, alice.Close())
			c.damage(t, packFiles(t, alice.Repo())[0])

			offline := reopened(t, alice, shared, true)
			rep := repair(t, offline)
			equal(t, "lost", lostNames(rep), "")
			if c.fetch && (rep.Unknown == 0 || len(rep.Unasked) == 0) {
				t.Errorf("offline: %+v", rep)
			}
			online := reopened(t, alice, shared, false)
			rep = repair(t, online)
			if lostNames(rep) != "" || rep.Unknown != 0 || len(rep.Unasked) > 0 || rep.Fetched > 0 != c.fetch {
				t.Errorf("%+v", rep)
			}
			checkDeeply(t, online)
			equal(t, "read", text(t, archive(t, reopened(t, alice, shared, true), "x"), "") == want, true)
		})
	}
}

// TestRepairOfWhatIsDamagedEverywhere names what is lost.
func TestRepairOfWhatIsDamagedEverywhere(t *testing.T) {
	shared := t.TempDir()
	alice := unchecked(t, shared)
	want := randomText(t, 1, 300_000)
	put(t, newArchive(t, alice, "x"), want)
	put(t, newArchive(t, alice, "y"), "good")
	push(t, alice)
	noError(t, alice.Close())
	for _, dir := range []string{shared, alice.Repo()} {
		flipText(t, packFiles(t, dir)[0], want[100_000:100_050])
	}
	api := reopened(t, alice, shared, false)
	for range 2 {
		rep := repair(t, api)
		if lostNames(rep) != "x==0.0.1" && rep.Unknown == 0 {
			t.Errorf("%+v", rep)
		}
	}
	equal(t, "y", text(t, archive(t, api, "y"), ""), "good")
	put(t, archive(t, api, "x"), want) // heals it
	equal(t, "x", text(t, archive(t, api, "x"), "0.0.1") == want, true)
	equal(t, "lost", lostNames(repair(t, api)), "")
}

// TestGCWithAnOlderIndexFindsWhatWasMoved has gc gather packs after the copy of the
// index was made that comes back.
func TestGCWithAnOlderIndexFindsWhatWasMoved(t *testing.T) {
	for _, how := range []string{"gc", "repair"} {
		api := openOnly(t, testOptions(t.TempDir()))
		for _, name := range []string{"a", "b"} {
			put(t, newArchive(t, api, name), name)
		}
		older := must(os.ReadFile(api.index.Path()))(t)
		must(api.GC(t.Context(), noGrace(false)))(t)
		put(t, archive(t, api, "a"), "later")
		noError(t, api.Close())
		noError(t, os.WriteFile(api.index.Path(), older, 0o600))
		api = reopened(t, api, "", false)
		if how == "gc" {
			must(api.GC(t.Context(), noGrace(false)))(t)
		} else {
			equal(t, "lost", lostNames(repair(t, api)), "")
		}
		readAll(t, api)
		checkDeeply(t, api)
	}
}

func TestRepairOfIndexAndJournal(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, api *API)
		fails  bool
	}{
		{"an index of garbage", func(t *testing.T, api *API) { noError(t, os.WriteFile(api.index.Path(), []byte("garbage"), 0o600)) }, false},
		{"an index that is cut short", func(t *testing.T, api *API) { noError(t, os.Truncate(api.index.Path(), 5000)) }, false},
		{"an index with a flipped byte", func(t *testing.T, api *API) { flipAt(t, api.index.Path(), 5000) }, false},
		{"no index", func(t *testing.T, api *API) { noError(t, os.Remove(api.index.Path())) }, false},
		{"a journal with a flipped byte", spoilJournal, false},
		{"no journal", func(t *testing.T, api *API) { noError(t, os.RemoveAll(filepath.Join(api.Repo(), "journal"))) }, false},
		{"neither", func(t *testing.T, api *API) {
			noError(t, os.WriteFile(api.index.Path(), []byte("garbage"), 0o600))
			spoilJournal(t, api)
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := openOnly(t, testOptions(t.TempDir()))
			furnish(t, api)
			want := picture(t, api)
			noError(t, api.Close())
			c.damage(t, api)
			packs := len(packFiles(t, api.Repo()))
			api = reopened(t, api, "", false)
			_, err := api.Repair(t.Context(), nil)
			if c.fails {
				if !errors.Is(err, ErrCorrupt) {
					t.Errorf("got %v", err)
				}
				equal(t, "packs", len(packFiles(t, api.Repo())), packs)
				return
			}
			noError(t, err)
			equal(t, "picture", picture(t, api), want)
			equal(t, "picture for another process", picture(t, reopened(t, api, "", false)), want)
			checkDeeply(t, api)
		})
	}
}

// TestAPartOfThePacksIsVerified has ten packs of a size: those come first that were not
// read for the longest time.
func TestAPartOfThePacksIsVerified(t *testing.T) {
	opts := testOptions(t.TempDir())
	now := someTime
	opts.Now = func() time.Time { return now }
	api := openOnly(t, opts)
	for i := range 10 {
		put(t, newArchive(t, api, fmt.Sprint("a", i)), randomText(t, uint64(i), 50_000))
	}
	verified := func(o CheckOptions) int64 {
		t.Helper()
		now = now.Add(24 * time.Hour)
		return must(api.Check(t.Context(), &o))(t).Verified
	}
	equal(t, "without being asked", verified(CheckOptions{}), 0)
	equal(t, "a little is one", verified(CheckOptions{Subset: 0.001}), 1)
	since := now.Add(time.Hour)
	equal(t, "a third", verified(CheckOptions{Subset: 0.3}), 3)
	for _, name := range packFiles(t, api.Repo()) {
		flipAt(t, name, 1000)
	}
	rep := must(api.Check(t.Context(), &CheckOptions{Subset: 0.6}))(t)
	equal(t, "damaged of those that were not read", len(rep.Damaged), 6)
	rep = must(api.Check(t.Context(), &CheckOptions{Since: since}))(t)
	equal(t, "damaged by all that were not read since", len(rep.Damaged), 7)
	equal(t, "verified", rep.Verified, 0)
	rep = must(api.Check(t.Context(), &CheckOptions{Full: true}))(t)
	equal(t, "damaged", len(rep.Damaged), 10)
	lost := repair(t, api)
	equal(t, "lost", len(lost.Damaged), 10)
}

// TestEverySingleFlippedByteIsMadeGood damages packs and index of a small repository
// whose authority is whole, at some bytes, or with large figures at many; one read, or one repair, makes it good.
func TestEverySingleFlippedByteIsMadeGood(t *testing.T) {
	step := int64(4999)
	if largeFigures {
		step = 97
	}
	shared := t.TempDir()
	alice := unchecked(t, shared)
	want := map[string]string{"x": randomText(t, 1, 20_000), "y": strings.Repeat("compressible ", 3000), "z": "small"}
	for name, c := range want {
		put(t, newArchive(t, alice, name), c)
	}
	push(t, alice)
	noError(t, alice.Close())
	good := t.TempDir()
	noError(t, os.CopyFS(filepath.Join(good, "repo"), os.DirFS(alice.Repo())))
	files := append(packFiles(t, alice.Repo()), alice.index.Path())
	n := 0
	for _, name := range files {
		size := must(os.Stat(name))(t).Size()
		for at := int64(0); at < size; at += 1 + (step+at)%step {
			n++
			noError(t, os.RemoveAll(alice.Repo()))
			noError(t, os.CopyFS(alice.Repo(), os.DirFS(filepath.Join(good, "repo"))))
			flipAt(t, name, at)
			healFlip(t, fmt.Sprintf("%s at %d of %d", filepath.Base(name), at, size), alice, shared, n%2 == 0, want)
		}
	}
	if n < 10 {
		t.Errorf("only %d flips", n)
	}
	t.Log(n, "flips")
}

func healFlip(t *testing.T, what string, api *API, shared string, repair bool, want map[string]string) {
	t.Helper()
	open := func(offline bool) *API {
		opts := api.opts
		opts.Repo, opts.Offline = api.Repo(), offline
		opts.Config = strings.NewReader("authorities: {team: {service: OSFS, args: [" + shared + "]}}\n")
		return must(Open(t.Context(), &opts))(t)
	}
	online := open(false)
	readable := true
	for name, c := range want {
		var b strings.Builder
		h, err := online.Archive(t.Context(), name, nil)
		if err == nil {
			err = h.Cat(t.Context(), &b, nil)
		}
		if readable = readable && err == nil; err == nil && b.String() != c {
			t.Fatalf("%s: wrong bytes of %s", what, name)
		}
	}
	if repair || !readable {
		rep, err := online.Repair(t.Context(), nil)
		if err != nil || len(rep.Damaged) > 0 || rep.Unknown > 0 || len(rep.Problems) > 0 {
			t.Fatalf("%s: repair: %+v, %v", what, rep, err)
		}
	}
	noError(t, online.Close())
	offline := open(true)
	defer offline.Close()
	for name, c := range want {
		if text(t, archive(t, offline, name), "") != c {
			t.Fatalf("%s: %s is wrong", what, name)
		}
	}
	if repair {
		checkDeeply(t, offline)
	}
}
