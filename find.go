package datafs

import (
	"context"
	"io"
	"iter"
	"os"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// FilterOptions say which names Filter lists: those with the prefix that match
// the pattern, by the engine "path" (shell pattern, the default), "str" (part
// of the name) or "regex".
type FilterOptions = refs.FilterOptions

// Filter lists archive names in order. nil lists all.
func (a *API) Filter(ctx context.Context, opts *FilterOptions) iter.Seq2[string, error] {
	if opts == nil {
		opts = &FilterOptions{}
	}
	return a.informed(ctx, a.refs.Filter(ctx, *opts))
}

// Search lists, in order, the names of the archives that have all the tags and,
// unless it is "", the prefix.
func (a *API) Search(ctx context.Context, prefix string, tags ...string) iter.Seq2[string, error] {
	return a.informed(ctx, a.refs.Search(ctx, prefix, tags))
}

// informed is a listing that begins with the team's news.
func (a *API) informed(ctx context.Context, list iter.Seq2[string, error]) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := a.askTeam(ctx); err != nil {
			yield("", err)
			return
		}
		list(yield)
	}
}

// ListDir lists the path components directly below a location: directories of
// the name space, archives with contents and, for the full name of a versioned
// archive, its versions. Where there is nothing the error wraps fs.ErrNotExist.
func (a *API) ListDir(ctx context.Context, location, authority string) ([]string, error) {
	if err := a.askTeam(ctx); err != nil {
		return nil, err
	}
	prefix := ""
	if before, _, ok := strings.Cut(location, "://"); ok {
		prefix = before
	}
	chosen, err := a.chooseAuthority(location, prefix, authority)
	if err != nil {
		return nil, err
	}
	return a.refs.ListDir(ctx, chosen, location)
}

// Hash is a checksum with its algorithm.
type Hash struct {
	Algorithm string // "blake3"
	Checksum  string // hexadecimal
}

// HashFile returns the checksum that a version with the file's content has.
func (a *API) HashFile(ctx context.Context, path string) (Hash, error) {
	id, err := hashOf(ctx, path)
	if err != nil {
		return Hash{}, err
	}
	return Hash{"blake3", id.String()}, nil
}

// hashOf computes the BLAKE3 of a file.
func hashOf(ctx context.Context, path string) (objects.ID, error) {
	f, err := os.Open(path)
	if err != nil {
		return objects.ID{}, err
	}
	defer f.Close()
	return hashAll(leaf.ContextReader(ctx, f))
}

// hashAll computes the BLAKE3 of all that a reader gives.
func hashAll(r io.Reader) (id objects.ID, err error) {
	h := blake3.New()
	if _, err := io.CopyBuffer(h, r, make([]byte, 256<<10)); err != nil {
		return id, err
	}
	return sumOf(h), nil
}

func sumOf(h *blake3.Hasher) (id objects.ID) {
	h.Sum(id[:0])
	return id
}
