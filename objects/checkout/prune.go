package checkout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/datafs/datafs/objects"
)

// prune removes files of earlier checkouts that are not wanted any more; without
// Options.Prune it only counts them. What is no longer as it was written stays, but
// for Force.
func (co *checkout) prune(ctx context.Context) error {
	for _, t := range co.targets {
		kept, err := co.pruneFiles(ctx, t.next.name, t.left, t.out)
		if err != nil {
			return err
		}
		t.left = kept
	}
	if !co.opts.Some {
		if err := co.pruneOthers(ctx); err != nil {
			return err
		}
	}
	if co.opts.Prune {
		return co.pruneDirs()
	}
	return nil
}

// pruneOthers is prune for archives that are not wanted any more.
func (co *checkout) pruneOthers(ctx context.Context) error {
	var others []checkedArchive
	for _, a := range co.others {
		out := Archive{Name: a.name, Before: a.version}
		kept, err := co.pruneFiles(ctx, a.name, a.files, &out)
		if err != nil {
			return err
		}
		if out.Removed > 0 || out.Kept > 0 {
			co.rep.Archives = append(co.rep.Archives, out)
		}
		if len(kept) < len(a.files) {
			a.tree = objects.ID{} // its list of files is no longer the tree's
		}
		if a.files = kept; len(kept) > 0 {
			others = append(others, a)
		}
	}
	co.others = others
	return nil
}

// pruneFiles removes files of an archive, and returns those that stay.
func (co *checkout) pruneFiles(ctx context.Context, archive string, files []checkedFile, out *Archive) (kept []checkedFile, err error) {
	for i := range files {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		f := &files[i]
		stays, err := co.pruneFile(archive, f, out)
		if err != nil {
			return nil, fmt.Errorf("remove %s: %w", path.Join(archive, f.path), err)
		}
		if stays {
			kept = append(kept, *f)
		}
		co.changed = co.changed || !stays
	}
	return kept, nil
}

func (co *checkout) pruneFile(archive string, f *checkedFile, out *Archive) (stays bool, err error) {
	full := path.Join(archive, f.path)
	if f.kind == objects.KindDir {
		return !co.opts.Prune, nil // the list of directories has it
	}
	fi, err := co.lstatBelow(full)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && fi.IsDir()) {
		return false, nil // it is gone
	}
	if !co.opts.Prune {
		co.rep.Left++
		return true, nil
	}
	if err != nil {
		return true, err
	}
	if why := co.notOurs(full, fi, f); why != "" && !co.opts.Force {
		co.keep(full, archive, "it is not wanted any more, but "+why)
		out.Kept++
		return true, nil
	}
	out.Removed++
	co.rep.Removed++
	if co.opts.DryRun {
		co.gone[full] = true
		return false, nil
	}
	return false, co.root.Remove(full)
}

// notOurs says why a file may not be removed, "" if it may.
func (co *checkout) notOurs(full string, fi fs.FileInfo, f *checkedFile) string {
	switch {
	case !co.isOurs(full, fi, f): // or it cannot be read
		return "was edited"
	case f.found:
		return "was there before the checkout"
	}
	return ""
}

// lstatBelow is lstat that follows no link on the way: what is behind one was
// not written by a checkout.
func (co *checkout) lstatBelow(name string) (fs.FileInfo, error) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		fi, err := co.lstat(dir)
		if err == nil && !fi.IsDir() || errors.Is(err, fs.ErrNotExist) {
			return nil, fs.ErrNotExist
		}
		if err != nil {
			return nil, err
		}
	}
	return co.lstat(name)
}

// pruneDirs removes the directories that checkouts made and that are empty now,
// but for those that are wanted.
func (co *checkout) pruneDirs() error {
	var kept []string
	wanted := co.wantedDirs()
	for _, dir := range slices.Backward(co.old.dirs) {
		if wanted[dir] || co.opts.Some && co.isOthers(dir) || !co.emptyOwn(dir) {
			kept = append(kept, dir)
			continue
		}
		co.changed = true
		if co.opts.DryRun {
			co.gone[dir] = true
		} else if err := co.root.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove directory: %w", err)
		}
	}
	slices.Reverse(kept)
	co.old.dirs = kept
	return nil
}

// wantedDirs are the directories that belong to targets.
func (co *checkout) wantedDirs() map[string]bool {
	wanted := map[string]bool{}
	for _, t := range co.targets {
		for i := range t.next.files {
			dir := t.full(&t.next.files[i])
			if t.next.files[i].kind != objects.KindDir {
				dir = path.Dir(dir)
			}
			for ; dir != "." && !wanted[dir]; dir = path.Dir(dir) {
				wanted[dir] = true
			}
		}
	}
	return wanted
}

// isOthers says that a path belongs to an archive that this checkout does not
// touch.
func (co *checkout) isOthers(name string) bool {
	for dir := name; dir != "."; dir = path.Dir(dir) {
		if (&manifest{archives: co.others}).find(dir) != nil {
			return true
		}
	}
	return false
}
