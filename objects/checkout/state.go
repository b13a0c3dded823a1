package checkout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// FileState is a file that is not as it was written.
type FileState struct {
	Path, Archive string
	State         string // "edited", "missing", Unreadable, or "incomplete": the checkout was interrupted, or the file was in its way
}

// Unreadable is the state of a file that could not be looked at.
const Unreadable = "unreadable"

// State compares a directory with what checkouts wrote to it. It returns their
// archives, of which it knows name, version and number of files, and the files that
// are not as they were written; files that no checkout wrote are not listed. It changes
// nothing. Where there is no checkout the error wraps fs.ErrNotExist.
func State(ctx context.Context, dir string) (archives []Archive, files []FileState, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	defer root.Close()
	if _, err := root.Lstat(manifestName); errors.Is(err, fs.ErrNotExist) {
		return nil, nil, leaf.Errorf(fs.ErrNotExist, "nothing was checked out into %s", dir)
	}
	co := &checkout{opts: &Options{}, dir: dir, root: root, rep: &Report{}}
	if co.old, err = readManifest(root, dir); err != nil {
		return nil, nil, err
	}
	for i := range co.old.archives {
		a := &co.old.archives[i]
		n, changed, err := co.state(ctx, a)
		if err != nil {
			return nil, nil, err
		}
		archives = append(archives, Archive{Name: a.name, Version: a.version, Files: n})
		files = append(files, changed...)
	}
	slices.SortFunc(files, func(x, y FileState) int { return objects.ComparePaths(x.Path, y.Path) })
	return archives, files, nil
}

// state compares one archive with the manifest, and counts its files.
func (co *checkout) state(ctx context.Context, a *checkedArchive) (n int64, changed []FileState, err error) {
	for i := range a.files {
		if err := ctx.Err(); err != nil {
			return n, nil, err
		}
		f := &a.files[i]
		if f.kind != objects.KindDir {
			n++
		}
		if state := co.fileState(path.Join(a.name, f.path), f); state != "" {
			changed = append(changed, FileState{path.Join(a.name, f.path), a.name, state})
		}
	}
	return n, changed, nil
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
		return Unreadable
	case incomplete && (f.was == nil || have == *f.was || errors.Is(err, fs.ErrNotExist)):
		return "incomplete"
	}
	return "edited"
}
