package checkout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/names"
)

// Want is an archive to check out.
type Want struct {
	Name, Version string     // with slashes; "": it has no versions
	Tree          objects.ID // its content
	Hash          objects.ID // of its file, where it is no directory
	Dir           bool
	Size, Files   int64 // bytes and files
	Away          bool  // its content may have to be brought
}

// Source is where the contents of wants come from. It names a want by its place in
// the list. Its methods may be called by several goroutines.
type Source interface {
	// Bring makes sure that contents are in the repository.
	Bring(ctx context.Context, wants []int) error
	// Content returns the store to read a content from.
	Content(want int) *objects.Store
}

// Options say where contents come from, and how to write them.
type Options struct {
	Dir    string         // where to, in full; Run makes it if it is not there
	Store  *objects.Store // the repository
	Source Source
	Link   Way
	Some   bool // what the directory holds besides what is wanted is not touched
	Locked bool // the file of a want must have the hash of the want
	Force  bool // replace files that were edited, or that no checkout wrote
	Prune  bool // remove files of earlier checkouts that are not wanted any more
	DryRun bool // only find out what would be done

	Now  func() time.Time
	Wait time.Duration // for locks; 0: a minute

	// Both may be nil, and may be called by several goroutines.
	Progress  func(a *Archive, n int64)            // told of every n bytes written
	Unwritten func(archive string, paths []string) // told of files that cannot have their names here
}

// Report says what a checkout did, or would do.
type Report struct {
	Archives                    []Archive  // by name
	Written, Unchanged, Removed int64      // files and links
	Left                        int64      // files of earlier checkouts that are not wanted any more, and stay
	Bytes                       int64      // written
	Way                         Way        // WayCopy, WayReflink or WayHardlink; "": nothing was written
	Kept                        []KeptFile // files that are in the way, in the order of their paths
}

// Archive is one archive of a checkout.
type Archive struct {
	Name, Version string
	Before        string // the version that was there, if it was another one
	Size, Files   int64  // bytes and files of the whole version
	New, Replaced int64  // files that were written
	Removed       int64  // files that were removed
	Kept          int64  // files that are in the way
}

// KeptFile is a file that a checkout would have had to replace or remove.
type KeptFile struct {
	Path    string
	Archive string
	Why     string // for people
}

// Run writes archives into a directory: one that is a file to the path of its name,
// one that is a directory below it. What an earlier checkout wrote, and nobody changed
// since, is replaced where it differs; all other files stay, but for Force, and the
// error then wraps fs.ErrExist when all else is done. One that was interrupted is
// completed by the next. Nothing is written outside the directory. Another checkout
// into the same directory at the same time is index.ErrBusy.
func Run(ctx context.Context, wants []Want, opts *Options) (rep Report, err error) {
	co := &checkout{opts: opts, dir: opts.Dir, rep: &rep, dirs: map[string]dirState{}, gone: map[string]bool{}}
	if err := co.aim(wants); err != nil {
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

// checkout is one Run under way.
type checkout struct {
	opts *Options
	dir  string
	rep  *Report

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
	want    *Want
	slot    int             // of the want
	old     *checkedArchive // nil: it is not in the manifest
	next    checkedArchive  // without what is left
	left    []checkedFile   // of an earlier version
	entries []objects.Entry // by slot of next.files; nil: not read
	acts    []act           // by slot of next.files
	here    bool            // its content has been brought
	unfit   []string        // paths that are not written, by their names
	out     *Archive
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
func (co *checkout) aim(wants []Want) error {
	co.rep.Archives = make([]Archive, len(wants))
	all := make([]string, len(wants))
	for i := range wants {
		w := &wants[i]
		all[i] = w.Name
		out := &co.rep.Archives[i]
		*out = Archive{Name: w.Name, Version: w.Version, Size: w.Size, Files: w.Files}
		if err := co.allowed(w.Name); err != nil {
			return err
		}
		co.targets = append(co.targets, &target{
			want: w, slot: i, out: out,
			next: checkedArchive{name: w.Name, version: w.Version, tree: w.Tree, dir: w.Dir},
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

// onWindows is a variable for tests.
var onWindows = runtime.GOOS == "windows"

// allowed refuses an archive whose place is taken.
func (co *checkout) allowed(name string) error {
	if why := names.Unwritable(name, onWindows); why != "" {
		return leaf.Errorf(fs.ErrInvalid, "archive %q cannot be checked out: %s", name, why)
	}
	repo, err := filepath.Rel(co.dir, co.opts.Store.Dir())
	if err == nil && filepath.IsLocal(repo) && (below(name, filepath.ToSlash(repo)) || below(filepath.ToSlash(repo), name)) {
		return leaf.Errorf(fs.ErrInvalid, "archive %q cannot be checked out here: its place belongs to datafs itself", name)
	}
	if !validPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) {
		return leaf.Errorf(fs.ErrInvalid, "archive %q cannot be checked out: its name is no path", name)
	}
	return nil
}

// inTheWay is the error of a checkout that had to keep files.
func (co *checkout) inTheWay() error {
	kept := co.rep.Kept
	if len(kept) == 0 {
		return nil
	}
	text := fmt.Sprintf("%d files are in the way", len(kept))
	if len(kept) == 1 {
		text = "1 file is in the way"
	}
	switch {
	case co.opts.DryRun:
	case len(kept) == 1:
		text += " and was kept"
	default:
		text += " and were kept"
	}
	return &leaf.HintError{Err: leaf.Errorf(fs.ErrExist, "%s", text), Hint: "move them away, or use --force to replace files (never directories)"}
}
