package datafs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs/lockfile"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
)

// require writes the requirements of a repository that testOptions opens.
func require(t *testing.T, api *API, text string) string {
	t.Helper()
	file := filepath.Join(api.opts.Dir, config.RequirementsName)
	noError(t, os.WriteFile(file, []byte(text), 0o644))
	return file
}

// lockTree makes a version of a directory with every kind of entry.
func lockTree(t *testing.T, h *Archive) map[string]string {
	t.Helper()
	files := map[string]string{"a.csv": "1", "b/c.csv": "22", "b/link": "->c.csv", "empty/": "", "b/odd\xff": "333"}
	dir := writeTree(t, files)
	must(h.Update(t.Context(), dir, nil))(t)
	return files
}

func lockChangeTexts(rep LockReport) string {
	var list []string
	for _, c := range rep.Changes {
		list = append(list, fmt.Sprintf("%s %s>%s", c.Archive, c.From, c.To))
	}
	return strings.Join(list, ", ")
}

func lockAt(t *testing.T, api *API, opts LockOptions) LockReport {
	t.Helper()
	opts.Requirements = filepath.Join(api.opts.Dir, config.RequirementsName)
	return must(api.Lock(t.Context(), &opts))(t)
}

func TestLockKeepsWhatSatisfies(t *testing.T) {
	api := newAPI(t)
	a, b := newArchive(t, api, "a"), newArchive(t, api, "b")
	put(t, a, "1")
	put(t, b, "1")
	lockTree(t, newArchive(t, api, "dir"))
	require(t, api, "b\na # both\ndir\n")
	rep := lockAt(t, api, LockOptions{})
	equal(t, "changes", lockChangeTexts(rep), "a >0.0.1, b >0.0.1, dir >0.0.1")
	before := must(os.Stat(rep.File))(t)

	put(t, a, "2")
	put(t, b, "2")
	rep = lockAt(t, api, LockOptions{})
	equal(t, "changes with nothing to do", fmt.Sprint(rep.Changes, rep.Written, rep.Archives), "[] false 3")
	if after := must(os.Stat(rep.File))(t); !os.SameFile(before, after) {
		t.Error("a lock that is up to date was written anew")
	}
	equal(t, "upgrade of one", lockChangeTexts(lockAt(t, api, LockOptions{Upgrade: true, Names: []string{"b"}})), "b 0.0.1>0.0.2")
	equal(t, "upgrade of all", lockChangeTexts(lockAt(t, api, LockOptions{Upgrade: true})), "a 0.0.1>0.0.2")
	require(t, api, "a==0.0.1\n")
	equal(t, "other requirements", lockChangeTexts(lockAt(t, api, LockOptions{})), "a 0.0.2>0.0.1, b 0.0.2>, dir 0.0.1>")
	_, err := api.Lock(t.Context(), &LockOptions{Requirements: filepath.Join(api.opts.Dir, config.RequirementsName), Upgrade: true, Names: []string{"x"}})
	wantError(t, err, `"x" is neither in the lock nor required`, fs.ErrNotExist)
	if left := must(filepath.Glob(filepath.Join(api.opts.Dir, ".*")))(t); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLockFollowsDependenciesOnceItWasAskedTo(t *testing.T) {
	api := newAPI(t)
	a, b := newArchive(t, api, "a"), newArchive(t, api, "b")
	put(t, b, "1")
	put(t, b, "2")
	put(t, a, "1")
	noError(t, a.SetDependencies(t.Context(), Dependencies{"b": new("0.0.1")}))
	require(t, api, "a\n")
	equal(t, "without", lockChangeTexts(lockAt(t, api, LockOptions{})), "a >0.0.1")
	equal(t, "with", lockChangeTexts(lockAt(t, api, LockOptions{Deps: new(true)})), "b >0.0.1")
	rep := lockAt(t, api, LockOptions{})
	equal(t, "as before", lockChangeTexts(rep), "")
	l := must(ReadLock(rep.File))(t)
	equal(t, "why", l.Archives[1].Why, []string{"a 0.0.1 depends on b==0.0.1"})
	equal(t, "without again", lockChangeTexts(lockAt(t, api, LockOptions{Deps: new(false)})), "b 0.0.1>")
}

func TestLockSaysWhatTheContentsAre(t *testing.T) {
	api := newAPI(t)
	put(t, newArchive(t, api, "a"), "1")
	h := must(api.Create(t.Context(), "state", &CreateOptions{Unversioned: true}))(t)
	put(t, h, "older")
	put(t, h, "old")
	files := lockTree(t, newArchive(t, api, "dir"))
	require(t, api, "a\nstate\ndir\n")
	rep := lockAt(t, api, LockOptions{})
	put(t, h, "new")
	lockAt(t, api, LockOptions{}) // keeps the old state
	l := must(ReadLock(rep.File))(t)
	var got bytes.Buffer
	w := lockfile.NewWriter(&got)
	w.Begin(l)
	for i := range l.Archives {
		noError(t, w.Archive(&l.Archives[i], func(yield func(lockfile.Entry, error) bool) {
			for _, f := range l.Archives[i].Files {
				if !yield(f, nil) {
					return
				}
			}
		}))
	}
	noError(t, w.End())
	equal(t, "written again", got.String(), string(must(os.ReadFile(rep.File))(t)))

	chosen := api.locked(l)
	noError(t, api.bring(t.Context(), chosen))
	into := t.TempDir()
	noError(t, must(chosen[1].content().Tree(t.Context(), chosen[1].Record.Tree))(t).Extract(t.Context(), into, &objects.ExtractOptions{}))
	equal(t, "directory", readTree(t, into), files)
	at := slices.IndexFunc(l.Archives[1].Files, func(f lockfile.Entry) bool { return f.Path == "b/c.csv" })
	if f := l.Archives[1].Files[max(at, 0)]; f.Size != 2 || f.Hash != objects.Hash([]byte("22")).String() {
		t.Errorf("got the entry %v", f)
	}
	tree := must(chosen[2].content().Tree(t.Context(), chosen[2].Record.Tree))(t)
	e, _ := tree.Single()
	equal(t, "hash of the state", e.Hash, objects.Hash([]byte("old")))
}

func TestReadLockSaysWhichFileIsNoLock(t *testing.T) {
	_, err := ReadLock(t.TempDir() + "/none")
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "read lock: ") {
		t.Errorf("got %v", err)
	}
	file := t.TempDir() + "/x.lock"
	noError(t, os.WriteFile(file, []byte("[]"), 0o644))
	_, err = ReadLock(file)
	wantError(t, err, "lock "+file+`: it is no lock: "{" is expected before byte 1`, fs.ErrInvalid)
	dir := t.TempDir()
	_, err = ReadLock(dir)
	wantError(t, err, "read lock: "+dir+" is a directory, not a file", fs.ErrInvalid)
}

func TestAnEditedLockIsNoticed(t *testing.T) {
	api := newAPI(t)
	lockTree(t, newArchive(t, api, "dir"))
	require(t, api, "dir\n")
	rep := lockAt(t, api, LockOptions{})
	for name, edit := range map[string]func(l *lockfile.Archive){
		"another hash":     func(l *lockfile.Archive) { l.Files[0].Hash = l.Tree },
		"one file less":    func(l *lockfile.Archive) { l.Files = l.Files[:len(l.Files)-1] },
		"one file more":    func(l *lockfile.Archive) { l.Files = append(l.Files, lockfile.Entry{Path: "z", Kind: "directory"}) },
		"another kind":     func(l *lockfile.Archive) { l.Files[0].Kind = "executable" },
		"another file's":   func(l *lockfile.Archive) { l.Files[0].Path = "A.csv" },
		"a link elsewhere": func(l *lockfile.Archive) { l.Files[1].Link = "x" },
	} {
		t.Run(name, func(t *testing.T) {
			l := must(ReadLock(rep.File))(t)
			edit(&l.Archives[0])
			err := api.bring(t.Context(), api.locked(l))
			if !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "dir 0.0.1: its contents differ from the lock") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// teamLock pushes archives to a directory and locks them.
func teamLock(t *testing.T, shared string) (*lockfile.Lock, *API) {
	t.Helper()
	alice := member(t, shared, "")
	put(t, newArchive(t, alice, "a"), strings.Repeat("a", 1000))
	put(t, newArchive(t, alice, "b"), strings.Repeat("b", 1000))
	lockTree(t, newArchive(t, alice, "dir"))
	push(t, alice)
	require(t, alice, "a\nb\ndir\n")
	return must(ReadLock(lockAt(t, alice, LockOptions{}).File))(t), alice
}

// readsLocked checks that another repository can read all of a lock.
func readsLocked(t *testing.T, api *API, l *lockfile.Lock) error {
	t.Helper()
	chosen := api.locked(l)
	for i := range chosen { // one by one as they are read
		tree, err := chosen[i].content().Tree(t.Context(), chosen[i].Record.Tree)
		if err != nil {
			return err
		}
		for _, err := range tree.Entries(t.Context()) {
			noError(t, err)
		}
	}
	if err := api.bring(t.Context(), chosen); err != nil {
		return err
	}
	for i := range chosen {
		noError(t, api.store.CheckTree(t.Context(), chosen[i].Record.Tree, &objects.Marks{}))
	}
	return nil
}

func TestALockNeedsNoManager(t *testing.T) {
	shared := t.TempDir()
	l, _ := teamLock(t, shared)
	elsewhere := t.TempDir()
	noError(t, os.CopyFS(elsewhere, os.DirFS(shared)))
	wrong := func(l *lockfile.Lock, edit func(place string) string) *lockfile.Lock {
		x := *l
		x.Archives = slices.Clone(l.Archives)
		for i := range x.Archives {
			x.Archives[i].Place = edit(x.Archives[i].Place)
		}
		return &x
	}
	for _, tt := range []struct {
		name, config string
		lock         *lockfile.Lock
	}{
		{"its own authority", "authorities: {team: {service: OSFS, args: [" + shared + "]}}\n", l},
		{"a copy under another name", "authorities: {mirror: {service: OSFS, args: [" + elsewhere + "]}}\n", l},
		{"the second of two", "authorities: {team: {service: OSFS, args: [" + t.TempDir() + "]}, mirror: {service: OSFS, args: [" + elsewhere + "]}}\n", l},
		{"a manager that is down", "manager: {class: MongoDBManager, kwargs: {database_name: x}}\nauthorities: {team: {service: OSFS, args: [" + shared + "]}}\n", l},
		{"without places", "authorities: {team: {service: OSFS, args: [" + shared + "]}}\n", wrong(l, func(string) string { return "" })},
		{"with places in packs that are gone", "authorities: {team: {service: OSFS, args: [" + shared + "]}}\n", wrong(l, func(s string) string { return strings.Repeat("7", 64) + s[64:] })},
		{"with wrong places", "authorities: {team: {service: OSFS, args: [" + shared + "]}}\n", wrong(l, func(s string) string {
			part := strings.Split(s, ":")
			part[1] = "3"
			return strings.Join(part, ":")
		})},
		{"with nonsense for places", "authorities: {team: {service: OSFS, args: [" + shared + "]}}\n", wrong(l, func(string) string { return "nowhere" })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			api := openChecked(t, configured(t.TempDir(), tt.config))
			noError(t, readsLocked(t, api, tt.lock))
		})
		t.Run(tt.name+", in bulk", func(t *testing.T) {
			api := openChecked(t, configured(t.TempDir(), tt.config))
			noError(t, api.bring(t.Context(), api.locked(tt.lock)))
		})
	}
}

func TestALockWhoseContentsAreNowhere(t *testing.T) {
	l, _ := teamLock(t, t.TempDir())
	empty, gone := t.TempDir(), filepath.Join(t.TempDir(), "gone")
	for _, tt := range []struct {
		name, config, text string
		kind               error
	}{
		{"no authority", "", "the contents of a 0.0.1 are not here, and the profile has no authority to ask", ErrUnavailable},
		{"an empty one", "authorities: {team: {service: OSFS, args: [" + empty + "]}}\n",
			"the contents of a 0.0.1 are neither here nor to be had from team: ", fs.ErrNotExist},
		{"one that is away", "authorities: {other: {service: OSFS, args: [" + gone + "]}, team: {service: OSFS, args: [" + empty + "]}}\n",
			"the contents of a 0.0.1 are neither here nor to be had from team, other: ", ErrUnavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := configured(t.TempDir(), tt.config)
			opts.RetryTime = -1
			api := openChecked(t, opts)
			for range 2 {
				err := readsLocked(t, api, l)
				if err == nil || !errors.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got %v\nwant %s of the kind %v", err, tt.text, tt.kind)
				}
			}
		})
	}
}

func TestAnAuthorityThatIsDownIsTriedOnce(t *testing.T) {
	shared := t.TempDir()
	l, _ := teamLock(t, shared)
	tries := 0
	opts := configured(t.TempDir(), "authorities: {team: {service: OSFS, args: [/down]}, mirror: {service: OSFS, args: ["+shared+"]}}\n")
	opts.Kinds = authorityKinds(func(ctx context.Context, s config.Service) (remote.Authority, error) {
		if fmt.Sprint(s.Args...) == "/down" {
			tries++
			return nil, leaf.Errorf(ErrUnavailable, "no route")
		}
		return config.With(nil).OpenAuthority(ctx, s, os.Getenv)
	})
	noError(t, readsLocked(t, openChecked(t, opts), l))
	equal(t, "tries", tries, 1)
}

func TestCheckLockReadsTwoFilesOnly(t *testing.T) {
	api := newAPI(t)
	a := newArchive(t, api, "a")
	put(t, a, "1")
	put(t, newArchive(t, api, "b"), "1")
	file := require(t, api, "a>=0.0.1\nb\n")
	check := func() string {
		_, problems, err := api.CheckLock(&LockOptions{Requirements: file})
		noError(t, err)
		return strings.Join(problems, "; ")
	}
	equal(t, "without a lock", check(), "there is no such lock")
	lockAt(t, api, LockOptions{})
	noError(t, a.Delete(t.Context()))
	for text, want := range map[string]string{
		"a>=0.0.1\nb\n":    "",
		"b\na\n":           "",
		"a>=0.1\nb==0.0.1": "a>=0.1 is required, the lock has 0.0.1",
		"a\nb\nc":          "c is not in the lock",
		"a":                "b is not required any more",
		"team://a\nb":      "team://a is required, the lock has it at local",
	} {
		require(t, api, text)
		equal(t, text, check(), want)
	}
}

func TestWhereALockLies(t *testing.T) {
	api := newAPI(t)
	dir := api.opts.Dir
	noError(t, os.WriteFile(filepath.Join(dir, "a==1"), nil, 0o644))
	for requirements, want := range map[string]string{
		"":                        "requirements_data.lock",
		"a==1.0":                  "requirements_data.lock",
		"a==1":                    "a==1.lock",
		"pins":                    "pins.lock",
		"b/pins.txt":              "b/pins.lock",
		"requirements_data.lock":  "requirements_data.lock.lock",
		filepath.Join(dir, "x.y"): "x.lock",
	} {
		equal(t, requirements, api.LockFile(requirements), filepath.Join(dir, want))
	}
}
