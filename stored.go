package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// ErrUnstored is the kind of error of a file that would be lost, since no
// version here has its bytes. It wraps fs.ErrExist.
var ErrUnstored = fmt.Errorf("stored nowhere: %w", fs.ErrExist)

// stored says whether the bytes of a file can be had from a version here: those
// of a whole archive, or of a file in a directory archive. They are read back,
// so that a yes can be relied on; what is only at an authority, or damaged,
// counts as no. first is the archive that is looked at before all others.
func (a *API) stored(ctx context.Context, path, first string) (bool, error) {
	fi, err := os.Stat(path)
	if err != nil || fi.Size() == 0 {
		return err == nil, err
	}
	s := &storedSearch{api: a, path: path, size: fi.Size(), trees: map[objects.ID]bool{}}
	found, err := s.archive(ctx, first)
	if found || err != nil {
		return found, err
	}
	for name, err := range a.refs.Names(ctx, "") {
		if err != nil {
			return false, err
		}
		if found, err := s.archive(ctx, name); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// storedSearch is a search for the bytes of a file.
type storedSearch struct {
	api   *API
	path  string
	size  int64
	hash  objects.ID          // of the file; zero until it is needed
	trees map[objects.ID]bool // that have been looked at
}

// archive looks at all versions of an archive, the latest first. Of one that is
// not versioned nobody can read any but the latest.
func (s *storedSearch) archive(ctx context.Context, name string) (bool, error) {
	list, err := s.api.refs.Versions(ctx, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // it went meanwhile
	}
	found := false
	for i := len(list) - 1; i >= 0 && err == nil; i-- {
		if found, err = s.version(ctx, &list[i]); found || list[i].Number > 0 {
			break
		}
	}
	return found, err
}

func (s *storedSearch) version(ctx context.Context, rec *refs.VersionRecord) (bool, error) {
	if s.trees[rec.Tree] || rec.Size < s.size || !rec.Dir && rec.Size != s.size {
		return false, nil
	}
	s.trees[rec.Tree] = true
	t, err := s.api.store.Tree(ctx, rec.Tree)
	if err != nil {
		return false, ctx.Err()
	}
	for e, err := range t.Entries(ctx) {
		if err != nil {
			return false, ctx.Err()
		}
		if found, err := s.entry(ctx, e); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// entry says whether an entry is a file with the bytes, and can be read.
func (s *storedSearch) entry(ctx context.Context, e Entry) (found bool, err error) {
	if !e.Kind.IsFile() || e.Size != s.size {
		return false, nil
	}
	if s.hash.IsZero() {
		if s.hash, err = hashOf(ctx, s.path); err != nil {
			return false, err
		}
	}
	if e.Hash != s.hash {
		return false, nil
	}
	f := s.api.store.OpenEntry(ctx, e)
	defer f.Close()
	h := blake3.New()
	if _, err := f.WriteTo(h); err != nil {
		return false, ctx.Err()
	}
	return sumOf(h) == s.hash, nil
}
