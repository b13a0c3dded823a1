package objects

import (
	"context"
	"errors"
	"fmt"

	"github.com/datafs/datafs/index"
)

// CheckTree checks that a tree is whole: its nodes can be read and the index
// knows all its chunks, of which none is known to be damaged. Chunks in done are not
// looked up again. That the index knows a delta is enough: it does so only when it
// knows the bases, and gc lets no base go before the deltas from it.
func (s *Store) CheckTree(ctx context.Context, id ID, done *Marks) error {
	return done.mark(ctx, s, id, marking{look: true})
}

// CheckPart is CheckTree for a tree that is at an authority: what is not here
// is no error, what is here and damaged is. It reports whether all is here.
func (s *Store) CheckPart(ctx context.Context, id ID, done *Marks) (whole bool, err error) {
	done.partial = false
	err = done.mark(ctx, s, id, marking{look: true, part: true})
	return !done.partial, err
}

// Marks remembers what trees reach. The zero value is empty. It is for one
// goroutine.
type Marks struct {
	Damage  *Damage  // what CheckTree takes for damaged; may be nil
	Missing func(ID) // told of each chunk and node that CheckPart finds not to be here; may be nil

	set     idSet
	absent  idSet       // chunks that CheckPart looked for in vain
	done    map[ID]bool // nodes, all below which is in set, and whether all of it is here
	partial bool        // something was not here
}

// Mark adds all that a tree reaches.
func (m *Marks) Mark(ctx context.Context, s *Store, tree ID) error {
	return m.mark(ctx, s, tree, marking{})
}

// MarkPart is Mark for a tree that is at an authority: of what is not here,
// what lies below is not marked.
func (m *Marks) MarkPart(ctx context.Context, s *Store, tree ID) error {
	return m.mark(ctx, s, tree, marking{part: true})
}

// MarkLeft is Mark for a tree that is not needed any more: what is not here, or
// damaged, is no error.
func (m *Marks) MarkLeft(ctx context.Context, s *Store, tree ID) error {
	return m.mark(ctx, s, tree, marking{part: true, left: true})
}

// marking says how a tree is gone through.
type marking struct {
	look bool // look chunks up
	part bool // what is not here is no error
	left bool // what is damaged is no error
}

// skips reports whether an error only means that something is not here, or is
// damaged, and that this is no error. Then what lies below is not marked.
func (m *Marks) skips(how marking, err error) bool {
	absent := absentError{}
	switch {
	case how.part && errors.As(err, &absent):
		m.missing(absent.id)
	case how.left && errors.Is(err, ErrCorrupt):
	default:
		return false
	}
	m.partial = true
	return true
}

func (m *Marks) missing(id ID) {
	if m.Missing != nil {
		m.Missing(id)
	}
}

// Len returns the number of chunks and nodes marked.
func (m *Marks) Len() int { return m.set.len() }

// Has says whether a chunk or node is marked. Of 2^32 marked ones, one that is
// not may count as marked too: see idSet.
func (m *Marks) Has(id ID) bool { return m.set.has(id) }

func (m *Marks) mark(ctx context.Context, s *Store, id ID, how marking) error {
	if m.known(id) {
		return nil
	}
	if err := m.node(ctx, s, id, how); err != nil {
		return err
	}
	before := m.begin()
	t, err := s.Tree(ctx, id)
	if m.skips(how, err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := m.listing(ctx, s, t.root, how); err != nil {
		return fmt.Errorf("tree %s: %w", id, err)
	}
	m.finish(id, before)
	return nil
}

// known reports whether all below a node is marked already.
func (m *Marks) known(node ID) bool {
	whole, known := m.done[node]
	m.partial = m.partial || known && !whole
	return known
}

// node returns what is known to be wrong with a node itself. It is read anyway, but
// perhaps not here: the last nodes are kept in memory.
func (m *Marks) node(ctx context.Context, s *Store, id ID, how marking) error {
	if !how.look || m.Damage.Len() == 0 {
		return nil
	}
	locs, err := s.index.Locate(ctx, localSpace, []ID{id})
	if err != nil {
		return err
	}
	if lost := m.Damage.lost(id); lost != nil || !locs[0].Found {
		return lost
	}
	return m.Damage.of(&locs[0])
}

// begin returns whether something was not here, and forgets it until finish.
func (m *Marks) begin() bool {
	before := m.partial
	m.partial = false
	return before
}

// finish notes that all below a node is marked.
func (m *Marks) finish(node ID, before bool) {
	m.set.add(node)
	if m.done == nil {
		m.done = map[ID]bool{}
	}
	m.done[node] = !m.partial
	m.partial = m.partial || before
}

func (m *Marks) listing(ctx context.Context, s *Store, n *node, how marking) error {
	for i := range n.entries {
		if err := m.file(ctx, s, &n.entries[i], how); err != nil {
			return err
		}
	}
	for _, c := range n.children {
		if m.known(c.id) {
			continue
		}
		if err := m.node(ctx, s, c.id, how); err != nil {
			return err
		}
		before := m.begin()
		below, err := s.listingBelow(ctx, n, c)
		if m.skips(how, err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := m.listing(ctx, s, below, how); err != nil {
			return err
		}
		m.finish(c.id, before)
	}
	return nil
}

func (m *Marks) file(ctx context.Context, s *Store, e *Entry, how marking) error {
	if !e.Kind.IsFile() {
		return nil
	}
	if e.level == 0 {
		return m.leaves(ctx, s, e.inline, how)
	}
	return m.content(ctx, s, ref{e.root, e.Size}, int(e.level), how)
}

func (m *Marks) content(ctx context.Context, s *Store, r ref, level int, how marking) error {
	if m.known(r.id) {
		return nil
	}
	if err := m.node(ctx, s, r.id, how); err != nil {
		return err
	}
	before := m.begin()
	n, err := s.contentBelow(ctx, r, level)
	if m.skips(how, err) {
		return nil
	}
	if err != nil {
		return err
	}
	if level == 1 {
		err = m.leaves(ctx, s, n.refs, how)
	}
	for i := 0; level > 1 && i < len(n.refs) && err == nil; i++ {
		err = m.content(ctx, s, n.refs[i], level-1, how)
	}
	if err == nil {
		m.finish(r.id, before)
	}
	return err
}

func (m *Marks) leaves(ctx context.Context, s *Store, refs []ref, how marking) error {
	var fresh []ref
	for _, r := range refs {
		switch {
		case m.absent.has(r.id):
			m.partial = true
		case how.look && m.Damage.lost(r.id) != nil:
			return m.Damage.lost(r.id)
		case m.set.add(r.id):
			fresh = append(fresh, r)
		}
	}
	if !how.look || len(fresh) == 0 {
		return nil
	}
	ids := make([]ID, len(fresh))
	for i, r := range fresh {
		ids[i] = r.id
	}
	locs, err := s.Locate(ctx, ids)
	if err != nil {
		return err
	}
	for i := range locs {
		if err := m.leaf(&locs[i], fresh[i], how); err != nil {
			return err
		}
	}
	return nil
}

// leaf checks a chunk that was looked up.
func (m *Marks) leaf(loc *index.Loc, r ref, how marking) error {
	switch {
	case m.Damage.lost(r.id) != nil:
		return m.Damage.lost(r.id)
	case !loc.Found && how.part:
		m.absent.add(r.id)
		m.partial = true
		m.missing(r.id)
		return nil
	case !loc.Found:
		return fmt.Errorf("%w: %w", ErrCorrupt, absentError{r.id})
	case int64(loc.Raw) != r.len:
		return wrongLength(r, loc)
	}
	return m.Damage.of(loc)
}

func wrongLength(r ref, loc *index.Loc) error {
	return fmt.Errorf("%w: chunk %s has %d bytes, the tree says %d", ErrCorrupt, r.id, loc.Raw, r.len)
}
