package datafs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// CheckoutState says how a directory differs from what was checked out into it.
type CheckoutState struct {
	Dir      string
	Archives []CheckedState // by name
	Files    []FileState    // that are not as they were written, by path
	Err      error          // why it is not known what the requirements want; nil: it is
}

// CheckedState is an archive that was checked out.
type CheckedState struct {
	Archive, Version string
	Files            int64
	Wanted           string // the version that the requirements want now; "" where Version is "" too
	Unwanted         bool   // they do not name it
	Missing          bool   // they name it, and it was not checked out
}

// FileState is a file that is not as it was written.
type FileState struct {
	Path, Archive string
	State         string // "edited", "missing", "unreadable", or "incomplete": the checkout was interrupted, or the file was in its way
}

// StateUnreadable is the state of a file that could not be looked at.
const StateUnreadable = "unreadable"

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
	root, err := os.OpenRoot(st.Dir)
	if err != nil {
		return st, err
	}
	defer root.Close()
	co := &checkout{api: a, opts: opts, dir: st.Dir, root: root, rep: &CheckoutReport{}}
	if _, err := root.Lstat(manifestName); errors.Is(err, fs.ErrNotExist) {
		return st, leaf.Errorf(fs.ErrNotExist, "nothing was checked out into %s", st.Dir)
	}
	if co.old, err = readManifest(root, st.Dir); err != nil {
		return st, err
	}
	for i := range co.old.archives {
		if err := co.state(ctx, &co.old.archives[i], &st); err != nil {
			return st, err
		}
	}
	slices.SortFunc(st.Files, func(x, y FileState) int { return objects.ComparePaths(x.Path, y.Path) })
	co.wishes(ctx, &st)
	return st, ctx.Err()
}

// state compares one archive with the manifest.
func (co *checkout) state(ctx context.Context, a *checkedArchive, st *CheckoutState) error {
	s := CheckedState{Archive: a.name, Version: a.version}
	for i := range a.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		f := &a.files[i]
		if f.kind != objects.KindDir {
			s.Files++
		}
		if state := co.fileState(path.Join(a.name, f.path), f); state != "" {
			st.Files = append(st.Files, FileState{path.Join(a.name, f.path), a.name, state})
		}
	}
	st.Archives = append(st.Archives, s)
	return nil
}

// fileState is how a file differs from the manifest, "" where it does not.
func (co *checkout) fileState(full string, f *checkedFile) string {
	fi, err := co.lstatBelow(full)
	incomplete := f.at == 0 && f.kind != objects.KindDir
	if errors.Is(err, fs.ErrNotExist) && !incomplete {
		return "missing"
	}
	var have identity
	if err == nil {
		have, err = co.identify(full, fi, f)
	}
	switch {
	case err == nil && have == f.identity:
		return ""
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return StateUnreadable
	case incomplete && (f.was == nil || have == *f.was || errors.Is(err, fs.ErrNotExist)):
		return "incomplete"
	}
	return "edited"
}

// wishes finds what the requirements want now.
func (co *checkout) wishes(ctx context.Context, st *CheckoutState) {
	chosen, err := co.api.checkoutChoice(ctx, co.opts)
	if st.Err = err; err != nil {
		return
	}
	wanted := map[string]string{}
	for i := range chosen {
		label := ""
		if chosen[i].Record.Number == 0 {
			label = chosen[i].Record.Label()
		}
		wanted[chosen[i].Archive.name] = label
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
