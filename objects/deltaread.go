package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects/codec"
	"github.com/datafs/datafs/objects/pack"
)

const (
	cachedBases   = 2
	maxCachedBase = 512 << 10 // bytes; of larger ones one is kept
)

// deltaReader is what a fetcher needs for deltas.
type deltaReader struct {
	stored, literals, joined []byte
	bases                    [cachedBases]cachedBase
	next                     int
	careful                  bool // verify bases too
}

type cachedBase struct {
	id  ID // zero: none
	raw []byte
}

// notDamage is an error that says nothing of the chunk that was to be read.
type notDamage struct{ error }

func (f *fetcher) reader() *deltaReader {
	if f.deltas == nil {
		f.deltas = &deltaReader{}
	}
	return f.deltas
}

// fetchCarefully is fetch for a delta that has proved bad: it verifies the
// bases too, to find those that the index is wrong about, or to say which is
// damaged.
func (f *fetcher) fetchCarefully(ctx context.Context, dst []byte, loc *index.Loc) ([]byte, error) {
	d := f.reader()
	defer func(was bool) { d.careful = was }(d.careful)
	d.careful = true
	for i := range d.bases {
		d.bases[i].id = ID{}
	}
	return f.verified(ctx, dst, loc, f.read)
}

// readDelta appends the bytes of a chunk that is stored as a delta to dst. The
// bases need not be verified: the result is.
func (f *fetcher) readDelta(ctx context.Context, dst []byte, loc *index.Loc) ([]byte, error) {
	d := f.reader()
	pf, err := f.open(loc)
	if err != nil {
		return dst, err
	}
	d.stored = codec.Grow(d.stored[:0], int(loc.Stored))[:loc.Stored]
	_, err = pf.ReadAt(d.stored, int64(loc.Offset))
	f.s.packs.Release(pf)
	if err != nil {
		return dst, err
	}
	sd, err := codec.ParseDelta(d.stored)
	if err != nil {
		return dst, err
	}
	base, err := f.join(ctx, sd.Bases)
	if err != nil {
		return dst, err
	}
	dst, d.literals, err = f.dec.DecodeDelta(dst, base, sd, d.literals, int(loc.Raw))
	return dst, err
}

// join returns the bytes of bases, one behind the other, until the next call.
func (f *fetcher) join(ctx context.Context, ids []ID) ([]byte, error) {
	d := f.reader()
	d.joined = d.joined[:0]
	for _, id := range ids {
		raw, err := f.base(ctx, id, nil)
		if err != nil || len(ids) == 1 {
			return raw, err
		}
		d.joined = append(d.joined, raw...)
	}
	return d.joined, nil
}

// base returns the bytes of a base, which must be a whole chunk, until the next
// call. Without a place it is looked up.
func (f *fetcher) base(ctx context.Context, id ID, loc *index.Loc) ([]byte, error) {
	d := f.reader()
	for i := range d.bases {
		if d.bases[i].id == id {
			return d.bases[i].raw, nil
		}
	}
	if known, ok := f.s.places.get(id); ok && loc == nil {
		loc = &known
	}
	if loc == nil {
		locs, err := f.s.locate(ctx, []ID{id})
		if err != nil {
			return nil, badlyBased(id, err)
		}
		loc = &locs[0]
	}
	b := d.slot(int(loc.Raw))
	b.id = ID{}
	raw, err := f.moved(ctx, b.raw[:0], loc, f.fetchBase)
	if d.careful && !f.still && mayHeal(err) {
		var good index.Loc
		if good, err = f.s.healHere(ctx, *loc, err); err == nil {
			raw, err = f.moved(ctx, b.raw[:0], &good, f.fetchBase)
		}
	}
	if err != nil {
		return nil, badlyBased(id, err)
	}
	b.id, b.raw = id, raw
	return raw, nil
}

// badlyBased says why a base cannot be had. That one is not in the repository is
// damage, unlike that a chunk is not.
func badlyBased(id ID, err error) error {
	switch {
	case errors.Is(err, errAbsent):
		return leaf.Mark(fmt.Errorf("it is stored as the difference from chunk %s, which is not in the repository", id), errBase)
	case errors.Is(err, ErrCorrupt):
		return leaf.Mark(fmt.Errorf("it is stored as the difference from chunk %s: %w", id, err), errBase)
	}
	return notDamage{err}
}

// errBase is the kind of the error of a delta whose base is damaged, or not here.
var errBase = errors.New("damage of a base")

// slot returns where the next base may be kept.
func (d *deltaReader) slot(size int) *cachedBase {
	if size > maxCachedBase {
		return &d.bases[0]
	}
	d.next = (d.next + 1) % len(d.bases)
	return &d.bases[d.next]
}

func (f *fetcher) fetchBase(ctx context.Context, dst []byte, loc *index.Loc) ([]byte, error) {
	if f.reader().careful {
		return f.verified(ctx, dst, loc, f.readBase)
	}
	out, err := f.readBase(ctx, dst, loc)
	if err != nil && !errors.Is(err, errGone) && !pack.Unreadable(err) {
		err = fmt.Errorf("%w: pack %s: chunk %s: %w", ErrCorrupt, loc.Pack, loc.ID, err)
	}
	return out, err
}

// readBase refuses deltas, so that no chunk takes more than one step to read.
func (f *fetcher) readBase(_ context.Context, dst []byte, loc *index.Loc) ([]byte, error) {
	if loc.Codec == codec.Delta {
		return dst, errors.New("it is stored as a difference itself")
	}
	return f.readWhole(dst, loc)
}

// maxBasePlaces bounds how many places of bases are remembered: a few
// batches of chunks that were looked up to be read.
const maxBasePlaces = 4 * locateBatch * codec.MaxBases

// basePlaces remembers where bases lie that will soon be read: to look them up
// one by one would cost more than all else about deltas. A place stays true as
// long as its pack is there.
type basePlaces struct {
	mu          sync.Mutex // guards what follows
	now, before map[ID]index.Loc
}

func (p *basePlaces) put(locs []index.Loc) {
	if len(locs) == 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now == nil || len(p.now)+len(locs) > maxBasePlaces {
		p.before, p.now = p.now, map[ID]index.Loc{}
	}
	for _, l := range locs {
		if l.Found {
			p.now[l.ID] = l
		}
	}
}

func (p *basePlaces) get(id ID) (index.Loc, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	l, ok := p.now[id]
	if !ok {
		l, ok = p.before[id]
	}
	return l, ok
}

// basesOf returns the bases of those chunks that are deltas, as far as they can
// be read.
func (s *Store) basesOf(locs []index.Loc) (ids []ID) {
	for i := range locs {
		if locs[i].Found && locs[i].Codec == codec.Delta {
			bases, _ := s.deltaBases(&locs[i])
			ids = append(ids, bases...)
		}
	}
	return ids
}

// deltaBases reads the ids of a delta's bases.
func (s *Store) deltaBases(loc *index.Loc) ([]ID, error) {
	pf, err := s.packs.Acquire(loc.Pack)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errGone
	}
	if err != nil {
		return nil, err
	}
	defer s.packs.Release(pf)
	head := make([]byte, min(int64(loc.Stored), codec.MaxDeltaHead))
	if _, err := pf.ReadAt(head, int64(loc.Offset)); err != nil && err != io.EOF {
		return nil, err
	}
	ids, err := codec.DeltaBases(head)
	if err != nil {
		return nil, fmt.Errorf("%w: pack %s: chunk %s: %w", ErrCorrupt, loc.Pack, loc.ID, err)
	}
	return ids, nil
}

// eachBase calls found for each base of each delta, with where it lies; or with
// an error, where it is not as it must be. The base is nil where the delta's
// head cannot be read.
func (s *Store) eachBase(ctx context.Context, deltas []index.Loc, found func(delta, base *index.Loc, err error) error) error {
	var ids []ID
	var of []*index.Loc
	for i := range deltas {
		bases, err := s.deltaBases(&deltas[i])
		if err != nil {
			if err := found(&deltas[i], nil, err); err != nil {
				return err
			}
		}
		for _, id := range bases {
			ids, of = append(ids, id), append(of, &deltas[i])
		}
	}
	if len(ids) == 0 {
		return nil
	}
	locs, err := s.index.Locate(ctx, localSpace, ids)
	if err != nil {
		return err
	}
	for i := range locs {
		if err := found(of[i], &locs[i], badBase(of[i], &locs[i])); err != nil {
			return err
		}
	}
	return nil
}

func badBase(delta, base *index.Loc) error {
	why := "not in the repository"
	switch {
	case base.Found && base.Codec != codec.Delta:
		return nil
	case base.Found:
		why = "stored as a difference itself"
	}
	return fmt.Errorf("%w: pack %s: chunk %s: it is stored as the difference from chunk %s, which is %s", ErrCorrupt, delta.Pack, delta.ID, base.ID, why)
}
