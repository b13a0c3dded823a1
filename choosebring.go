package datafs

import (
	"context"
	"errors"

	"github.com/datafs/datafs/objects"
)

const (
	bringNodes  = 256  // nodes that are looked at together
	bringChunks = 4096 // chunks that are looked up together
)

// bring makes sure that the contents of versions are here. What a lock says of
// the entries of directories is compared with what came.
func (a *API) bring(ctx context.Context, list []Chosen) error {
	var locked []*Chosen
	var others []wantedVersion
	for i := range list {
		if c := &list[i]; c.lock != nil {
			locked = append(locked, c)
		} else {
			others = append(others, wantedVersion{c.Archive, &c.Record})
		}
	}
	if err := a.bringLocked(ctx, locked); err != nil {
		return err
	}
	_, err := a.fetchAll(ctx, others)
	return err
}

// absent says, by slot, which trees are not here, or not whole. Nodes and chunks
// of many trees are looked up together.
func (a *API) absent(ctx context.Context, trees []objects.ID) ([]bool, error) {
	l := &lookup{store: a.store, from: a.store.Copier(), gone: make([]bool, len(trees))}
	for i := len(trees) - 1; i >= 0; i-- {
		l.nodes = append(l.nodes, slotted{trees[i], i})
	}
	return l.gone, l.run(ctx)
}

// slotted is what a version needs.
type slotted struct {
	id   objects.ID
	slot int
}

// lookup finds out which versions are whole. It goes from the roots down, and
// looks up chunks in between, so that little is kept in memory.
type lookup struct {
	store  *objects.Store
	from   *objects.Copier
	nodes  []slotted // to be looked at, the next ones last
	chunks []slotted // to be looked up
	gone   []bool    // by slot
}

func (l *lookup) run(ctx context.Context) error {
	for len(l.nodes) > 0 || len(l.chunks) > 0 {
		if err := ctx.Err(); err != nil {
			return err
		}
		if len(l.chunks) >= bringChunks || len(l.nodes) == 0 {
			if err := l.find(ctx, l.chunks, nil); err != nil {
				return err
			}
			l.chunks = l.chunks[:0]
			continue
		}
		n := max(len(l.nodes)-bringNodes, 0)
		batch := append([]slotted{}, l.nodes[n:]...)
		l.nodes = l.nodes[:n]
		if err := l.find(ctx, batch, l.below); err != nil {
			return err
		}
	}
	return nil
}

// find looks things up, and calls found for those that are here, unless the
// version lacks something already.
func (l *lookup) find(ctx context.Context, batch []slotted, found func(raw []byte, slot int) error) error {
	ids := make([]objects.ID, len(batch))
	for i := range batch {
		ids[i] = batch[i].id
	}
	locs, err := l.store.Locate(ctx, ids)
	if err != nil {
		return err
	}
	for i := range locs {
		slot := batch[i].slot
		if !locs[i].Found {
			l.gone[slot] = true
		}
		if l.gone[slot] || found == nil {
			continue
		}
		_, _, err := l.from.Stored(ctx, &locs[i])
		if err == nil {
			err = found(l.from.Raw(), slot)
		}
		if errors.Is(err, ErrCorrupt) {
			l.gone[slot] = true
		} else if err != nil {
			return err
		}
	}
	return nil
}

// below takes in what a node names.
func (l *lookup) below(raw []byte, slot int) error {
	children, err := objects.Children(raw)
	if err != nil {
		return err
	}
	for _, c := range children {
		if c.Node {
			l.nodes = append(l.nodes, slotted{c.ID, slot})
		} else {
			l.chunks = append(l.chunks, slotted{c.ID, slot})
		}
	}
	return nil
}
