package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/names"
)

// manyArchives is from how many on a checkout looks after its memory.
const manyArchives = 10_000

// CheckoutOptions say what to write into a directory, and how.
type CheckoutOptions struct {
	Requirements string   // a file, or text with requirements; "": those of the API
	Archives     []string // requirements instead of those; only these archives are touched
	Deps         bool     // also what the chosen versions depend on
	Locked       string   // path of a lock that says it all; "": none
	Link         string   // "auto" (or ""), "copy", "reflink" or "hardlink"
	Force        bool     // replace files that were edited, or that no checkout wrote
	Prune        bool     // remove files of earlier checkouts that are not wanted any more
	DryRun       bool     // only say what would be done
}

// CheckoutReport says what a checkout did, or would do.
type CheckoutReport struct {
	Archives                    []CheckedOut // by name
	Written, Unchanged, Removed int64        // files and links
	Left                        int64        // files of earlier checkouts that are not wanted any more, and stay
	Bytes                       int64        // written
	Way                         string       // "copy", "reflink" or "hardlink"; "": nothing was written
	Kept                        []KeptFile   // files that are in the way, in the order of their paths
	Chosen                      []Chosen     // what is checked out, by name
}

// CheckedOut is one archive of a checkout.
type CheckedOut struct {
	Archive, Version string
	Before           string // the version that was there, if it was another one
	Size, Files      int64  // bytes and files of the whole version
	New, Replaced    int64  // files that were written
	Removed          int64  // files that were removed
	Kept             int64  // files that are in the way
}

// KeptFile is a file that a checkout would have had to replace or remove.
type KeptFile struct {
	Path    string
	Archive string
	Why     string // for people
}

// Checkout writes versions of archives into a directory, which is made if it is
// not there: an archive that is a file to the path of its name, one that is a
// directory below it. What an earlier checkout wrote, and nobody changed since,
// is replaced where it differs; all other files stay, but for Force, and the
// error then wraps fs.ErrExist when all else is done. One that was interrupted
// is completed by the next. Nothing is written outside the directory. Another
// checkout into the same directory at the same time is ErrBusy.
func (a *API) Checkout(ctx context.Context, dir string, opts *CheckoutOptions) (rep CheckoutReport, err error) {
	if opts == nil {
		opts = &CheckoutOptions{}
	}
	if !slices.Contains([]string{"", wayAuto, wayCopy, wayReflink, wayHardlink}, opts.Link) {
		return rep, leaf.Errorf(fs.ErrInvalid, "link %q: want auto, copy, reflink or hardlink", opts.Link)
	}
	if rep.Chosen, err = a.checkoutChoice(ctx, opts); err != nil {
		return rep, err
	}
	if len(rep.Chosen) > manyArchives {
		debug.FreeOSMemory() // what choosing took is more than what is left of it
	}
	co := &checkout{api: a, opts: opts, rep: &rep, dirs: map[string]dirState{}, gone: map[string]bool{}}
	if co.dir, err = a.checkoutDir(dir); err != nil {
		return rep, err
	}
	if err := co.aim(); err != nil {
		return rep, err
	}
	if err := co.open(ctx); err != nil {
		return rep, err
	}
	if err = co.run(ctx); err != nil {
		co.removeEmpty()
	} else {
		err = co.inTheWay()
	}
	if err != nil {
		co.cleanUp()
	}
	return rep, errors.Join(err, co.close())
}

// checkoutDir is the directory in full.
func (a *API) checkoutDir(dir string) (string, error) {
	dir = a.opts.places().expandHome(dir)
	if !filepath.IsAbs(dir) {
		dir = filepath.Join(a.opts.Dir, dir)
	}
	return filepath.Clean(dir), nil
}

// checkoutChoice is what to check out.
func (a *API) checkoutChoice(ctx context.Context, opts *CheckoutOptions) ([]Chosen, error) {
	if opts.Locked == "" {
		return a.Choose(ctx, &ChooseOptions{
			Requirements: opts.Requirements, Archives: opts.Archives, Deps: opts.Deps, Lock: a.LockFile(opts.Requirements),
		})
	}
	lock, err := ReadLock(opts.Locked)
	if err != nil {
		return nil, err
	}
	if len(opts.Archives) > 0 {
		if lock, err = lock.Only(opts.Archives, opts.Locked); err != nil {
			return nil, err
		}
	}
	chosen := a.locked(lock)
	return chosen, a.warnLocked(ctx, chosen)
}

// checkout is one run of Checkout.
type checkout struct {
	api  *API
	opts *CheckoutOptions
	dir  string
	rep  *CheckoutReport

	root    *os.Root // nil: the directory is not there, and this is a dry run
	made    string   // the topmost directory that was made for dir; "": all were there
	lock    *flock.Flock
	old     *manifest
	targets []*target           // by name
	others  []checkedArchive    // of the old manifest, not among the targets
	dirs    map[string]dirState // that are wanted
	newDirs []string            // of them, to be made, parents first
	block   []string            // what is where a directory must be, and may be replaced
	gone    map[string]bool     // what a dry run would have removed
	changed bool                // the manifest must be written

	copies *copies // where files are shared from; nil: they are copied

	mu sync.Mutex // guards rep while files are written
}

// target is an archive to check out.
type target struct {
	chosen  *Chosen
	old     *checkedArchive // nil: it is not in the manifest
	next    checkedArchive  // without what is left
	left    []checkedFile   // of an earlier version
	entries []objects.Entry // by slot of next.files; nil: not read
	acts    []act           // by slot of next.files
	here    bool            // its content has been brought
	unfit   []string        // paths that are not written, by their names
	out     *CheckedOut
}

// act is what to do with a file.
type act uint8

const (
	actNothing act = iota // it is right
	actAdopt              // it is right, but its state was not known
	actNew                // it is not there
	actReplace            // it is another one
	actKeep               // it is in the way
)

// full is the path of a file in the directory.
func (t *target) full(f *checkedFile) string { return path.Join(t.next.name, f.path) }

// aim checks that the archives have places of their own.
func (co *checkout) aim() error {
	if rel, err := filepath.Rel(co.api.Repo(), co.dir); err == nil && filepath.IsLocal(rel) {
		return leaf.Errorf(fs.ErrInvalid, "%s belongs to the repository: check out into another directory", co.dir)
	}
	if err := co.api.checkDestination(co.dir); err != nil {
		return err
	}
	list := co.rep.Chosen
	co.rep.Archives = make([]CheckedOut, len(list))
	all := make([]string, len(list))
	for i := range list {
		rec := &list[i].Record
		all[i] = list[i].Archive.name
		out := &co.rep.Archives[i]
		*out = CheckedOut{Archive: all[i], Size: rec.Size, Files: rec.Files}
		if rec.Number == 0 {
			out.Version = rec.Label()
		}
		if err := co.allowed(all[i]); err != nil {
			return err
		}
		co.targets = append(co.targets, &target{
			chosen: &list[i], out: out,
			next: checkedArchive{name: all[i], version: out.Version, tree: rec.Tree, dir: rec.Dir},
		})
	}
	slices.SortFunc(co.targets, func(x, y *target) int { return strings.Compare(x.next.name, y.next.name) })
	return apart(all)
}

// apart refuses names of which one is a directory of another.
func apart(names []string) error {
	names = slices.SortedFunc(slices.Values(names), objects.ComparePaths)
	for i := 1; i < len(names); i++ {
		if below(names[i], names[i-1]) {
			return leaf.Errorf(fs.ErrExist, "archives %q and %q would share a place: check them out into directories of their own", names[i-1], names[i])
		}
	}
	return nil
}

// below says that a path is dir, or below it.
func below(path, dir string) bool {
	return strings.HasPrefix(path, dir) && (len(path) == len(dir) || path[len(dir)] == '/')
}

// allowed refuses an archive whose place is taken.
func (co *checkout) allowed(name string) error {
	if why := names.Unwritable(name, onWindows); why != "" {
		return leaf.Errorf(fs.ErrInvalid, "archive %q cannot be checked out: %s", name, why)
	}
	repo, err := filepath.Rel(co.dir, co.api.Repo())
	if err == nil && filepath.IsLocal(repo) && (below(name, filepath.ToSlash(repo)) || below(filepath.ToSlash(repo), name)) {
		return leaf.Errorf(fs.ErrInvalid, "archive %q cannot be checked out here: its place belongs to datafs itself", name)
	}
	if !validPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return leaf.Errorf(fs.ErrInvalid, "archive %q cannot be checked out: its name is no path", name)
	}
	return nil
}

// open makes the directory and takes its lock.
func (co *checkout) open(ctx context.Context) (err error) {
	if !co.opts.DryRun {
		co.made = topMissing(co.dir)
		if err := os.MkdirAll(co.dir, 0o777); err != nil {
			co.unmake()
			return fmt.Errorf("make directory: %w", err)
		}
	}
	co.root, err = os.OpenRoot(co.dir)
	if errors.Is(err, fs.ErrNotExist) && co.opts.DryRun {
		co.root, co.old = nil, &manifest{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("check out: %w", err)
	}
	if !co.opts.DryRun {
		err = co.take(ctx)
	}
	if err == nil {
		co.old, err = readManifest(co.root, co.dir)
	}
	if err != nil {
		co.cleanUp()
		return errors.Join(err, co.close())
	}
	return nil
}

// take locks the directory against other checkouts.
func (co *checkout) take(ctx context.Context) error {
	path := filepath.Join(co.dir, checkoutLock)
	for {
		if fi, err := co.root.Lstat(checkoutLock); err == nil && !fi.Mode().IsRegular() {
			return leaf.Errorf(fs.ErrExist, "%s is not a file", path)
		}
		lock, err := co.api.waitLock(ctx, path, true)
		if errors.Is(err, ErrBusy) {
			return leaf.Errorf(ErrBusy, "another checkout into %s is under way", co.dir)
		}
		if err != nil {
			return err
		}
		if isLockOf(lock, path) {
			co.lock = lock
			return nil
		}
		lock.Unlock() // a checkout that failed has taken it away
	}
}

func (co *checkout) close() (err error) {
	if co.lock != nil {
		err = co.lock.Unlock()
	}
	if co.root != nil {
		err = errors.Join(err, co.root.Close())
	}
	return err
}

// inTheWay is the error of a checkout that had to keep files.
func (co *checkout) inTheWay() error {
	kept := co.rep.Kept
	if len(kept) == 0 {
		return nil
	}
	text := count(len(kept), "file is in the way and was kept", "files are in the way and were kept")
	if co.opts.DryRun {
		text = count(len(kept), "file is in the way", "files are in the way")
	}
	return &HintError{leaf.Errorf(fs.ErrExist, "%s", text), "move them away, or use --force to replace files (never directories)"}
}
