package transfer

import (
	"context"
	"errors"
	"slices"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

const (
	pullNodes  = 256  // nodes that are fetched together
	pullChunks = 4096 // chunks that are fetched together
)

// Pull brings the whole content of trees into the repository, as far as it is not
// there. What has come stays when it is broken off, and is not fetched again.
func (s *Site) Pull(ctx context.Context, trees ...objects.ID) error {
	im, err := s.store.Importer(ctx)
	if err != nil {
		return err
	}
	defer im.Close()
	p := &pull{s: s, im: im, from: s.store.Copier(), seen: map[objects.ID]bool{}}
	for _, tree := range slices.Backward(trees) {
		if !p.seen[tree] {
			p.seen[tree] = true
			p.todo = append(p.todo, tree)
		}
	}
	err = p.run(ctx)
	return errors.Join(err, im.Commit(context.WithoutCancel(ctx)))
}

// pull is the fetching of trees. It goes from the roots down, many nodes at a
// time, and fetches chunks in between, so that little is kept in memory.
type pull struct {
	s    *Site
	im   *objects.Importer
	from *objects.Copier
	seen map[objects.ID]bool // nodes
	todo []objects.ID        // nodes to be looked at, the next ones last
	want []objects.ID        // chunks that may be missing
}

func (p *pull) run(ctx context.Context) error {
	for len(p.todo) > 0 {
		n := max(len(p.todo)-pullNodes, 0)
		batch := append([]objects.ID{}, p.todo[n:]...)
		p.todo = p.todo[:n]
		if err := p.nodes(ctx, batch); err != nil {
			return err
		}
		for len(p.want) >= pullChunks {
			if err := p.chunks(ctx, p.want[:pullChunks]); err != nil {
				return err
			}
			p.want = append(p.want[:0], p.want[pullChunks:]...)
		}
	}
	return p.chunks(ctx, p.want)
}

// nodes fetches nodes and looks at what they name.
func (p *pull) nodes(ctx context.Context, ids []objects.ID) error {
	locs, err := p.s.store.Locate(ctx, ids)
	if err != nil {
		return err
	}
	if missing := absent(locs); len(missing) > 0 {
		if err := p.s.fetchInto(ctx, p.im, missing); err != nil {
			return err
		}
		if err := p.im.Commit(ctx); err != nil {
			return err
		}
		if locs, err = p.s.store.Locate(ctx, ids); err != nil {
			return err
		}
	}
	var below []objects.ID
	for i := range locs {
		if err := p.read(ctx, &locs[i]); err != nil {
			return err
		}
		children, err := objects.Children(p.from.Raw())
		if err != nil {
			return err
		}
		for _, c := range children {
			switch {
			case !c.Node:
				p.want = append(p.want, c.ID)
			case !p.seen[c.ID]:
				p.seen[c.ID] = true
				below = append(below, c.ID)
			}
		}
	}
	for i := len(below) - 1; i >= 0; i-- { // the first is to be the next
		p.todo = append(p.todo, below[i])
	}
	return nil
}

// read reads a node. One that is damaged here is fetched again.
func (p *pull) read(ctx context.Context, loc *index.Loc) error {
	_, _, err := p.from.Stored(ctx, loc)
	if !errors.Is(err, objects.ErrCorrupt) {
		return err
	}
	if err := p.s.fetchInto(ctx, p.im, []objects.ID{loc.ID}); err != nil {
		return err
	}
	if err := p.im.Commit(ctx); err != nil {
		return err
	}
	locs, err := p.s.store.Locate(ctx, []objects.ID{loc.ID})
	if err == nil {
		_, _, err = p.from.Stored(ctx, &locs[0])
	}
	return err
}

func (p *pull) chunks(ctx context.Context, ids []objects.ID) error {
	locs, err := p.s.store.Locate(ctx, ids)
	if err != nil {
		return err
	}
	if missing := absent(locs); len(missing) > 0 {
		return p.s.fetchInto(ctx, p.im, missing)
	}
	return nil
}

// absent returns the chunks that are not here, or known to be damaged.
func absent(locs []index.Loc) []objects.ID {
	var ids []objects.ID
	for _, l := range locs {
		if !l.Found || l.Bad {
			ids = append(ids, l.ID)
		}
	}
	return ids
}
