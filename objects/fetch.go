package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
	"github.com/datafs/datafs/objects/pack"
)

// fetcher reads and verifies chunks. It is for one goroutine.
type fetcher struct {
	s      *Store
	dec    codec.Decoder
	stored []byte
	deltas *deltaReader // nil until the first delta
	still  bool         // heal nothing
}

// readFunc appends the raw bytes of a chunk to dst.
type readFunc func(ctx context.Context, dst []byte, loc *index.Loc) ([]byte, error)

// errGone says that a pack is not there any more; gc may have moved its chunks.
var errGone = errors.New("pack is not there")

// fetch appends the raw bytes of a chunk to dst. Its hash has been verified.
func (f *fetcher) fetch(ctx context.Context, dst []byte, loc *index.Loc) ([]byte, error) {
	out, err := f.verified(ctx, dst, loc, f.read)
	if errors.Is(err, ErrCorrupt) && loc.Codec == codec.Delta {
		return f.fetchCarefully(ctx, dst, loc)
	}
	return out, err
}

func (f *fetcher) verified(ctx context.Context, dst []byte, loc *index.Loc, read readFunc) ([]byte, error) {
	base := len(dst)
	out, err := read(ctx, dst, loc)
	if err == nil && Hash(out[base:]) != loc.ID {
		err = errors.New("the bytes do not match their hash")
	}
	if err == nil || errors.Is(err, errGone) {
		return out, err
	}
	if other := (notDamage{}); errors.As(err, &other) {
		return dst, other.error
	}
	if pack.Unreadable(err) {
		f.s.packs.Forget(loc.Pack) // another file may be there by then
		return dst[:base], fmt.Errorf("read chunk %s: %w", loc.ID, err)
	}
	if again, ok := f.rescue(ctx, dst, loc, read); ok {
		return again, nil
	}
	return dst[:base], fmt.Errorf("%w: pack %s: chunk %s: %w", ErrCorrupt, loc.Pack, loc.ID, err)
}

func (f *fetcher) read(ctx context.Context, dst []byte, loc *index.Loc) ([]byte, error) {
	if loc.Codec == codec.Delta {
		return f.readDelta(ctx, dst, loc)
	}
	return f.readWhole(dst, loc)
}

// readWhole reads a chunk that is no delta.
func (f *fetcher) readWhole(dst []byte, loc *index.Loc) ([]byte, error) {
	pf, err := f.open(loc)
	if err != nil {
		return dst, err
	}
	defer f.s.packs.Release(pf)
	if loc.Codec == codec.Raw && loc.Filter == 0 {
		return readRaw(dst, pf, loc)
	}
	f.stored = codec.Grow(f.stored[:0], int(loc.Stored))[:loc.Stored]
	if _, err := pf.ReadAt(f.stored, int64(loc.Offset)); err != nil {
		return dst, err
	}
	return f.dec.Decode(dst, f.stored, loc.Codec, loc.Filter, int(loc.Raw))
}

// open opens the pack of a chunk, whose lengths it bounds. The caller releases
// it.
func (f *fetcher) open(loc *index.Loc) (*pack.File, error) {
	if loc.Raw > codec.MaxChunk || loc.Stored > 2*codec.MaxChunk {
		return nil, errors.New("chunk too large")
	}
	pf, err := f.s.packs.Acquire(loc.Pack)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errGone
	}
	return pf, err
}

func readRaw(dst []byte, pf *pack.File, loc *index.Loc) ([]byte, error) {
	if loc.Stored != loc.Raw {
		return dst, fmt.Errorf("%d bytes, want %d", loc.Stored, loc.Raw)
	}
	base := len(dst)
	dst = codec.Grow(dst, int(loc.Raw))[:base+int(loc.Raw)]
	_, err := pf.ReadAt(dst[base:], int64(loc.Offset))
	return dst, err
}

// rescue reads a chunk by its pack's own table, for an index that is wrong.
func (f *fetcher) rescue(ctx context.Context, dst []byte, loc *index.Loc, read readFunc) ([]byte, bool) {
	_, entries, err := f.s.packs.Table(loc.Pack)
	if err != nil {
		return dst, false
	}
	e, ok := findEntry(entries, loc.ID)
	if !ok || e == loc.Entry {
		return dst, false
	}
	base := len(dst)
	out, err := read(ctx, dst, &index.Loc{Entry: e, Pack: loc.Pack, Found: true})
	return out, err == nil && Hash(out[base:]) == loc.ID
}
