package objects

import (
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index"
)

// Earlier is a file, and what a version says of its content.
type Earlier struct {
	Path       string
	Tree, Hash ID
}

// Unchanged returns, by slot, results for the files that are as they were when they
// were taken in as their trees, and nil for those that Path has to look at. It reads
// no file, and asks the index as often for one as for many. Where something in the
// store is damaged, all are nil.
func (w *Writer) Unchanged(files []Earlier) ([]*Result, error) {
	results := make([]*Result, len(files))
	troubled, err := w.troubled()
	if err != nil || troubled {
		return results, err
	}
	paths, trees := make([]string, len(files)), make([]ID, len(files))
	for i, f := range files {
		if paths[i], err = filepath.Abs(f.Path); err != nil {
			return nil, err
		}
		trees[i] = f.Tree
	}
	cached, err := w.s.index.Cached(w.ctx, paths)
	if err != nil {
		return nil, err
	}
	locs, err := w.s.index.Locate(w.ctx, localSpace, trees)
	if err != nil {
		return nil, err
	}
	for i, f := range files {
		c := &cached[i]
		if !locs[i].Found || c.Hash != f.Hash {
			continue
		}
		fi, err := os.Stat(f.Path)
		if err != nil || !fi.Mode().IsRegular() || !c.Fresh(index.StatOf(fi)) {
			continue // Path says what is wrong
		}
		w.progress(c.Size)
		results[i] = &Result{Tree: f.Tree, Hash: f.Hash, Files: 1, Size: c.Size, Cached: true}
	}
	return results, nil
}
