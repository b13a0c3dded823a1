package datafs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// packFiles lists the packs of a repository or an authority, the largest first.
func packFiles(t *testing.T, dir string) []string {
	t.Helper()
	list := must(filepath.Glob(filepath.Join(dir, "packs", "*", "*")))(t)
	for i := range list {
		for j := range i {
			if must(os.Stat(list[i]))(t).Size() > must(os.Stat(list[j]))(t).Size() {
				list[i], list[j] = list[j], list[i]
			}
		}
	}
	return list
}

// flipAt changes a byte of a file in place; a negative offset counts from the end.
func flipAt(t *testing.T, name string, at int64) {
	t.Helper()
	f := must(os.OpenFile(name, os.O_RDWR, 0))(t)
	defer f.Close()
	if at < 0 {
		at += must(f.Stat())(t).Size()
	}
	b := make([]byte, 1)
	must(f.ReadAt(b, at))(t)
	b[0] ^= 0x55
	must(f.WriteAt(b, at))(t)
}

// flipText changes a byte of a text that is stored as it is.
func flipText(t *testing.T, name, text string) {
	t.Helper()
	at := bytes.Index(must(os.ReadFile(name))(t), []byte(text))
	if at < 0 {
		t.Fatalf("%.20q is not in %s", text, name)
	}
	flipAt(t, name, int64(at))
}

// unchecked is a member whose repository is damaged later.
func unchecked(t *testing.T, shared string) *API {
	t.Helper()
	opts := configured(t.TempDir(), "authorities: {team: {service: OSFS, args: ["+shared+"]}}\n")
	opts.Now = clock(someTime)
	return openOnly(t, opts)
}

// reopened opens a repository, of a member of a team where shared is not empty, as
// another process does: without caches.
func reopened(t *testing.T, api *API, shared string, offline bool) *API {
	t.Helper()
	opts := api.opts
	opts.Repo, opts.Offline, opts.Config = api.Repo(), offline, nil
	if shared != "" {
		opts.Config = strings.NewReader("authorities: {team: {service: OSFS, args: [" + shared + "]}}\n")
	}
	return openOnly(t, &opts)
}

// TestAReadHealsFromTheAuthority damages what is here in each way; one read makes it
// good, so that it can be read offline.
func TestAReadHealsFromTheAuthority(t *testing.T) {
	want := randomText(t, 1, 600_000)
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, pack string)
	}{
		{"a chunk", func(t *testing.T, pack string) { flipText(t, pack, want[300_000:300_050]) }},
		{"a chunk of the beginning", func(t *testing.T, pack string) { flipAt(t, pack, 20) }},
		{"the tree", func(t *testing.T, pack string) {
			size := must(os.Stat(pack))(t).Size()
			at := int64(len(want)) + (size-int64(len(want)))/4 // behind the chunks, before the table
			flipAt(t, pack, at)
		}},
		{"all chunks", func(t *testing.T, pack string) {
			data := must(os.ReadFile(pack))(t)
			for i := 10; i < len(want); i++ {
				data[i] ^= 0xff
			}
			noError(t, os.WriteFile(pack, data, 0o600))
		}},
		{"a pack that is cut short", func(t *testing.T, pack string) { noError(t, os.Truncate(pack, 300_000)) }},
		{"a pack that is empty", func(t *testing.T, pack string) { noError(t, os.Truncate(pack, 0)) }},
		{"a pack that is missing", func(t *testing.T, pack string) { noError(t, os.Remove(pack)) }},
		{"all packs", func(t *testing.T, pack string) { noError(t, os.RemoveAll(filepath.Dir(filepath.Dir(pack)))) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			shared := t.TempDir()
			alice := unchecked(t, shared)
			put(t, newArchive(t, alice, "x"), want)
			push(t, alice)
			noError(t, alice.Close())
			if must(os.Stat(packFiles(t, alice.Repo())[0]))(t).Size() < int64(len(want)) {
				t.Fatal("it was compressed: this tests nothing")
			}
			c.damage(t, packFiles(t, alice.Repo())[0])
			again := reopened(t, alice, shared, false)
			equal(t, "read", text(t, archive(t, again, "x"), "") == want, true)
			offline := reopened(t, alice, shared, true)
			equal(t, "read offline", text(t, archive(t, offline, "x"), "") == want, true)
			must(offline.Repair(t.Context(), nil))(t) // what lies about of the damage
			checkDeeply(t, offline)
			equal(t, "read after that", text(t, archive(t, offline, "x"), "") == want, true)
		})
	}
}

// TestAReadHealsADifference has a version that is stored as the difference from the
// one before: what it is the difference from is damaged.
func TestAReadHealsADifference(t *testing.T) {
	shared := t.TempDir()
	alice := unchecked(t, shared)
	h := newArchive(t, alice, "x")
	base := randomText(t, 1, 400_000)
	next := base[:200_000] + "CHANGED" + base[200_007:]
	put(t, h, base)
	put(t, h, next)
	if st := must(alice.Stats(t.Context()))(t); st.Stored > 450_000 {
		t.Fatalf("%d bytes are stored: no difference", st.Stored)
	}
	push(t, alice)
	noError(t, alice.Close())
	flipText(t, packFiles(t, alice.Repo())[0], base[200_100:200_150])
	again := archive(t, reopened(t, alice, shared, false), "x")
	equal(t, "the later one", text(t, again, "0.0.2") == next, true)
	equal(t, "the earlier one", text(t, again, "0.0.1") == base, true)
	offline := reopened(t, alice, shared, true)
	equal(t, "the later one, offline", text(t, archive(t, offline, "x"), "0.0.2") == next, true)
	equal(t, "the earlier one, offline", text(t, archive(t, offline, "x"), "0.0.1") == base, true)
	checkVersions(t, offline)
}

// checkVersions checks that all versions can be read, whatever lies beside.
func checkVersions(t *testing.T, api *API) {
	t.Helper()
	rep := must(api.Check(t.Context(), &CheckOptions{Full: true}))(t)
	if len(rep.Damaged) > 0 {
		t.Errorf("damaged: %v", rep.Damaged)
	}
	readAll(t, api)
}

func TestDamageWithoutACopyIsNamed(t *testing.T) {
	shared := t.TempDir()
	alice := unchecked(t, shared)
	want := randomText(t, 1, 300_000)
	put(t, newArchive(t, alice, "x"), want)
	noError(t, alice.Close())
	flipText(t, packFiles(t, alice.Repo())[0], want[150_000:150_050])
	again := reopened(t, alice, shared, false)
	err := archive(t, again, "x").Cat(t.Context(), io.Discard, nil)
	if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "x==0.0.1") {
		t.Errorf("got %v", err)
	}
	rep := must(again.Check(t.Context(), nil))(t) // which reads nothing, and remembers
	equal(t, "damaged", len(rep.Damaged), 1)
	equal(t, "its name", rep.Damaged[0].String(), "x==0.0.1")
	// Who has the file stores it again.
	put(t, archive(t, again, "x"), want)
	equal(t, "read", text(t, archive(t, again, "x"), "0.0.1") == want, true)
	checkVersions(t, again)
	must(again.Repair(t.Context(), nil))(t)
	checkDeeply(t, again)
}

// TestTheSameUpdateHeals has a file that has not changed, by size and times, so that
// it would not be read: what is known to be damaged of it is stored again all the
// same, and that makes older versions good as well.
func TestTheSameUpdateHeals(t *testing.T) {
	for _, known := range []bool{true, false} {
		opts := testOptions(t.TempDir())
		opts.Now = func() time.Time { return time.Now().Add(time.Hour) } // the file's time is long past
		api := openOnly(t, opts)
		one, two := randomText(t, 1, 300_000), randomText(t, 2, 100_000)
		name := filepath.Join(t.TempDir(), "file")
		noError(t, os.WriteFile(name, []byte(one+two), 0o600))
		h := newArchive(t, api, "x")
		put(t, h, one)
		must(h.Update(t.Context(), name, nil))(t)
		res := must(h.Update(t.Context(), name, nil))(t)
		if !res.Cached {
			t.Fatal("the stat cache is not warm: this tests nothing")
		}
		noError(t, api.Close())
		pack := ""
		for _, p := range packFiles(t, api.Repo()) {
			if bytes.Contains(must(os.ReadFile(p))(t), []byte(one[150_000:150_050])) {
				pack = p
			}
		}
		if known {
			flipText(t, pack, one[150_000:150_050])
		} else {
			noError(t, os.Remove(pack))
		}
		api = reopened(t, api, "", false)
		h = archive(t, api, "x")
		if known { // else the pack is missed at once
			if err := h.Cat(t.Context(), io.Discard, &OpenOptions{Version: "0.0.1"}); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("got %v", err)
			}
		}
		res = must(h.Update(t.Context(), name, nil))(t)
		equal(t, "version", res.Version, "0.0.2")
		equal(t, "later", text(t, h, "0.0.2") == one+two, true)
		if known {
			equal(t, "earlier", text(t, h, "0.0.1") == one, true)
			checkVersions(t, api)
		}
	}
}

// TestWhatCannotBeReadNowIsNotCalledDamage has packs that the system refuses to read.
// When it reads them again, nothing has been forgotten.
func TestWhatCannotBeReadNowIsNotCalledDamage(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such permissions")
	}
	for _, c := range []struct {
		name     string
		off, on  func(pack string) error
		wantKind error
	}{
		{"a directory in its place", func(p string) error { return errors.Join(os.Rename(p, p+"-"), os.Mkdir(p, 0o700)) },
			func(p string) error { return errors.Join(os.Remove(p), os.Rename(p+"-", p)) }, nil},
		{"no permission", func(p string) error { return os.Chmod(p, 0) }, func(p string) error { return os.Chmod(p, 0o600) }, fs.ErrPermission},
		{"no permission for the directory", func(p string) error { return os.Chmod(filepath.Dir(p), 0) },
			func(p string) error { return os.Chmod(filepath.Dir(p), 0o700) }, fs.ErrPermission},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.wantKind == fs.ErrPermission && os.Geteuid() == 0 {
				t.Skip("root may read everything")
			}
			api := openOnly(t, testOptions(t.TempDir()))
			want := randomText(t, 1, 300_000)
			put(t, newArchive(t, api, "x"), want)
			noError(t, api.Close())
			pack := packFiles(t, api.Repo())[0]
			noError(t, c.off(pack))
			api = reopened(t, api, "", false)
			err := archive(t, api, "x").Cat(t.Context(), io.Discard, nil)
			if err == nil || errors.Is(err, ErrCorrupt) || c.wantKind != nil && !errors.Is(err, c.wantKind) {
				t.Errorf("cat: %v", err)
			}
			rep, err := api.Check(t.Context(), nil)
			if err == nil && (len(rep.Problems) > 0 || len(rep.Unreadable) == 0) || errors.Is(err, ErrCorrupt) {
				t.Errorf("check: %+v, %v", rep, err)
			}
			if _, err := api.GC(t.Context(), noGrace(false)); err == nil {
				t.Error("gc went on")
			}
			if _, err := api.Repair(t.Context(), nil); errors.Is(err, ErrCorrupt) {
				t.Errorf("repair: %v", err)
			}
			noError(t, c.on(pack))
			if left, _ := os.ReadDir(filepath.Join(api.Repo(), "quarantine")); len(left) > 0 {
				t.Errorf("moved to quarantine: %v", left)
			}
			for _, api := range []*API{api, reopened(t, api, "", false)} {
				equal(t, "read again", text(t, archive(t, api, "x"), "") == want, true)
				must(api.GC(t.Context(), noGrace(false)))(t)
				checkDeeply(t, api)
			}
		})
	}
}

// TestAPackThatWasAwayIsFoundAgain has a pack that is moved away, asked for, and
// moved back, in the repository and at the authority.
func TestAPackThatWasAwayIsFoundAgain(t *testing.T) {
	want := randomText(t, 1, 300_000)
	t.Run("here", func(t *testing.T) {
		api := openOnly(t, testOptions(t.TempDir()))
		put(t, newArchive(t, api, "x"), want)
		noError(t, api.Close())
		packs := filepath.Join(api.Repo(), "packs")
		noError(t, os.Rename(packs, packs+"-"))
		away := reopened(t, api, "", false)
		if err := archive(t, away, "x").Cat(t.Context(), io.Discard, nil); !errors.Is(err, ErrCorrupt) {
			t.Errorf("got %v", err)
		}
		must(away.Check(t.Context(), nil))(t)
		if _, err := away.GC(t.Context(), noGrace(false)); err == nil {
			t.Error("gc of nothing")
		}
		noError(t, os.RemoveAll(packs))
		noError(t, os.Rename(packs+"-", packs))
		for _, api := range []*API{away, reopened(t, api, "", false)} {
			equal(t, "read again", text(t, archive(t, api, "x"), "") == want, true)
		}
		must(reopened(t, api, "", false).GC(t.Context(), noGrace(false)))(t)
		checkDeeply(t, reopened(t, api, "", false))
	})
	for _, gone := range []string{"packs", "packs/*/*", "."} {
		t.Run("at the authority: "+gone, func(t *testing.T) {
			shared := filepath.Join(t.TempDir(), "team")
			noError(t, os.Mkdir(shared, 0o700))
			alice, bob := unchecked(t, shared), unchecked(t, shared)
			h := newArchive(t, alice, "x")
			put(t, h, want)
			push(t, alice)
			pull(t, bob)
			restore := moveAway(t, filepath.Join(shared, filepath.FromSlash(gone)))
			again := reopened(t, bob, shared, false)
			for _, api := range []*API{reopened(t, bob, shared, false), again, again} {
				if err := archive(t, api, "x").Cat(t.Context(), io.Discard, nil); err == nil {
					t.Error("it was read")
				}
			}
			restore()
			equal(t, "read again", text(t, archive(t, again, "x"), "") == want, true)
			equal(t, "by another process", text(t, archive(t, reopened(t, bob, shared, true), "x"), "") == want, true)
			put(t, h, want+"more")
			rep := push(t, alice)
			if rep.Sent > 100_000 {
				t.Errorf("a push sent all of it again: %+v", rep)
			}
		})
	}
}

// moveAway moves what a pattern names beside it, and returns what takes that back.
func moveAway(t *testing.T, pattern string) func() {
	t.Helper()
	names := must(filepath.Glob(pattern))(t)
	if len(names) == 0 {
		t.Fatalf("there is no %s", pattern)
	}
	aside := t.TempDir()
	for i, name := range names {
		noError(t, os.Rename(name, filepath.Join(aside, fmt.Sprint(i))))
	}
	return func() {
		t.Helper()
		for i, name := range names {
			noError(t, os.RemoveAll(name))
			noError(t, os.MkdirAll(filepath.Dir(name), 0o700))
			noError(t, os.Rename(filepath.Join(aside, fmt.Sprint(i)), name))
		}
	}
}

// TestAPushSendsAgainOnlyWhatIsMissing has two packs at an authority, of which one is
// lost for good.
func TestAPushSendsAgainOnlyWhatIsMissing(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	h := newArchive(t, alice, "x")
	small, large := randomText(t, 1, 200_000), randomText(t, 2, 900_000)
	put(t, h, large)
	push(t, alice)
	put(t, h, small)
	push(t, alice)
	noError(t, os.Remove(packFiles(t, shared)[1]))
	put(t, h, small+"more")
	var err error
	for range 3 { // a push that finds it missing says so once, and then sends it
		var rep PushReport
		rep, err = alice.Push(t.Context(), nil)
		if rep.Sent > 400_000 {
			t.Errorf("too much was sent: %+v", rep)
		}
	}
	noError(t, err)
	pull(t, bob)
	equal(t, "the last one", text(t, archive(t, bob, "x"), "0.0.3") == small+"more", true)
	equal(t, "the first one", text(t, archive(t, bob, "x"), "0.0.1") == large, true)
}
