package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// Problem is something that a check found. It names no version: see Damage.
type Problem struct {
	What string // what is wrong with what, for people
	Err  error  // wraps ErrCorrupt, or an error of the file system
}

// CheckOptions say what CheckPacks looks at.
type CheckOptions struct {
	Full  bool            // read and verify the bytes of each chunk, too
	Read  func(Pack) bool // with Full: the packs whose chunks are read; nil: all
	Found func(Problem)   // told of everything that is wrong with a pack as a whole
	Stray func(string)    // told of each file below the repository's packs that is none of ours; may be nil
}

// Pack is a pack on disk.
type Pack struct {
	ID   ID
	Size int64 // bytes
}

// CheckReport counts what CheckPacks looked at.
type CheckReport struct {
	Packs, Chunks int64
	Bytes         int64 // of packs
	TakenIn       int64 // packs that the index did not know, and does now
	Missing       []ID  // packs that the index knew, and that are not there; it has forgotten them
	Verified      []ID  // packs whose chunks were all read and are sound
}

// CheckPacks takes in the packs that the index does not know, and then checks every
// pack: its table, that the index knows it, and, where the options say so, the bytes
// of each chunk. It returns the damage that it found, and what was known before. The
// caller keeps gc away with Pin.
func (s *Store) CheckPacks(ctx context.Context, opts *CheckOptions) (CheckReport, *Damage, error) {
	c := &check{s: s, opts: opts, damage: &Damage{map[ID]error{}, map[ID]error{}, map[ID]int64{}}}
	err := c.run(ctx)
	return c.rep, c.damage, err
}

// check is one CheckPacks under way.
type check struct {
	s      *Store
	opts   *CheckOptions
	rep    CheckReport
	damage *Damage
}

func (c *check) run(ctx context.Context) error {
	there, err := c.takeIn(ctx)
	if err != nil {
		return err
	}
	known, err := c.s.index.Packs(ctx, localSpace)
	if err != nil {
		return err
	}
	sizes := map[ID]int64{}
	for _, p := range known {
		sizes[p.ID] = p.Size
	}
	if there {
		if err := c.packs(ctx, sizes); err != nil {
			return err
		}
	}
	for id := range sizes {
		c.missing(id)
	}
	return c.bad(ctx)
}

// takeIn takes in the packs that the index does not know, and reports whether there
// is a directory of packs.
func (c *check) takeIn(ctx context.Context) (there bool, err error) {
	root := c.s.packs.Root()
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		c.found(fmt.Errorf("%w: the directory %s is missing", ErrCorrupt, root))
		return false, nil
	}
	in, err := c.s.takeIn(ctx, func(ID, error) error { return nil }) // packs looks at it
	if err != nil && !readOnly(err) {
		return true, err
	}
	c.rep.TakenIn, c.rep.Missing = in.packs, in.missing
	return true, nil
}

// packs checks the packs on disk, and takes them out of sizes, which are those that
// the index knows.
func (c *check) packs(ctx context.Context, sizes map[ID]int64) error {
	for id, err := range c.s.packs.Files(c.opts.Stray) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		size, known := sizes[id]
		delete(sizes, id)
		if err := c.pack(ctx, id, size, known); err != nil {
			return err
		}
	}
	return nil
}

// missing notes a pack that the index knows and that is no file.
func (c *check) missing(id ID) {
	name := c.s.packs.Path(id)
	if fi, err := os.Lstat(name); err == nil && !fi.Mode().IsRegular() {
		c.found(fmt.Errorf("pack %s: %w", id, &fs.PathError{Op: "read", Path: name, Err: syscall.EISDIR}))
		return
	}
	err := fmt.Errorf("%w: pack %s %w", ErrCorrupt, id, errMissing)
	c.damage.packs[id] = err
	c.found(err)
}

func (c *check) found(err error) { c.opts.Found(Problem{What: err.Error(), Err: err}) }

// bad adds the chunks that reads have found bad.
func (c *check) bad(ctx context.Context) error {
	ids, err := c.s.index.Bad(ctx, localSpace)
	if err != nil || len(ids) == 0 {
		return err
	}
	locs, err := c.s.index.Locate(ctx, localSpace, ids)
	if err != nil {
		return err
	}
	f := fetcher{s: c.s, still: true}
	var sound []ID
	for i := range locs {
		switch _, err := f.fetch(ctx, nil, &locs[i]); {
		case err == nil:
			sound = append(sound, ids[i])
		case ofIndex(err):
			return err
		case !errors.Is(err, errGone): // a pack that is missing is named as a whole
			c.damage.chunks[ids[i]] = err
		}
	}
	if err := c.s.index.ClearBad(ctx, localSpace, sound...); err != nil && !readOnly(err) {
		return err
	}
	return nil
}

func (c *check) pack(ctx context.Context, id ID, knownSize int64, known bool) error {
	c.rep.Packs++
	size, entries, err := c.s.packs.Table(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // fsck runs beside itself
	}
	if err != nil {
		c.found(err)
		if errors.Is(err, ErrCorrupt) && size < knownSize {
			c.damage.short[id] = size
		}
		return nil
	}
	c.rep.Chunks += int64(len(entries))
	c.rep.Bytes += size
	if known {
		switch err := c.s.checkLocations(ctx, id, entries); {
		case ofIndex(err):
			return err
		case err != nil:
			c.found(err)
		}
	}
	if !c.opts.Full || c.opts.Read != nil && !c.opts.Read(Pack{id, size}) {
		return c.bases(ctx, id, entries)
	}
	sound, err := c.read(ctx, id, entries)
	if sound {
		c.rep.Verified = append(c.rep.Verified, id)
	}
	return err
}

// read verifies the chunks of a pack.
func (c *check) read(ctx context.Context, id ID, entries []index.Entry) (sound bool, err error) {
	f := fetcher{s: c.s, still: true}
	sound = true
	var buf []byte
	for _, e := range entries {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		loc := index.Loc{Entry: e, Pack: id, Found: true}
		if buf, err = f.fetch(ctx, buf[:0], &loc); err == nil {
			continue
		}
		sound = false
		if err := c.chunk(ctx, &loc, err); err != nil {
			return false, err
		}
	}
	return sound, nil
}

// chunk notes a bad chunk, if it is the copy that is read; else nobody needs it.
func (c *check) chunk(ctx context.Context, loc *index.Loc, why error) error {
	if ofIndex(why) {
		return why
	}
	if is, err := c.s.isPlace(ctx, loc); !is || err != nil {
		return err
	}
	c.damage.chunks[loc.ID] = why
	if err := c.s.index.MarkBad(ctx, localSpace, loc.ID); err != nil && !readOnly(err) {
		return err
	}
	return nil
}

// bases checks that the bases of a pack's deltas are there, and whole.
func (c *check) bases(ctx context.Context, id ID, entries []index.Entry) error {
	var deltas []index.Loc
	for _, e := range entries {
		if e.Codec == codec.Delta {
			deltas = append(deltas, index.Loc{Entry: e, Pack: id, Found: true})
		}
	}
	return c.s.eachBase(ctx, deltas, func(delta, _ *index.Loc, err error) error {
		if err == nil || errors.Is(err, errGone) {
			return nil
		}
		return c.chunk(ctx, delta, err)
	})
}

// readOnly reports whether an error says that the index cannot be written by this
// user.
func readOnly(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
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
