package objects

import (
	"bufio"
	"context"
	"fmt"
	"github.com/datafs/datafs/objects/pack"
	"os"
	"slices"
	"sync"

	"github.com/gofrs/flock"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// Importer takes chunks in as they are stored elsewhere, without compressing
// them again. Nobody finds a chunk before the pack that it went to is durable:
// when the pack was full, or after Commit. While an Importer is open, gc waits.
// Its methods may be called by several goroutines.
type Importer struct {
	s    *Store
	lock *flock.Flock

	mu   sync.Mutex // guards what follows
	pack *pack.Writer
	buf  *bufio.Writer
	seen map[ID]struct{} // in the open pack
}

// Importer starts taking chunks in.
func (s *Store) Importer(ctx context.Context) (*Importer, error) {
	lock, err := s.lock(ctx, false)
	if err != nil {
		return nil, err
	}
	return s.importer(lock), nil
}

// importer makes an Importer that gives a lock back when it is closed.
func (s *Store) importer(lock *flock.Flock) *Importer {
	return &Importer{s: s, lock: lock, buf: bufio.NewWriterSize(nil, 256<<10), seen: map[ID]struct{}{}}
}

// Add takes in a stored chunk that Verifier has accepted. One that is in the
// open pack already is left out; whether it is in the store is the caller's to
// ask.
func (im *Importer) Add(ctx context.Context, e index.Entry, stored []byte) error {
	e, stored, err := codec.Unlocate(e, stored)
	if err != nil {
		return err
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	if _, there := im.seen[e.ID]; there {
		return nil
	}
	if im.pack == nil {
		if im.pack, err = im.s.packs.NewWriter(im.buf); err != nil {
			return err
		}
	}
	if err := im.pack.Add(e, stored); err != nil {
		return err
	}
	im.seen[e.ID] = struct{}{}
	if im.pack.Full() {
		return im.commit(ctx)
	}
	return nil
}

// Commit makes what was added durable and known.
func (im *Importer) Commit(ctx context.Context) error {
	im.mu.Lock()
	defer im.mu.Unlock()
	return im.commit(ctx)
}

func (im *Importer) commit(ctx context.Context) error {
	if im.pack == nil {
		return nil
	}
	pack, err := im.pack.Commit()
	im.pack = nil
	clear(im.seen)
	if err != nil {
		return err
	}
	return im.s.index.AddPacks(ctx, localSpace, pack)
}

// Close discards what is not committed and lets gc go on.
func (im *Importer) Close() error {
	im.mu.Lock()
	defer im.mu.Unlock()
	if im.pack != nil {
		im.pack.Discard()
		im.pack = nil
	}
	return im.lock.Unlock()
}

// Verifier decodes stored chunks and compares their hashes. It is for one
// goroutine.
type Verifier struct {
	dec codec.Decoder
	raw []byte
}

// Raw decodes a stored chunk and verifies it. The bytes are good until the next
// call. The error wraps ErrCorrupt.
func (v *Verifier) Raw(e index.Entry, stored []byte) ([]byte, error) {
	if e.Raw > codec.MaxChunk || int64(len(stored)) != int64(e.Stored) {
		return nil, fmt.Errorf("%w: chunk %s: %d bytes stored, want %d", ErrCorrupt, e.ID, len(stored), e.Stored)
	}
	raw, err := v.dec.Decode(v.raw[:0], stored, e.Codec, e.Filter, int(e.Raw))
	if err != nil {
		return nil, fmt.Errorf("%w: chunk %s: %w", ErrCorrupt, e.ID, err)
	}
	if v.raw = raw; Hash(raw) != e.ID {
		return nil, fmt.Errorf("%w: chunk %s: the bytes do not match their hash", ErrCorrupt, e.ID)
	}
	return raw, nil
}

// Copier reads chunks of the repository as they are stored, and verifies them.
// It is for one goroutine.
type Copier struct {
	s      *Store
	v      Verifier
	stored []byte
	f      fetcher        // of deltas
	enc    *codec.Encoder // of these as whole chunks; nil until the first
}

// Copier returns a new one.
func (s *Store) Copier() *Copier { return &Copier{s: s, f: fetcher{s: s}} }

// Stored reads a chunk as it is stored, and returns the entry that tells how. A
// chunk that is the difference from others here is made whole: no difference
// leaves the repository. The bytes are good until the next call. The error wraps
// ErrCorrupt where they are not the chunk.
func (c *Copier) Stored(ctx context.Context, loc *index.Loc) (index.Entry, []byte, error) {
	if loc.Codec == codec.Delta {
		return c.whole(ctx, loc)
	}
	stored, err := c.asStored(loc)
	if mayHeal(err) {
		var good index.Loc
		if good, err = c.s.heal(ctx, *loc, err); err != nil {
			return loc.Entry, nil, err
		}
		if good.Codec == codec.Delta {
			return c.whole(ctx, &good)
		}
		loc = &good
		stored, err = c.asStored(loc)
	}
	return loc.Entry, stored, err
}

// Check reads a chunk that is no difference from others, and verifies it. Unlike
// Stored it looks for no other copy.
func (c *Copier) Check(loc *index.Loc) error {
	_, err := c.asStored(loc)
	return err
}

func (c *Copier) whole(ctx context.Context, loc *index.Loc) (e index.Entry, stored []byte, err error) {
	e = loc.Entry
	if c.v.raw, err = c.f.fetchMoved(ctx, c.v.raw[:0], loc); err != nil {
		return e, nil, err
	}
	if c.enc == nil {
		c.enc = &codec.Encoder{}
	}
	c.stored, e.Codec, e.Filter = c.enc.Encode(c.stored[:0], c.v.raw)
	if stored = c.stored; e.Codec == codec.Raw {
		stored = c.v.raw
	}
	e.Stored = uint32(len(stored))
	return e, stored, nil
}

func (c *Copier) asStored(loc *index.Loc) ([]byte, error) {
	if loc.Raw > codec.MaxChunk || loc.Stored > 2*codec.MaxChunk {
		return nil, fmt.Errorf("%w: chunk %s is too large", ErrCorrupt, loc.ID)
	}
	var err error
	if c.stored, err = c.s.storedBytes(c.stored[:0], loc); err != nil && !pack.Unreadable(err) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err) // the pack is missing, or cut short
	}
	if err == nil {
		_, err = c.v.Raw(loc.Entry, c.stored)
	}
	if err != nil {
		return nil, fmt.Errorf("chunk %s in pack %s: %w", loc.ID, loc.Pack, err)
	}
	return c.stored, nil
}

// Raw returns the raw bytes of the chunk that Stored read last.
func (c *Copier) Raw() []byte { return c.v.raw }

// PackFile is a pack on its way to an authority, in a file that is removed by
// Close. It is for one goroutine.
type PackFile struct {
	w *pack.Writer
}

// NewPackFile starts a pack. The caller holds the store with Pin.
func (s *Store) NewPackFile() (*PackFile, error) {
	w, err := s.packs.NewWriter(bufio.NewWriterSize(nil, 256<<10))
	if err != nil {
		return nil, err
	}
	return &PackFile{w}, nil
}

// Add appends a stored chunk, which must not be in the pack yet, and returns
// where it lies.
func (p *PackFile) Add(e index.Entry, stored []byte) (index.Entry, error) {
	err := p.w.Add(e, stored)
	return p.w.Last(), err
}

// Full says whether the pack has reached its usual size.
func (p *PackFile) Full() bool { return p.w.Full() }

// Size returns the bytes in the pack so far.
func (p *PackFile) Size() int64 { return p.w.Size() }

// Finish completes the pack and returns its table. Its file can then be read.
func (p *PackFile) Finish() (index.Pack, error) {
	pack, err := p.w.Seal()
	if err == nil {
		err = p.w.ReadBack()
	}
	return pack, err
}

// File returns the finished pack's file, to be read from its beginning.
func (p *PackFile) File() *os.File { return p.w.File() }

// Close removes the file.
func (p *PackFile) Close() error {
	p.w.Discard()
	return nil
}

// Pin keeps gc away until release is called: what is in the store stays where
// it is, and files in tmp stay too.
func (s *Store) Pin(ctx context.Context) (release func() error, err error) {
	lock, err := s.lock(ctx, false)
	if err != nil {
		return nil, err
	}
	return lock.Unlock, nil
}

// OpenPack opens the file of one of the store's own packs.
func (s *Store) OpenPack(id ID) (*os.File, error) { return index.OpenRead(s.packs.Path(id)) }

// PackTable reads the table of one of the store's own packs.
func (s *Store) PackTable(id ID) (index.Pack, error) {
	size, entries, err := s.packs.Table(id)
	return index.Pack{ID: id, Size: size, Entries: entries}, err
}

// Locate finds chunks in the repository, by slot.
func (s *Store) Locate(ctx context.Context, ids []ID) ([]index.Loc, error) {
	locs, err := s.index.Locate(ctx, localSpace, ids)
	if err != nil || !slices.ContainsFunc(locs, func(l index.Loc) bool { return !l.Found }) {
		return locs, err
	}
	if found, err := s.takeInOnce(ctx); err != nil || !found {
		return locs, err
	}
	return s.index.Locate(ctx, localSpace, ids)
}
