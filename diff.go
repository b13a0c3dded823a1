package datafs

import (
	"context"
	"iter"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// FileChange is a path that differs between two versions; Old or New is nil
// where it is in one of them only. A single file has the empty path.
type FileChange = objects.Change

// Diff compares two versions of an archive.
type Diff struct {
	Old, New refs.VersionRecord
	Shared   int64 // bytes of the new one whose chunks the old one has too
	Added    int64 // bytes of the new one in other chunks

	SharedChunks, AddedChunks int64

	from, to *objects.Tree
}

// Files lists the paths that differ, in order.
func (d *Diff) Files(ctx context.Context) iter.Seq2[FileChange, error] {
	return objects.Diff(ctx, d.from, d.to)
}

// Diff compares two versions; "" as the second is the latest.
func (h *Archive) Diff(ctx context.Context, from, to string) (*Diff, error) {
	if to == "" {
		to = latest
	}
	var d Diff
	for _, side := range []struct {
		version string
		rec     *refs.VersionRecord
		tree    **objects.Tree
	}{{from, &d.Old, &d.from}, {to, &d.New, &d.to}} {
		rec, err := h.resolve(ctx, side.version)
		if err != nil {
			return nil, err
		}
		*side.rec = *rec
		if *side.tree, err = h.tree(ctx, rec); err != nil {
			return nil, err
		}
	}
	sh, err := objects.Share(ctx, d.from, d.to)
	d.Shared, d.Added = sh.Shared, sh.New
	d.SharedChunks, d.AddedChunks = sh.SharedChunks, sh.NewChunks
	return &d, err
}
