package transfer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
)

// PushOptions say how to push.
type PushOptions struct {
	Dry  bool // only find out what would be sent
	Warn func(text string)
}

// PushReport says what a push sent, or would send. Sizes are in bytes.
type PushReport struct {
	Chunks int64 // new ones
	New    int64 // raw bytes of new chunks
	Sent   int64 // stored bytes of new chunks and nodes
	Shared int64 // raw bytes of the trees that were at the authority already
	Packs  int64

	// Roots are the places of the pushed trees; empty after a dry run.
	Roots map[objects.ID]string
}

// Push brings the content of trees to the authority: first the chunks that are
// missing there, in packs, then the nodes, with the places of what they name,
// and then a table of all that was sent. Stored bytes are copied and verified,
// not compressed again. Each pack that has arrived is remembered at once, so
// that a push that was broken off goes on where it stopped. gc waits meanwhile.
// The error is an ErrDamageHere where content of a tree is damaged, or not here.
func (s *Site) Push(ctx context.Context, trees []objects.ID, opts *PushOptions) (*PushReport, error) {
	if opts == nil {
		opts = &PushOptions{}
	}
	release, err := s.store.Pin(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	p := &push{
		s: s, opts: opts, rep: &PushReport{Roots: map[objects.ID]string{}}, from: s.store.Copier(),
		whole: map[objects.ID]bool{}, recent: map[objects.ID]index.Loc{},
	}
	defer p.close()
	if err := p.look(ctx); err != nil {
		return nil, err
	}
	return p.rep, p.run(ctx, trees)
}

// push is one push under way. It is for one goroutine; packs are sent by
// another one while the next are filled.
type push struct {
	s    *Site
	opts *PushOptions
	rep  *PushReport
	from *objects.Copier
	out  *objects.PackFile // being filled

	empty bool                // nothing has ever been pushed to the authority
	lossy bool                // packs have been lost there: a node does not stand for what it names
	there map[objects.ID]bool // packs at the authority
	gone  int                 // packs that were there once, and are not

	window []objects.ID        // chunks to be looked at
	whole  map[objects.ID]bool // packs of the repository that have been considered to be sent as they are
	marks  objects.Marks       // all that the trees reach

	recent map[objects.ID]index.Loc // what was put into packs, until the index knows; the zero pack is out
	landed []objects.ID             // those of them that the index knows by now
	flight *flight                  // the pack that is being sent
}

const windowChunks = 8192

// look finds out what is at the authority.
func (p *push) look(ctx context.Context) error {
	var err error
	if p.opts.Dry {
		_, err = p.s.Meet(ctx)
		if errors.Is(err, fs.ErrNotExist) {
			p.empty = true
			return nil
		}
	} else {
		_, err = p.s.Found(ctx)
	}
	if err != nil {
		return err
	}
	if err := p.s.refresh(ctx, false); err != nil {
		return err
	}
	var lost int
	if p.there, p.gone, lost, err = p.s.listPacks(ctx); err != nil {
		return err
	}
	if lost > 0 && p.opts.Warn != nil {
		p.opts.Warn(fmt.Sprintf("%d packs that were at authority %q are gone: what lay in them is sent again where it is needed and here", lost, p.s.opts.Name))
	}
	if lost > 0 {
		p.lossy = true
		return p.s.Note(ctx, lossy)
	}
	p.lossy, err = p.s.Noted(ctx, lossy)
	return err
}

func (p *push) run(ctx context.Context, trees []objects.ID) error {
	for _, t := range trees {
		if err := p.marks.MarkPart(ctx, p.s.store, t); err != nil { // the rest must be there already
			return hurt(err)
		}
	}
	if err := p.chunks(ctx, trees); err != nil {
		return err
	}
	if err := p.nodes(ctx, trees); err != nil {
		return err
	}
	if p.opts.Dry {
		p.rep.Packs = (p.rep.Sent + packSize - 1) / packSize
		return nil
	}
	if err := p.flush(ctx); err != nil {
		return err
	}
	if err := p.land(ctx); err != nil {
		return err
	}
	if err := p.s.announce(ctx); err != nil {
		return err
	}
	if err := p.s.compact(ctx); err != nil && p.opts.Warn != nil {
		p.opts.Warn(fmt.Sprintf("the tables of authority %q could not be merged: %v", p.s.opts.Name, err))
	}
	if err := p.s.store.Needed(ctx, &p.marks); err != nil {
		return err
	}
	return p.roots(ctx, trees)
}

const packSize = 64 << 20 // about; for the estimate of a dry run

// known looks chunks up at the authority, by slot.
func (p *push) known(ctx context.Context, ids []objects.ID) ([]index.Loc, error) {
	if p.empty {
		return make([]index.Loc, len(ids)), nil
	}
	locs, err := p.s.locate(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, id := range ids {
		if l, ok := p.recent[id]; ok {
			locs[i] = l
		} else if p.gone > 0 && !p.there[locs[i].Pack] {
			locs[i].Found = false
		}
	}
	return locs, nil
}

// located says whether a node is at the authority with all that it names.
func (p *push) located(ctx context.Context, id objects.ID) (bool, error) {
	locs, err := p.known(ctx, []objects.ID{id})
	return err == nil && locs[0].Found && codec.IsLocated(locs[0].Entry), err
}

// chunks sends the chunks that the authority lacks.
func (p *push) chunks(ctx context.Context, trees []objects.ID) error {
	w := p.s.newWalk()
	w.skip = func(ctx context.Context, id objects.ID) (bool, error) {
		there, err := p.located(ctx, id)
		return there && !p.lossy, err
	}
	w.visit = func(ctx context.Context, n *nodeAt) error {
		for _, c := range n.children {
			if c.Node {
				continue
			}
			if p.window = append(p.window, c.ID); len(p.window) == windowChunks {
				if err := p.sendWindow(ctx); err != nil {
					return err
				}
			}
		}
		return nil
	}
	for _, t := range trees {
		if err := w.node(ctx, t); err != nil {
			return err
		}
	}
	return p.sendWindow(ctx)
}

// sendWindow sends those of the gathered chunks that the authority lacks.
func (p *push) sendWindow(ctx context.Context) error {
	p.settle()
	ids := inOrder(p.window)
	p.window = p.window[:0]
	locs, err := p.known(ctx, ids)
	if err != nil {
		return err
	}
	missing := ids[:0]
	for i, id := range ids {
		if !locs[i].Found {
			missing = append(missing, id)
		}
	}
	here, err := p.s.store.Locate(ctx, missing)
	if err != nil {
		return err
	}
	for i := range here {
		if err := p.sendChunk(ctx, &here[i]); err != nil {
			return err
		}
	}
	return nil
}

func (p *push) sendChunk(ctx context.Context, loc *index.Loc) error {
	if !loc.Found {
		return hurt(fmt.Errorf("%w: chunk %s is not in the repository", objects.ErrCorrupt, loc.ID))
	}
	p.rep.Chunks++
	p.rep.New += int64(loc.Raw)
	if p.opts.Dry {
		return p.count(ctx, loc)
	}
	if err := p.sendWhole(ctx, loc.Pack); err != nil {
		return err
	}
	if _, done := p.recent[loc.ID]; done {
		return nil
	}
	e, stored, err := p.from.Stored(ctx, loc)
	if err != nil {
		return hurt(err)
	}
	return p.add(ctx, e, stored)
}

// count counts a chunk that would be sent.
func (p *push) count(ctx context.Context, loc *index.Loc) error {
	e := loc.Entry
	if codec.IsDelta(e) { // it would be sent whole
		var err error
		if e, _, err = p.from.Stored(ctx, loc); err != nil {
			return hurt(err)
		}
	}
	p.rep.Sent += int64(e.Stored)
	return nil
}

// inOrder drops doubles and keeps the order.
func inOrder(ids []objects.ID) []objects.ID {
	seen := make(map[objects.ID]bool, len(ids))
	out := make([]objects.ID, 0, len(ids))
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			out = append(out, id)
		}
	}
	return out
}

// nodes sends the nodes that the authority lacks. All chunks are there by now,
// or under way before them.
func (p *push) nodes(ctx context.Context, trees []objects.ID) error {
	w := p.s.newWalk()
	w.skip = func(ctx context.Context, id objects.ID) (bool, error) {
		there, err := p.located(ctx, id)
		return there && !p.lossy, err
	}
	w.visit = p.sendNode
	for _, t := range trees {
		if err := w.node(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

func (p *push) sendNode(ctx context.Context, n *nodeAt) error {
	p.settle()
	if there, err := p.located(ctx, n.loc.ID); there || err != nil {
		return err
	}
	if p.opts.Dry {
		p.rep.Sent += int64(n.loc.Stored)
		return nil
	}
	ids := make([]objects.ID, len(n.children))
	for i, c := range n.children {
		ids[i] = c.ID
	}
	places, err := p.known(ctx, ids)
	if err != nil {
		return err
	}
	for _, l := range places {
		if !l.Found {
			return fmt.Errorf("node %s: chunk %s did not arrive at authority %q", n.loc.ID, l.ID, p.s.opts.Name)
		}
	}
	e, stored, err := p.from.Stored(ctx, &n.loc)
	if err != nil {
		return hurt(err)
	}
	e, stored = codec.EncodeLocated(e, stored, n.children, places)
	return p.add(ctx, e, stored)
}

// roots notes where the trees lie.
func (p *push) roots(ctx context.Context, trees []objects.ID) error {
	locs, err := p.known(ctx, trees)
	if err != nil {
		return err
	}
	for i, l := range locs {
		if !l.Found {
			return fmt.Errorf("tree %s did not arrive at authority %q", trees[i], p.s.opts.Name)
		}
		p.rep.Roots[trees[i]] = EncodePlace(l)
	}
	return nil
}
