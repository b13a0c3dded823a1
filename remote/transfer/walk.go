package transfer

import (
	"context"
	"fmt"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
)

// walk visits what trees reach in the repository, each node once and after all
// that it names. Its memory grows with the number of nodes, not of chunks.
type walk struct {
	s    *Site
	from *objects.Copier
	seen map[objects.ID]bool

	// skip says whether all below a node need not be visited.
	skip func(ctx context.Context, node objects.ID) (bool, error)
	// visit is given a node with what it names.
	visit func(ctx context.Context, node *nodeAt) error
}

// nodeAt is a node of the repository. Its bytes are read again where they are
// wanted, since many nodes are under way at a time.
type nodeAt struct {
	loc      index.Loc
	children []codec.Child
}

func (s *Site) newWalk() *walk {
	return &walk{s: s, from: s.store.Copier(), seen: map[objects.ID]bool{}}
}

func (w *walk) node(ctx context.Context, id objects.ID) error {
	if w.seen[id] {
		return nil
	}
	w.seen[id] = true
	if skip, err := w.skip(ctx, id); skip || err != nil {
		return err
	}
	locs, err := w.s.store.Locate(ctx, []objects.ID{id})
	if err != nil {
		return err
	}
	if !locs[0].Found {
		return hurt(fmt.Errorf("%w: node %s is not in the repository", objects.ErrCorrupt, id))
	}
	if _, _, err := w.from.Stored(ctx, &locs[0]); err != nil {
		return hurt(err)
	}
	n := &nodeAt{loc: locs[0]}
	if n.children, err = objects.Children(w.from.Raw()); err != nil {
		return hurt(err)
	}
	for _, c := range n.children {
		if !c.Node {
			continue
		}
		if err := w.node(ctx, c.ID); err != nil {
			return err
		}
	}
	return w.visit(ctx, n)
}
