package datafs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/remote/config"
)

// TestGCAfterTheIndexWasLost leaves everything that versions need, pushed or not: the
// index knows nothing, little, or only half of it.
func TestGCAfterTheIndexWasLost(t *testing.T) {
	one, two := randomText(t, 1, 200_000), randomText(t, 2, 200_000)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, path, older string)
	}{
		{"it was deleted", func(t *testing.T, path, _ string) { noError(t, os.Remove(path)) }},
		{"an older copy came back", func(t *testing.T, path, older string) { noError(t, os.Rename(older, path)) }},
		{"a rebuild was killed", func(t *testing.T, path, _ string) {
			noError(t, os.Remove(path))
			db := must(index.Open(path+".rebuilt", nil))(t)
			noError(t, db.Update(t.Context(), func(tx *index.Tx) error { return tx.Put("b", "k", nil) }))
			noError(t, db.Close())
			noError(t, os.WriteFile(path+".rebuilt.new", []byte("half"), 0o600))
		}},
	} {
		for _, grace := range []*time.Duration{nil, new(time.Duration)} {
			t.Run(fmt.Sprint(c.name, " without grace ", grace != nil), func(t *testing.T) {
				shared := t.TempDir()
				alice := unchecked(t, shared)
				h := newArchive(t, alice, "pushed")
				put(t, h, one)
				push(t, alice)
				older := filepath.Join(t.TempDir(), "older.db")
				noError(t, os.WriteFile(older, must(os.ReadFile(alice.index.Path()))(t), 0o600))
				put(t, newArchive(t, alice, "own"), two)
				put(t, h, one+"more")
				push(t, alice)
				put(t, h, two+"unpushed")
				noError(t, alice.Close())
				c.damage(t, alice.index.Path(), older)
				api := reopened(t, alice, shared, true)
				rep := must(api.GC(t.Context(), &GCOptions{Grace: grace}))(t)
				if rep.Removed > 0 || rep.Freed > 100_000 {
					t.Errorf("%+v", rep)
				}
				offline := reopened(t, alice, shared, true)
				readAll(t, offline)
				checkDeeply(t, offline)
				must(offline.RebuildIndex(t.Context()))(t)
				readAll(t, offline)
			})
		}
	}
}

// TestGCKeepsWhatWasDeletedForAWhile counts from the delete, not from the pack.
func TestGCKeepsWhatWasDeletedForAWhile(t *testing.T) {
	opts := testOptions(t.TempDir())
	start := time.Now()
	now := start
	opts.Now = func() time.Time { return now }
	opts.Config = nil
	api := openOnly(t, opts)
	put(t, newArchive(t, api, "x"), randomText(t, 1, 200_000))
	put(t, newArchive(t, api, "y"), "kept")
	for _, p := range packFiles(t, api.Repo()) { // they are years old
		noError(t, os.Chtimes(p, someTime, someTime))
	}
	noError(t, api.Delete(t.Context(), "x"))
	deleted := now
	for _, c := range []struct {
		after time.Duration
		gone  bool
	}{{time.Hour, false}, {config.DefaultGrace - time.Minute, false}, {config.DefaultGrace + time.Minute, true}} {
		now = deleted.Add(c.after)
		dry := must(api.GC(t.Context(), &GCOptions{Dry: true}))(t)
		rep := must(api.GC(t.Context(), nil))(t)
		equal(t, "gone", len(rep.Gone) == 1, c.gone)
		equal(t, "freed", rep.Freed > 190_000, c.gone)
		equal(t, "foretold", fmt.Sprint(dry.Gone, dry.Left), fmt.Sprint(rep.Gone, rep.Left))
		if c.gone {
			equal(t, "size", rep.Gone[0].Size, int64(200_000))
			continue
		}
		if len(rep.Left) != 1 || rep.Waiting < 190_000 || !rep.Left[0].Until.Equal(rep.Left[0].Deleted.Add(config.DefaultGrace)) {
			t.Errorf("after %v: %+v", c.after, rep)
		}
		undelete(t, api, "x")
		readAll(t, api)
		noError(t, api.Delete(t.Context(), "x"))
		deleted = now
	}
	if _, err := api.Undelete(t.Context(), "x", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("undelete at last: %v", err)
	}
	checkDeeply(t, api)
}

func TestTheProfileSaysHowLong(t *testing.T) {
	for config, want := range map[string]time.Duration{
		"": config.DefaultGrace, "gc: {grace: 3d}\n": 3 * 24 * time.Hour, "gc: {grace: 12h}\n": 12 * time.Hour, "gc: {grace: 0}\n": 0,
	} {
		equal(t, config, openOnly(t, configured(t.TempDir(), config)).Grace(), want)
	}
	for _, config := range []string{"gc: {grace: soon}\n", "gc: {grace: -1d}\n", "gc: 3\n", "gc: {grase: 3d}\n"} {
		if api, err := Open(t.Context(), configured(t.TempDir(), config)); err == nil {
			t.Errorf("%q: no error; %v", config, api.Grace())
			noError(t, api.Close())
		}
	}
}

func TestReplacedContentsStayForAWhile(t *testing.T) {
	opts := testOptions(t.TempDir())
	now := time.Now()
	opts.Now = func() time.Time { return now }
	api := openOnly(t, opts)
	h := newUnversioned(t, api, "x")
	put(t, h, randomText(t, 1, 200_000))
	now = now.Add(24 * time.Hour)
	put(t, h, randomText(t, 2, 200_000))
	now = now.Add(config.DefaultGrace - time.Hour)
	rep := must(api.GC(t.Context(), nil))(t)
	if rep.Freed > 10_000 || rep.Waiting < 190_000 || len(rep.Left) != 1 {
		t.Errorf("%+v", rep)
	}
	now = now.Add(2 * time.Hour)
	if rep = must(api.GC(t.Context(), nil))(t); rep.Freed < 190_000 || len(rep.Gone) != 1 {
		t.Errorf("%+v", rep)
	}
	equal(t, "contents", text(t, h, "") == randomText(t, 2, 200_000), true)
	checkDeeply(t, api)
}

// TestAKilledUpdateIsGarbageAtOnce leaves a pack that no version came to need.
func TestAKilledUpdateIsGarbageAtOnce(t *testing.T) {
	api := newAPI(t)
	put(t, newArchive(t, api, "x"), "kept")
	h := archive(t, api, "x")
	w := must(api.writer(t.Context(), "x"))(t)
	must(w.Path(writeTree(t, map[string]string{"a": randomText(t, 1, 100_000)}), nil))(t)
	noError(t, w.Finish())
	noError(t, w.Close()) // without a version
	equal(t, "left over", must(api.Check(t.Context(), nil))(t).Leftover, int64(1))
	rep := must(api.GC(t.Context(), nil))(t)
	if rep.Removed != 1 || rep.Waiting != 0 {
		t.Errorf("%+v", rep)
	}
	equal(t, "x", text(t, h, ""), "kept")
}

// TestGCRefusesADamagedPack that a version may need, and names it.
func TestGCRefusesADamagedPack(t *testing.T) {
	p := newWounded(t)
	flipAt(t, p.pack, -200)
	for _, lost := range []bool{false, true} {
		if lost {
			noError(t, os.Remove(p.api.index.Path()))
		}
		api := reopened(t, p.api, "", false)
		for _, dry := range []bool{true, false} {
			if _, err := api.GC(t.Context(), noGrace(dry)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("got %v", err)
			}
		}
		equal(t, "packs", len(packFiles(t, api.Repo())), 2)
	}
}

// TestGCWithoutTheJournalIsRefused: every pack would look like garbage.
func TestGCWithoutTheJournalIsRefused(t *testing.T) {
	api := openOnly(t, testOptions(t.TempDir()))
	put(t, newArchive(t, api, "x"), "text")
	noError(t, api.Close())
	noError(t, os.RemoveAll(filepath.Join(api.Repo(), "journal")))
	noError(t, os.Remove(api.index.Path()))
	api = reopened(t, api, "", false)
	if _, err := api.GC(t.Context(), noGrace(false)); !errors.Is(err, ErrCorrupt) {
		t.Errorf("got %v", err)
	}
	equal(t, "packs", len(packFiles(t, api.Repo())), 1)
}
