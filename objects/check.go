package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index"
)

// Problem is something that Check found.
type Problem struct {
	What string // what is wrong with what, for people
	Err  error  // wraps ErrCorrupt, or an error of the file system
}

// CheckReport counts what Check looked at.
type CheckReport struct {
	Packs, Chunks int64
	Bytes         int64 // stored bytes read
	Leftover      int64 // packs that a killed writer left and no index knows; gc takes care of them
}

// CheckPacks checks every pack: its table, that the index knows it, and, with
// full, the bytes of each chunk. found is called for each problem.
func (s *Store) CheckPacks(ctx context.Context, full bool, found func(Problem)) (CheckReport, error) {
	var rep CheckReport
	known, err := s.knownPacks(ctx)
	if err != nil {
		return rep, err
	}
	for id, err := range s.packIDs() {
		if err != nil {
			return rep, err
		}
		if err := ctx.Err(); err != nil {
			return rep, err
		}
		s.checkPack(ctx, id, known[id], full, &rep, found)
		delete(known, id)
	}
	for id := range known {
		err := fmt.Errorf("%w: pack %s is missing", ErrCorrupt, id)
		found(Problem{What: err.Error(), Err: err})
	}
	return rep, nil
}

// knownPacks returns the packs that the index knows.
func (s *Store) knownPacks(ctx context.Context) (map[ID]bool, error) {
	packs, err := s.index.Packs(ctx, localSpace)
	known := make(map[ID]bool, len(packs))
	for _, p := range packs {
		known[p.ID] = true
	}
	return known, err
}

func (s *Store) checkPack(ctx context.Context, id ID, known, full bool, rep *CheckReport, found func(Problem)) {
	rep.Packs++
	size, entries, err := s.packTable(id)
	if err != nil {
		found(Problem{What: err.Error(), Err: err})
		return
	}
	rep.Chunks += int64(len(entries))
	rep.Bytes += size
	if !known {
		rep.Leftover++
	} else if err := s.checkLocations(ctx, id, entries); err != nil {
		found(Problem{What: err.Error(), Err: err})
	}
	if !full {
		if known {
			s.checkBases(ctx, id, entries, found)
		}
		return
	}
	f := fetcher{s: s}
	var buf []byte
	for _, e := range entries {
		if ctx.Err() != nil {
			return
		}
		if buf, err = f.fetch(ctx, buf[:0], &index.Loc{Entry: e, Pack: id, Found: true}); err != nil {
			found(Problem{What: err.Error(), Err: err})
		}
	}
}

// checkLocations checks that the index knows all chunks of a pack, there or in
// another one.
func (s *Store) checkLocations(ctx context.Context, id ID, entries []index.Entry) error {
	ids := make([]ID, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	locs, err := s.index.Locate(ctx, localSpace, ids)
	if err != nil {
		return err
	}
	for i, l := range locs {
		if !l.Found || (l.Pack == id && l.Entry != entries[i]) {
			return fmt.Errorf("%w: index: chunk %s of pack %s is not in it as it is in the pack", ErrCorrupt, ids[i], id)
		}
	}
	return nil
}

// checkBases checks that the bases of a pack's deltas are there, and whole.
func (s *Store) checkBases(ctx context.Context, id ID, entries []index.Entry, found func(Problem)) {
	var deltas []index.Loc
	for _, e := range entries {
		if e.Codec == codecDelta {
			deltas = append(deltas, index.Loc{Entry: e, Pack: id, Found: true})
		}
	}
	err := s.eachBase(ctx, deltas, func(_, _ *index.Loc, err error) error {
		if err != nil {
			found(Problem{What: err.Error(), Err: err})
		}
		return nil
	})
	if err != nil {
		found(Problem{What: err.Error(), Err: err})
	}
}

// CheckTree checks that a tree is whole: its nodes can be read and the index
// knows all its chunks. Chunks in done are not looked up again. That the index
// knows a delta is enough: it does so only when it knows the bases, and gc lets
// no base go before the deltas from it.
func (s *Store) CheckTree(ctx context.Context, id ID, done *Marks) error {
	return done.mark(ctx, s, id, marking{look: true})
}

// CheckPart is CheckTree for a tree that is at an authority: what is not here
// is no error, what is here and damaged is.
func (s *Store) CheckPart(ctx context.Context, id ID, done *Marks) error {
	return done.mark(ctx, s, id, marking{look: true, part: true})
}

// Marks remembers what trees reach. The zero value is empty.
type Marks struct {
	set  idSet
	done map[ID]bool // nodes, all below which is in set: a file may have a node's bytes, and so its id
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

// marking says how a tree is gone through.
type marking struct {
	look bool // look chunks up
	part bool // what is not here is no error
}

// skips says whether an error only means that something is not here, and that
// this is no error.
func (how marking) skips(err error) bool { return how.part && errors.Is(err, errAbsent) }

// Len returns the number of chunks and nodes marked.
func (m *Marks) Len() int { return m.set.len() }

// Has says whether a chunk or node is marked. Of 2^32 marked ones, one that is
// not may count as marked too: see idSet.
func (m *Marks) Has(id ID) bool { return m.set.has(id) }

func (m *Marks) mark(ctx context.Context, s *Store, id ID, how marking) error {
	if m.done[id] {
		return nil
	}
	t, err := s.Tree(ctx, id)
	if how.skips(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := m.listing(ctx, s, t.root, how); err != nil {
		return fmt.Errorf("tree %s: %w", id, err)
	}
	m.finish(id)
	return nil
}

func (m *Marks) finish(node ID) {
	m.set.add(node)
	if m.done == nil {
		m.done = map[ID]bool{}
	}
	m.done[node] = true
}

func (m *Marks) listing(ctx context.Context, s *Store, n *node, how marking) error {
	for i := range n.entries {
		if err := m.file(ctx, s, &n.entries[i], how); err != nil {
			return err
		}
	}
	for _, c := range n.children {
		if m.done[c.id] {
			continue
		}
		below, err := s.listingBelow(ctx, n, c)
		if how.skips(err) {
			continue
		}
		if err != nil {
			return err
		}
		if err := m.listing(ctx, s, below, how); err != nil {
			return err
		}
		m.finish(c.id)
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
	if m.done[r.id] {
		return nil
	}
	n, err := s.contentBelow(ctx, r, level)
	if how.skips(err) {
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
		m.finish(r.id)
	}
	return err
}

func (m *Marks) leaves(ctx context.Context, s *Store, refs []ref, how marking) error {
	var fresh []refAt
	for _, r := range refs {
		if m.set.add(r.id) {
			fresh = append(fresh, refAt{ref: r})
		}
	}
	if !how.look {
		return nil
	}
	_, err := s.lookUp(ctx, fresh, nil)
	if how.skips(err) {
		return nil
	}
	return err
}

// packIDs lists the packs that are on disk.
func (s *Store) packIDs() iter.Seq2[ID, error] {
	return func(yield func(ID, error) bool) {
		root := filepath.Join(s.dir, "packs")
		subs, err := os.ReadDir(root)
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: the directory %s is missing", ErrCorrupt, root)
		}
		if err != nil {
			yield(ID{}, err)
			return
		}
		for _, sub := range subs {
			files, err := os.ReadDir(filepath.Join(root, sub.Name()))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				yield(ID{}, err)
				return
			}
			for _, f := range files {
				if id, err := ParseID(f.Name()); err == nil && !yield(id, nil) {
					return
				}
			}
		}
	}
}

// Rebuild fills the index, from which the local space has been dropped or lost,
// with the tables of all packs. Packs that cannot be read are found and left
// out.
func (s *Store) Rebuild(ctx context.Context, found func(Problem)) error {
	lock, err := s.lock(ctx, false) // gc must not remove a pack that is being registered
	if err != nil {
		return err
	}
	defer lock.Unlock()
	if err := s.index.DropSpace(ctx, localSpace); err != nil {
		return err
	}
	var batch []index.Pack
	n := 0
	flush := func() error {
		err := s.index.AddPacks(ctx, localSpace, batch...)
		batch, n = nil, 0
		return err
	}
	for id, err := range s.packIDs() {
		if err != nil {
			return err
		}
		size, entries, err := s.packTable(id)
		if err != nil {
			found(Problem{What: err.Error(), Err: err})
			continue
		}
		batch = append(batch, index.Pack{ID: id, Size: size, Entries: entries})
		if n += len(entries) + 1; n > maxPackEntries {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
