package objects

import (
	"context"
	"iter"
)

// Change is a path that differs between two trees. Old or New is nil where the
// path is in one of them only.
type Change struct {
	Path     string
	Old, New *Entry
}

// Diff lists what differs from one tree to another, in the order of the paths.
// Files differ when their bytes, their kind or their mode do.
func Diff(ctx context.Context, from, to *Tree) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		nextA, stopA := iter.Pull2(from.Entries(ctx))
		defer stopA()
		nextB, stopB := iter.Pull2(to.Entries(ctx))
		defer stopB()
		a, b := puller{next: nextA}, puller{next: nextB}
		a.advance()
		b.advance()
		for a.ok || b.ok {
			if a.err != nil || b.err != nil {
				yield(Change{}, firstError(a.err, b.err))
				return
			}
			c := step(&a, &b)
			if c.Old != nil && c.New != nil && same(c.Old, c.New) {
				continue
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

type puller struct {
	next func() (Entry, error, bool)
	e    Entry
	err  error
	ok   bool
}

func (p *puller) advance() { p.e, p.err, p.ok = p.next() }

func (p *puller) take() *Entry {
	e := p.e
	p.advance()
	return &e
}

// step takes the next path from a or b or, where both have it, from both.
func step(a, b *puller) Change {
	order := 0
	switch {
	case !a.ok:
		order = 1
	case !b.ok:
		order = -1
	default:
		order = ComparePaths(a.e.Path, b.e.Path)
	}
	var c Change
	if order <= 0 {
		c.Path = a.e.Path
		c.Old = a.take()
	}
	if order >= 0 {
		c.Path = b.e.Path
		c.New = b.take()
	}
	return c
}

func same(a, b *Entry) bool {
	return a.Kind == b.Kind && a.Size == b.Size && a.Hash == b.Hash && a.Link == b.Link
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Sharing says how much of a tree's content lies in another one too.
type Sharing struct {
	Shared, New             int64 // raw bytes of the tree's files, each occurrence counted
	SharedChunks, NewChunks int64
}

// Share compares the chunks of to with those of from.
func Share(ctx context.Context, from, to *Tree) (Sharing, error) {
	var known idSet
	var sh Sharing
	err := from.chunks(ctx, func(r ref) { known.add(r.id) })
	if err != nil {
		return sh, err
	}
	err = to.chunks(ctx, func(r ref) {
		if known.has(r.id) {
			sh.Shared += r.len
			sh.SharedChunks++
		} else {
			sh.New += r.len
			sh.NewChunks++
		}
	})
	return sh, err
}

// chunks visits the chunks of all files of a tree.
func (t *Tree) chunks(ctx context.Context, visit func(ref)) error {
	for e, err := range t.Entries(ctx) {
		if err != nil {
			return err
		}
		if !e.Kind.IsFile() {
			continue
		}
		for r, err := range t.s.refs(ctx, &e, 0) {
			if err != nil {
				return err
			}
			visit(r.ref)
		}
	}
	return nil
}
