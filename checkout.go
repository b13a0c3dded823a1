package datafs

import (
	"context"
	"io/fs"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/checkout"
	"github.com/datafs/datafs/refs"
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
	checkout.Report
	Chosen []Chosen // what is checked out, by name
}

// Checkout writes versions of archives into a directory, which is made if it is
// not there: an archive that is a file to the path of its name, one that is a
// directory below it. What an earlier checkout wrote, and nobody changed since,
// is replaced where it differs; all other files stay, but for Force, and the
// error then wraps fs.ErrExist when all else is done. One that was interrupted
// is completed by the next. Nothing is written outside the directory. Another
// checkout into the same directory at the same time is index.ErrBusy.
func (a *API) Checkout(ctx context.Context, dir string, opts *CheckoutOptions) (rep CheckoutReport, err error) {
	if opts == nil {
		opts = &CheckoutOptions{}
	}
	way, err := checkout.ParseWay(opts.Link)
	if err != nil {
		return rep, err
	}
	if rep.Chosen, err = a.checkoutChoice(ctx, opts); err != nil {
		return rep, err
	}
	if len(rep.Chosen) > manyArchives {
		debug.FreeOSMemory() // what choosing took is more than what is left of it
	}
	if dir, err = a.checkoutDir(dir); err != nil {
		return rep, err
	}
	if rel, err := filepath.Rel(a.Repo(), dir); err == nil && filepath.IsLocal(rel) {
		return rep, leaf.Errorf(fs.ErrInvalid, "%s belongs to the repository: check out into another directory", dir)
	}
	if err := a.checkDestination(dir); err != nil {
		return rep, err
	}
	rep.Report, err = checkout.Run(ctx, checkoutWants(rep.Chosen), &checkout.Options{
		Dir: dir, Store: a.store, Source: &chosenSource{a, rep.Chosen}, Link: way,
		Some: len(opts.Archives) > 0, Locked: opts.Locked != "", Force: opts.Force, Prune: opts.Prune, DryRun: opts.DryRun,
		Now: a.opts.Now, Wait: a.opts.storeTimeout(), Progress: a.checkoutProgress(), Unwritten: a.warnUnwritten,
	})
	return rep, err
}

// checkoutWants is what was chosen, as a checkout wants it.
func checkoutWants(list []Chosen) []checkout.Want {
	wants := make([]checkout.Want, len(list))
	for i := range list {
		c, rec := &list[i], &list[i].Record
		wants[i] = checkout.Want{
			Name: c.Archive.name, Version: checkoutLabel(rec), Tree: rec.Tree, Hash: rec.Hash, Dir: rec.Dir,
			Size: rec.Size, Files: rec.Files, Away: rec.Place != "" || c.store != nil,
		}
	}
	return wants
}

// checkoutLabel is the version in a checkout's manifest, "" for an archive without versions.
func checkoutLabel(rec *refs.VersionRecord) string {
	if rec.Number != 0 {
		return ""
	}
	return rec.Label()
}

// chosenSource is a checkout.Source of what was chosen.
type chosenSource struct {
	api  *API
	list []Chosen
}

func (s *chosenSource) Bring(ctx context.Context, wants []int) error {
	some := make([]Chosen, len(wants))
	for i, w := range wants {
		some[i] = s.list[w]
	}
	return s.api.bring(ctx, some)
}

func (s *chosenSource) Content(want int) *objects.Store { return s.list[want].content() }

func (a *API) checkoutProgress() func(*checkout.Archive, int64) {
	if a.opts.Progress == nil {
		return nil
	}
	return func(of *checkout.Archive, n int64) {
		a.opts.Progress(Progress{Label: of.Name, Bytes: n, Total: of.Size})
	}
}

// checkoutDir is the directory in full.
func (a *API) checkoutDir(dir string) (string, error) {
	dir = a.opts.places().ExpandHome(dir)
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

// CheckoutState says how a directory differs from what was checked out into it.
type CheckoutState struct {
	Dir      string
	Archives []CheckedState       // by name
	Files    []checkout.FileState // that are not as they were written, by path
	Err      error                // why it is not known what the requirements want; nil: it is
}

// CheckedState is an archive that was checked out.
type CheckedState struct {
	Archive, Version string
	Files            int64
	Wanted           string // the version that the requirements want now; "" where Version is "" too
	Unwanted         bool   // they do not name it
	Missing          bool   // they name it, and it was not checked out
}

// CheckoutState compares a directory with what checkouts wrote to it. Files that
// no checkout wrote are not listed. It changes nothing. Where there is no
// checkout the error wraps fs.ErrNotExist. opts say what is wanted, as for
// Checkout.
func (a *API) CheckoutState(ctx context.Context, dir string, opts *CheckoutOptions) (st CheckoutState, err error) {
	if opts == nil {
		opts = &CheckoutOptions{}
	}
	if st.Dir, err = a.checkoutDir(dir); err != nil {
		return st, err
	}
	archives, files, err := checkout.State(ctx, st.Dir)
	if err != nil {
		return st, err
	}
	st.Files = files
	for _, x := range archives {
		st.Archives = append(st.Archives, CheckedState{Archive: x.Name, Version: x.Version, Files: x.Files})
	}
	chosen, err := a.checkoutChoice(ctx, opts)
	if st.Err = err; err == nil {
		st.compare(chosen)
	}
	return st, ctx.Err()
}

// compare adds what is wanted now.
func (st *CheckoutState) compare(chosen []Chosen) {
	wanted := map[string]string{}
	for i := range chosen {
		wanted[chosen[i].Archive.name] = checkoutLabel(&chosen[i].Record)
	}
	for i := range st.Archives {
		s := &st.Archives[i]
		version, found := wanted[s.Archive]
		s.Wanted, s.Unwanted = version, !found
		delete(wanted, s.Archive)
	}
	for name, version := range wanted {
		st.Archives = append(st.Archives, CheckedState{Archive: name, Wanted: version, Missing: true})
	}
	slices.SortFunc(st.Archives, func(x, y CheckedState) int { return strings.Compare(x.Archive, y.Archive) })
}
