package refs

import (
	"context"
	"iter"
	"slices"
	"strings"
)

// NamedArchive is what lists of archives are made of.
type NamedArchive struct {
	Name      string
	Authority string
	Versions  bool   // there are some
	Tags      string // with a line feed before the first and behind each, so that they can be found
}

// has says whether the archive has all of some tags.
func (a NamedArchive) has(tags []string) bool {
	return !slices.ContainsFunc(tags, func(tag string) bool { return !strings.Contains(a.Tags, "\n"+tag+"\n") })
}

// SkipNames returns a name behind that of an archive, or "".
type SkipNames func(NamedArchive) string

// Namer is a Manager that can list archives without their records. ok is
// false if it cannot just now.
type Namer interface {
	// ArchiveNames lists those with a prefix. skip, which may be nil, returns after each
	// archive a name up to which, inclusive, nothing more is wanted; it may get some all
	// the same.
	ArchiveNames(ctx context.Context, prefix string, skip SkipNames) (list iter.Seq2[NamedArchive, error], ok bool)

	// TaggedNames lists those with a prefix and all of some tags.
	TaggedNames(ctx context.Context, prefix string, tags []string) (list iter.Seq2[string, error], ok bool)

	// SimilarNames returns, in no order, those whose FoldName is form.
	SimilarNames(ctx context.Context, form string) (names []string, ok bool, err error)
}

// named lists the names of the archives that have all of some tags, without
// their records, where the manager can.
func (d *DB) named(ctx context.Context, prefix string, tags []string) (iter.Seq2[string, error], bool) {
	if n, ok := d.m.(Namer); ok && len(tags) > 0 {
		if list, ok := n.TaggedNames(ctx, prefix, tags); ok {
			return list, true
		}
	}
	list, ok := d.namedArchives(ctx, prefix, nil)
	return func(yield func(string, error) bool) {
		for a, err := range list {
			if err == nil && !a.has(tags) {
				continue
			}
			if !yield(a.Name, err) || err != nil {
				return
			}
		}
	}, ok
}

func (d *DB) namedArchives(ctx context.Context, prefix string, skip SkipNames) (iter.Seq2[NamedArchive, error], bool) {
	n, ok := d.m.(Namer)
	if !ok {
		return nil, false
	}
	return n.ArchiveNames(ctx, prefix, skip)
}
