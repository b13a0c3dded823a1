package datafs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/checkout"
)

const manifestName = ".datafs-checkout"

// shown lists a directory's files with their contents, one a line; what belongs
// to datafs is left out.
func shown(t *testing.T, dir string) string {
	t.Helper()
	var lines []string
	noError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		rel = filepath.ToSlash(rel)
		if err != nil || rel == "." || strings.HasPrefix(rel, manifestName) {
			return err
		}
		lines = append(lines, rel+what(t, name, d))
		return nil
	}))
	return strings.Join(lines, "\n")
}

func what(t *testing.T, name string, d fs.DirEntry) string {
	t.Helper()
	switch {
	case d.IsDir():
		return "/"
	case d.Type()&fs.ModeSymlink != 0:
		return " -> " + must(os.Readlink(name))(t)
	}
	text := ": " + string(must(os.ReadFile(name))(t))
	if must(d.Info())(t).Mode()&0o100 != 0 {
		text += " (x)"
	}
	return text
}

// shelf is a repository with a file f (versions 0.0.1: one, 0.0.2: two), and a
// tree d of two versions, and where they are checked out.
func shelf(t *testing.T) (api *API, out string) {
	t.Helper()
	api = newAPI(t)
	f := newArchive(t, api, "data/f")
	put(t, f, "one")
	put(t, f, "two")
	d := newArchive(t, api, "d")
	first := writeTree(t, map[string]string{"a": "A", "run": "#!", "sub/b": "B", "sub/l": "->b", "empty/": ""})
	noError(t, os.Chmod(filepath.Join(first, "run"), 0o755))
	must(d.Update(t.Context(), first, nil))(t)
	must(d.Update(t.Context(), writeTree(t, map[string]string{"a": "A2", "sub/b": "B", "c": "C"}), nil))(t)
	return api, filepath.Join(t.TempDir(), "out")
}

const (
	shelfOld = "d/\nd/a: A\nd/empty/\nd/run: #! (x)\nd/sub/\nd/sub/b: B\nd/sub/l -> b\ndata/\ndata/f: one"
	shelfNew = "d/\nd/a: A2\nd/c: C\nd/sub/\nd/sub/b: B\ndata/\ndata/f: two"
	oldPins  = "d==0.0.1\ndata/f==0.0.1\n"
	newPins  = "d==0.0.2\ndata/f==0.0.2\n"
)

// checkedOut checks out and returns written, unchanged, removed, left and kept.
func checkedOut(t *testing.T, api *API, dir string, opts CheckoutOptions) string {
	t.Helper()
	rep, err := api.Checkout(t.Context(), dir, &opts)
	if err != nil && (len(rep.Kept) == 0 || !errors.Is(err, fs.ErrExist)) {
		t.Fatal(err)
	}
	text := fmt.Sprintf("%d written, %d unchanged, %d removed, %d left", rep.Written, rep.Unchanged, rep.Removed, rep.Left)
	for _, k := range rep.Kept {
		text += fmt.Sprintf("\n%s of %s: %s", k.Path, k.Archive, k.Why)
	}
	return text
}

func pinned(pins string) CheckoutOptions { return CheckoutOptions{Requirements: pins} }

func TestCheckout(t *testing.T) {
	api, out := shelf(t)
	pruned := pinned(newPins)
	pruned.Prune = true
	only := CheckoutOptions{Archives: []string{"data/f==0.0.1"}}
	for _, step := range []struct {
		name string
		opts CheckoutOptions
		want string
		tree string
	}{
		{"a first one writes all", pinned(oldPins), "5 written, 0 unchanged, 0 removed, 0 left", shelfOld},
		{"a second one writes nothing", pinned(oldPins), "0 written, 5 unchanged, 0 removed, 0 left", shelfOld},
		{"other versions replace what differs, and leave what they have not", pinned(newPins), "3 written, 1 unchanged, 0 removed, 2 left",
			"d/\nd/a: A2\nd/c: C\nd/empty/\nd/run: #! (x)\nd/sub/\nd/sub/b: B\nd/sub/l -> b\ndata/\ndata/f: two"},
		{"prune removes that", pruned, "0 written, 4 unchanged, 2 removed, 0 left", shelfNew},
		{"and back again", pinned(oldPins), "4 written, 1 unchanged, 0 removed, 1 left", strings.Replace(shelfOld, "d/empty", "d/c: C\nd/empty", 1)},
		{"names touch only their archives", only, "0 written, 1 unchanged, 0 removed, 0 left", strings.Replace(shelfOld, "d/empty", "d/c: C\nd/empty", 1)},
		{"prune removes archives that are not wanted", CheckoutOptions{Requirements: "data/f==0.0.1\n", Prune: true}, "0 written, 1 unchanged, 5 removed, 0 left", "data/\ndata/f: one"},
	} {
		equal(t, step.name, checkedOut(t, api, out, step.opts), step.want)
		equal(t, step.name, shown(t, out), step.tree)
	}
}

func TestCheckoutKeepsWhatIsNotItsOwn(t *testing.T) {
	edit := func(name, text string) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			t.Helper()
			name := filepath.Join(dir, filepath.FromSlash(name))
			noError(t, os.RemoveAll(name))
			noError(t, os.MkdirAll(filepath.Dir(name), 0o755))
			noError(t, os.WriteFile(name, []byte(text), 0o644))
		}
	}
	for _, test := range []struct {
		name   string
		change func(*testing.T, string)
		pins   string
		want   string // what is kept
		path   string // and where it is
		forced string // what is kept with force
	}{
		{"an edited file", edit("data/f", "edited"), newPins, "data/f of data/f: it was edited", "data/f: edited", ""},
		{"an edited file of the same size", edit("data/f", "eno"), oldPins, "data/f of data/f: it was edited", "data/f: eno", ""},
		{"a file where a new one must be", edit("d/c", "foreign"), newPins, "d/c of d: it was not written by a checkout", "d/c: foreign", ""},
		{"a link where a file must be", func(t *testing.T, dir string) {
			noError(t, os.Symlink("a", filepath.Join(dir, "d", "c")))
		}, newPins, "d/c of d: it was not written by a checkout", "d/c -> a", ""},
		{"a file where a directory must be", func(t *testing.T, dir string) {
			noError(t, os.RemoveAll(filepath.Join(dir, "d", "sub")))
			edit("d/sub", "foreign")(t, dir)
		}, oldPins, "d/sub of d: it is not a directory", "d/sub: foreign", ""},
		{"a link where a directory must be", func(t *testing.T, dir string) {
			noError(t, os.Rename(filepath.Join(dir, "d", "sub"), filepath.Join(dir, "moved")))
			noError(t, os.Symlink("../moved", filepath.Join(dir, "d", "sub")))
		}, oldPins, "d/sub of d: it is not a directory", "d/sub -> ../moved", ""},
		{"a directory where a file must be", func(t *testing.T, dir string) {
			edit("d/c/x", "foreign")(t, dir)
		}, newPins, "d/c of d: it is a directory", "d/c/x: foreign", "d/c of d: it is a directory"},
		{"an executable bit", func(t *testing.T, dir string) {
			noError(t, os.Chmod(filepath.Join(dir, "d", "a"), 0o755))
		}, oldPins, "d/a of d: it was edited", "d/a: A (x)", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			api, out := shelf(t)
			checkedOut(t, api, out, pinned(oldPins))
			test.change(t, out)
			for _, try := range []string{"once", "again"} {
				_, kept, _ := strings.Cut(checkedOut(t, api, out, pinned(test.pins)), "\n")
				equal(t, try, kept, test.want)
				equal(t, "is there "+try, slices.Contains(strings.Split(shown(t, out), "\n"), test.path), true)
			}
			force := pinned(test.pins)
			force.Force = true
			_, kept, _ := strings.Cut(checkedOut(t, api, out, force), "\n")
			equal(t, "forced", kept, test.forced)
			if test.forced == "" {
				fresh := filepath.Join(t.TempDir(), "fresh")
				checkedOut(t, api, fresh, pinned(test.pins))
				force.Prune = true
				checkedOut(t, api, out, force)
				noError(t, os.RemoveAll(filepath.Join(out, "moved")))
				equal(t, "forced", shown(t, out), shown(t, fresh))
			}
		})
	}
}

func TestPruneKeepsWhatIsNotItsOwn(t *testing.T) {
	api, out := shelf(t)
	noError(t, os.MkdirAll(filepath.Join(out, "d"), 0o755))
	noError(t, os.WriteFile(filepath.Join(out, "d", "a"), []byte("A"), 0o644)) // right already
	checkedOut(t, api, out, pinned(oldPins))
	noError(t, os.WriteFile(filepath.Join(out, "d", "sub", "b"), []byte("edited"), 0o644))
	noError(t, os.WriteFile(filepath.Join(out, "d", "sub", "mine"), []byte("mine"), 0o644))
	opts := CheckoutOptions{Requirements: "data/f==0.0.1\n", Prune: true}
	want := `0 written, 1 unchanged, 2 removed, 0 left
d/a of d: it is not wanted any more, but was there before the checkout
d/sub/b of d: it is not wanted any more, but was edited`
	equal(t, "report", checkedOut(t, api, out, opts), want)
	equal(t, "tree", shown(t, out), "d/\nd/a: A\nd/sub/\nd/sub/b: edited\nd/sub/mine: mine\ndata/\ndata/f: one")
	opts.Force = true
	checkedOut(t, api, out, opts)
	equal(t, "forced", shown(t, out), "d/\nd/sub/\nd/sub/mine: mine\ndata/\ndata/f: one")
}

func TestCheckoutRefusesPlaces(t *testing.T) {
	api, out := shelf(t)
	put(t, newArchive(t, api, "d/inside"), "x")
	put(t, olderArchive(t, api, ".datafs/x"), "x")
	put(t, newArchive(t, api, "repo/x"), "x")
	for _, test := range []struct {
		name, dir, pins, want string
		kind                  error
	}{
		{"two archives of which one is inside the other", out, "d\nd/inside\n", `archives "d" and "d/inside" would share a place: check them out into directories of their own`, fs.ErrExist},
		{"the name of a repository", out, ".datafs/x\n", `archive ".datafs/x" cannot be checked out: ".datafs" belongs to version control systems or datafs itself`, fs.ErrInvalid},
		{"into the repository", api.Repo(), "data/f\n", api.Repo() + " belongs to the repository: check out into another directory", fs.ErrInvalid},
		{"the repository itself", filepath.Dir(api.Repo()), "repo/x\n", `archive "repo/x" cannot be checked out here: its place belongs to datafs itself`, fs.ErrInvalid},
	} {
		_, err := api.Checkout(t.Context(), test.dir, &CheckoutOptions{Requirements: test.pins})
		wantError(t, err, test.want, test.kind)
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("the directory was made")
	}
	checkedOut(t, api, out, CheckoutOptions{Archives: []string{"d==0.0.2"}})
	_, err := api.Checkout(t.Context(), out, &CheckoutOptions{Archives: []string{"d/inside"}})
	wantError(t, err, `archive "d/inside" would share a place with "d", which was checked out here before`, fs.ErrExist)
	equal(t, "pruned", checkedOut(t, api, out, CheckoutOptions{Requirements: "d/inside\n", Prune: true}), "1 written, 0 unchanged, 3 removed, 0 left")
}

func TestCheckoutWritesNothingOutside(t *testing.T) {
	api, out := shelf(t)
	other := t.TempDir()
	noError(t, os.MkdirAll(out, 0o755))
	noError(t, os.Symlink(other, filepath.Join(out, "data")))
	equal(t, "report", checkedOut(t, api, out, pinned("data/f\n")), "0 written, 0 unchanged, 0 removed, 0 left\ndata of : it is not a directory")
	equal(t, "outside", shown(t, other), "")
}

func TestCheckoutDryRun(t *testing.T) {
	api, out := shelf(t)
	dry := pinned(newPins)
	dry.DryRun = true
	equal(t, "report", checkedOut(t, api, out, dry), "4 written, 0 unchanged, 0 removed, 0 left")
	if _, err := os.Stat(out); err == nil {
		t.Error("the directory was made")
	}
	checkedOut(t, api, out, pinned(oldPins))
	before := must(os.ReadFile(filepath.Join(out, manifestName)))(t)
	dry.Prune = true
	equal(t, "report", checkedOut(t, api, out, dry), "3 written, 1 unchanged, 2 removed, 0 left")
	equal(t, "tree", shown(t, out), shelfOld)
	equal(t, "manifest", bytes.Equal(must(os.ReadFile(filepath.Join(out, manifestName)))(t), before), true)
}

func TestCheckoutOfADamagedManifest(t *testing.T) {
	api, out := shelf(t)
	checkedOut(t, api, out, pinned(oldPins))
	name := filepath.Join(out, manifestName)
	b := must(os.ReadFile(name))(t)
	b[len(b)/2] ^= 1
	noError(t, os.WriteFile(name, b, 0o644))
	_, err := api.Checkout(t.Context(), out, &CheckoutOptions{Requirements: oldPins})
	var hint *HintError
	if !errors.Is(err, ErrCorrupt) || !errors.As(err, &hint) {
		t.Errorf("got %v", err)
	}
	noError(t, os.Remove(name))
	equal(t, "without it", checkedOut(t, api, out, pinned(oldPins)), "0 written, 5 unchanged, 0 removed, 0 left")
}

func TestTwoCheckoutsAtOnce(t *testing.T) {
	api, out := shelf(t)
	noError(t, os.MkdirAll(out, 0o755))
	l := flock.New(filepath.Join(out, manifestName+".lock"))
	must(l.TryLock())(t)
	api.opts.LockTimeout = time.Millisecond
	_, err := api.Checkout(t.Context(), out, &CheckoutOptions{Requirements: oldPins})
	wantError(t, err, "another checkout into "+out+" is under way", ErrBusy)
	noError(t, l.Unlock())
	equal(t, "afterwards", checkedOut(t, api, out, pinned(oldPins)), "5 written, 0 unchanged, 0 removed, 0 left")
}

// TestCheckoutIsCompletedByTheNext ends checkouts at every step of their way.
func TestCheckoutIsCompletedByTheNext(t *testing.T) {
	api, out := shelf(t)
	var cancel context.CancelFunc
	left := 0
	api.opts.Progress = func(Progress) {
		if left--; left == 0 {
			cancel()
		}
	}
	for steps := 1; steps < 7; steps++ {
		for i, pins := range []string{oldPins, newPins, oldPins, newPins} {
			var ctx context.Context
			ctx, cancel = context.WithCancel(t.Context())
			left = steps
			api.Checkout(ctx, out, &CheckoutOptions{Requirements: pins})
			cancel()
			if i < 2 {
				continue // and then on to the other versions
			}
			left = 0
			got := checkedOut(t, api, out, CheckoutOptions{Requirements: pins, Prune: true})
			if strings.Contains(got, "\n") {
				t.Fatalf("after %d steps: %s", steps, got)
			}
			equal(t, "completed", shown(t, out), map[string]string{oldPins: shelfOld, newPins: shelfNew}[pins])
		}
	}
}

// TestCheckoutLosesNothing edits at random, and looks whether it is still there.
func TestCheckoutLosesNothing(t *testing.T) {
	api, out := shelf(t)
	r := rand.New(rand.NewPCG(1, 2))
	paths := []string{"d/a", "d/c", "d/sub/b", "d/sub/new", "data/f", "data/g", "d/run", "d/sub/l"}
	for round := range 60 {
		opts := CheckoutOptions{Requirements: []string{oldPins, newPins, "data/f\n", "d==0.0.1\n"}[r.IntN(4)], Prune: r.IntN(2) == 0}
		mine := map[string]string{}
		for range r.IntN(4) {
			name, text := paths[r.IntN(len(paths))], fmt.Sprintf("%03d", round)
			full := filepath.Join(out, filepath.FromSlash(name))
			noError(t, os.MkdirAll(filepath.Dir(full), 0o755))
			os.Remove(full)
			noError(t, os.WriteFile(full, []byte(text), 0o644))
			mine[full] = text
		}
		checkedOut(t, api, out, opts)
		for name, want := range mine {
			equal(t, name, string(must(os.ReadFile(name))(t)), want)
			noError(t, os.Remove(name))
		}
	}
	checkedOut(t, api, out, CheckoutOptions{Requirements: newPins, Prune: true})
	equal(t, "in the end", shown(t, out), shelfNew)
}

// TestCheckoutReadsNothingAgain sees that unchanged files are not read: their
// bytes could not be.
func TestCheckoutReadsNothingAgain(t *testing.T) {
	api, out := shelf(t)
	checkedOut(t, api, out, pinned(oldPins))
	name := filepath.Join(out, "data", "f")
	fi := must(os.Stat(name))(t)
	noError(t, os.Chmod(name, 0o644)) // a new ctime
	equal(t, "another state", index.StatOf(fi) == index.StatOf(must(os.Stat(name))(t)), false)
	noError(t, os.WriteFile(name, []byte("eno"), 0o644))
	noError(t, os.Chtimes(name, fi.ModTime(), fi.ModTime()))
	equal(t, "an edit behind its time", checkedOut(t, api, out, pinned(oldPins)), "0 written, 4 unchanged, 0 removed, 0 left\ndata/f of data/f: it was edited")
}

func TestCheckoutByHardlink(t *testing.T) {
	api, out := shelf(t)
	hard := CheckoutOptions{Requirements: oldPins, Link: "hardlink"}
	rep := must(api.Checkout(t.Context(), out, &hard))(t)
	equal(t, "way", rep.Way, "hardlink")
	equal(t, "tree", shown(t, out), shelfOld)
	name := filepath.Join(out, "data", "f")
	equal(t, "mode", must(os.Stat(name))(t).Mode(), fs.FileMode(0o444))
	other := filepath.Join(t.TempDir(), "other")
	must(api.Checkout(t.Context(), other, &hard))(t)
	equal(t, "one file", os.SameFile(must(os.Stat(name))(t), must(os.Stat(filepath.Join(other, "data", "f")))(t)), true)
	equal(t, "again", checkedOut(t, api, out, hard), "0 written, 5 unchanged, 0 removed, 0 left")

	noError(t, os.Chmod(name, 0o644))
	noError(t, os.WriteFile(name, []byte("eno"), 0o644))
	equal(t, "an edit through the other name", checkedOut(t, api, other, hard), "0 written, 4 unchanged, 0 removed, 0 left\ndata/f of data/f: it was edited")
	third := filepath.Join(t.TempDir(), "third")
	must(api.Checkout(t.Context(), third, &hard))(t)
	equal(t, "a spoiled copy is not used", shown(t, third), shelfOld)

	equal(t, "copies", must(api.Stats(t.Context()))(t).Copies, int64(4))
	equal(t, "shared copies stay", must(api.GC(t.Context(), noGrace(false)))(t).Copies, int64(0))
	for _, dir := range []string{out, other, third} {
		noError(t, os.RemoveAll(dir))
	}
	equal(t, "would go", must(api.GC(t.Context(), noGrace(true)))(t).Copies, int64(4))
	equal(t, "go", must(api.GC(t.Context(), noGrace(false)))(t).Copies, int64(4))
	equal(t, "copies", must(api.Stats(t.Context()))(t).Copies, int64(0))
}

func TestCheckoutState(t *testing.T) {
	api, out := shelf(t)
	noError(t, os.MkdirAll(out, 0o755))
	_, err := api.CheckoutState(t.Context(), out, nil)
	wantError(t, err, "nothing was checked out into "+out, fs.ErrNotExist)
	checkedOut(t, api, out, pinned(oldPins))
	noError(t, os.Remove(filepath.Join(out, "d", "a")))
	noError(t, os.WriteFile(filepath.Join(out, "data", "f"), []byte("edited"), 0o644))
	noError(t, os.WriteFile(filepath.Join(out, "mine"), nil, 0o644))
	opts := pinned("data/f==0.0.2\n")
	st := must(api.CheckoutState(t.Context(), out, &opts))(t)
	equal(t, "files", st.Files, []checkout.FileState{{Path: "d/a", Archive: "d", State: "missing"}, {Path: "data/f", Archive: "data/f", State: "edited"}})
	equal(t, "archives", st.Archives, []CheckedState{
		{Archive: "d", Version: "0.0.1", Files: 4, Unwanted: true}, {Archive: "data/f", Version: "0.0.1", Files: 1, Wanted: "0.0.2"},
	})
	checkedOut(t, api, out, opts)
	st = must(api.CheckoutState(t.Context(), out, &opts))(t)
	equal(t, "an edited file is still edited", st.Files[0], checkout.FileState{Path: "data/f", Archive: "data/f", State: "edited"})
}

func TestCheckoutFromATeam(t *testing.T) {
	shared := t.TempDir()
	alice, bob := member(t, shared, ""), member(t, shared, "")
	put(t, newArchive(t, alice, "x"), "one")
	must(newArchive(t, alice, "d").Update(t.Context(), writeTree(t, map[string]string{"a": "A", "b/c": "C"}), nil))(t)
	push(t, alice)
	must(bob.Pull(t.Context(), &PullOptions{RefsOnly: true}))(t)
	out := filepath.Join(t.TempDir(), "out")
	dry := CheckoutOptions{Requirements: "x\nd\n", DryRun: true}
	equal(t, "dry run", checkedOut(t, bob, out, dry), "3 written, 0 unchanged, 0 removed, 0 left")
	equal(t, "checkout", checkedOut(t, bob, out, pinned("x\nd\n")), "3 written, 0 unchanged, 0 removed, 0 left")
	equal(t, "tree", shown(t, out), "d/\nd/a: A\nd/b/\nd/b/c: C\nx: one")
	noError(t, os.RemoveAll(filepath.Join(out, "d", "b")))
	equal(t, "repaired", checkedOut(t, bob, out, pinned("x\nd\n")), "1 written, 2 unchanged, 0 removed, 0 left")
}

func TestCheckoutIsQuickToSeeThatNothingChanged(t *testing.T) {
	api, out := shelf(t)
	api.opts.Now = time.Now
	checkedOut(t, api, out, pinned(oldPins))
	before := must(os.Stat(filepath.Join(out, manifestName)))(t)
	checkedOut(t, api, out, pinned(oldPins))
	equal(t, "the same manifest", os.SameFile(before, must(os.Stat(filepath.Join(out, manifestName)))(t)), true)
}
