package transfer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
	"github.com/datafs/datafs/remote"
)

const (
	rangesAtOnce = 6
	maxRange     = 8 << 20  // bytes of one request
	maxGap       = 32 << 10 // bytes between two chunks that are fetched rather than asked for anew
	maxChunk     = 32 << 20 // stored bytes of a chunk that are accepted
	tailWindow   = 64 << 10 // bytes that are fetched with a small node: what it names lies before it
	maxTails     = 8
)

// Know remembers where the roots of trees lie, as versions' records say.
func (s *Site) Know(ctx context.Context, places map[objects.ID]string) error {
	byPack := map[objects.ID][]index.Entry{}
	for tree, place := range places {
		if loc, ok := DecodePlace(tree, place); ok {
			byPack[loc.Pack] = append(byPack[loc.Pack], loc.Entry)
		}
	}
	return s.addPlaces(ctx, byPack)
}

// addPlaces remembers where chunks lie, by pack.
func (s *Site) addPlaces(ctx context.Context, byPack map[objects.ID][]index.Entry) error {
	if len(byPack) == 0 {
		return nil
	}
	space, err := s.space(ctx)
	if err != nil {
		return err
	}
	packs := make([]index.Pack, 0, len(byPack))
	for id, entries := range byPack {
		packs = append(packs, index.Pack{ID: id, Entries: entries})
	}
	return s.index.AddPacks(ctx, space, packs...)
}

// Fetch implements objects.Source: it brings chunks into the repository. Those
// that came before an error stay there.
func (s *Site) Fetch(ctx context.Context, ids []objects.ID) error {
	im, err := s.store.Importer(ctx)
	if err != nil {
		return err
	}
	defer im.Close()
	err = s.fetchInto(ctx, im, ids)
	return errors.Join(err, im.Commit(context.WithoutCancel(ctx)))
}

// fetchInto is Fetch without the end: the chunks are found after im.Commit.
func (s *Site) fetchInto(ctx context.Context, im *objects.Importer, ids []objects.ID) error {
	ids = distinct(ids)
	for try := 0; ; try++ {
		locs, err := s.places(ctx, ids, try > 0)
		if err != nil {
			return err
		}
		f := &fetching{s: s, im: im, places: map[objects.ID][]index.Entry{}}
		err = f.run(ctx, locs)
		if len(f.gone) == 0 || err != nil {
			return err
		}
		// Packs have been moved, or removed. Their chunks may lie elsewhere.
		if ids = f.missing; try == 2 {
			if _, err := s.readFormat(ctx); errors.Is(err, fs.ErrNotExist) {
				return leaf.Errorf(remote.ErrUnavailable, "authority %q is empty, and was not at the last time: is the disk mounted?", s.opts.Name)
			}
			return remote.AtAuthority(fmt.Errorf("%w: pack %s, with chunk %s, is missing at authority %q", objects.ErrCorrupt, f.gone[0], ids[0], s.opts.Name))
		}
		if err := s.doubt(ctx, ids); err != nil {
			return err
		}
	}
}

func distinct(ids []objects.ID) []objects.ID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, func(a, b objects.ID) int { return bytes.Compare(a[:], b[:]) })
	return slices.Compact(ids)
}

// doubt notes that chunks are not where they should be, so that the next table that
// names another place counts. Until one does they keep theirs: a pack that is missing
// now, for a mirror is under way, say, may be there the next time.
func (s *Site) doubt(ctx context.Context, ids []objects.ID) error {
	space, err := s.space(ctx)
	if err != nil {
		return err
	}
	return s.index.MarkBad(ctx, space, ids...)
}

// places finds chunks at the authority. What is not known is looked for in the
// tables that were put meanwhile.
func (s *Site) places(ctx context.Context, ids []objects.ID, again bool) ([]index.Loc, error) {
	unknown := func(l index.Loc) bool { return !l.Found }
	locs, err := s.locate(ctx, ids)
	if err != nil || !slices.ContainsFunc(locs, unknown) {
		return locs, err
	}
	if err := s.refresh(ctx, again); err != nil {
		return nil, err
	}
	if locs, err = s.locate(ctx, ids); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(locs, unknown); i >= 0 {
		return nil, remote.AtAuthority(fmt.Errorf("%w: chunk %s is neither here nor at authority %q", objects.ErrCorrupt, ids[i], s.opts.Name))
	}
	return locs, nil
}

// fetching is one run of requests.
type fetching struct {
	s  *Site
	im *objects.Importer

	mu      sync.Mutex                   // guards what follows
	places  map[objects.ID][]index.Entry // of what the fetched nodes name, by pack
	nodes   []storedNode
	gone    []objects.ID // packs that are not there
	missing []objects.ID // chunks that were wanted from them
}

type storedNode struct {
	entry  index.Entry
	stored []byte
}

// span is a range of a pack, and the chunks in it that are wanted.
type span struct {
	pack     objects.ID
	off, end uint64
	entries  []index.Entry
}

// spans merges neighbouring chunks.
func spans(locs []index.Loc) []span {
	slices.SortFunc(locs, func(a, b index.Loc) int {
		if c := bytes.Compare(a.Pack[:], b.Pack[:]); c != 0 {
			return c
		}
		switch {
		case a.Offset < b.Offset:
			return -1
		case a.Offset > b.Offset:
			return 1
		}
		return 0
	})
	var list []span
	for _, l := range locs {
		end := l.Offset + uint64(l.Stored)
		if n := len(list); n > 0 {
			last := &list[n-1]
			if last.pack == l.Pack && l.Offset <= last.end+maxGap && end-last.off <= maxRange {
				last.entries = append(last.entries, l.Entry)
				last.end = max(last.end, end)
				continue
			}
		}
		list = append(list, span{l.Pack, l.Offset, end, []index.Entry{l.Entry}})
	}
	return list
}

func (f *fetching) run(ctx context.Context, locs []index.Loc) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(rangesAtOnce)
	for _, sp := range spans(locs) {
		g.Go(func() error { return f.span(gctx, sp) })
	}
	err := g.Wait()
	return errors.Join(err, f.finish(context.WithoutCancel(ctx)))
}

// finish takes the nodes in, after the places of what they name are known.
func (f *fetching) finish(ctx context.Context) error {
	if err := f.s.addPlaces(ctx, f.places); err != nil {
		return err
	}
	for _, n := range f.nodes {
		if err := f.im.Add(ctx, n.entry, n.stored); err != nil {
			return err
		}
	}
	return nil
}

// span fetches one range and takes its chunks in. When they prove damaged it
// tries once more: the damage may have come on the way.
func (f *fetching) span(ctx context.Context, sp span) error {
	for try := 0; ; try++ {
		data, from, err := f.s.read(ctx, sp, try > 0)
		if errors.Is(err, fs.ErrNotExist) {
			f.lost(sp)
			return nil
		}
		if err == nil {
			err = f.accept(ctx, sp, data, from)
		}
		if err == nil || try > 0 || !errors.Is(err, objects.ErrCorrupt) {
			if errors.Is(err, objects.ErrCorrupt) {
				err = remote.AtAuthority(fmt.Errorf("pack %s at authority %q: %w", sp.pack, f.s.opts.Name, err))
			}
			return err
		}
	}
}

func (f *fetching) lost(sp span) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.gone, sp.pack) {
		f.gone = append(f.gone, sp.pack)
	}
	for _, e := range sp.entries {
		f.missing = append(f.missing, e.ID)
	}
}

// accept verifies the chunks of a range, which begins at from, before any is
// taken in.
func (f *fetching) accept(ctx context.Context, sp span, data []byte, from uint64) error {
	var v objects.Verifier
	at := func(e index.Entry) []byte { return data[e.Offset-from:][:e.Stored] }
	for _, e := range sp.entries {
		raw, err := v.Raw(e, at(e))
		if err != nil {
			return err
		}
		if codec.IsLocated(e) {
			if err := f.node(sp.pack, e, at(e), raw); err != nil {
				return err
			}
		}
	}
	for _, e := range sp.entries {
		if codec.IsLocated(e) {
			continue
		}
		if err := f.im.Add(ctx, e, at(e)); err != nil {
			return err
		}
	}
	return nil
}

// node keeps a node back and notes the places of what it names.
func (f *fetching) node(pack objects.ID, e index.Entry, stored, raw []byte) error {
	children, err := objects.Children(raw)
	if err != nil {
		return err
	}
	places, err := codec.DecodePlaces(stored, pack, children)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range places {
		f.places[places[i].Pack] = append(f.places[places[i].Pack], places[i].Entry)
	}
	f.nodes = append(f.nodes, storedNode{e, bytes.Clone(stored)})
	return nil
}
