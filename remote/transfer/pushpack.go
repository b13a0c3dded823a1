package transfer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
)

// minWhole is the size in bytes from which a pack of the repository may be sent
// as it is, rather than gathered with others.
const minWhole = 16 << 20

// add puts a stored chunk into the open pack, and sends that when it is full.
func (p *push) add(ctx context.Context, e index.Entry, stored []byte) (err error) {
	if p.out == nil {
		if p.out, err = p.s.store.NewPackFile(); err != nil {
			return err
		}
	}
	if e, err = p.out.Add(e, stored); err != nil {
		return err
	}
	p.recent[e.ID] = index.Loc{Entry: e, Found: true}
	p.rep.Sent += int64(e.Stored)
	if p.out.Full() {
		return p.flush(ctx)
	}
	return nil
}

// flush sends the open pack.
func (p *push) flush(ctx context.Context) error {
	if p.out == nil {
		return nil
	}
	pack, err := p.out.Finish()
	if err != nil {
		return err
	}
	out := p.out
	p.out = nil
	return p.send(ctx, pack, out.File(), out.Close)
}

// sendWhole sends a pack of the repository as it is, if the trees need all of
// it and the authority has next to nothing of it. Nodes in it do not count:
// they go with their places, later. A pack that is damaged, or cannot be read, is
// not sent so: other copies of its chunks may be good.
func (p *push) sendWhole(ctx context.Context, id objects.ID) error {
	if p.whole[id] {
		return nil
	}
	p.whole[id] = true
	pack, err := p.s.store.PackTable(id)
	if err != nil {
		return ctx.Err()
	}
	if worth, err := p.worthWhole(ctx, pack); !worth || err != nil {
		return err
	}
	if pack.Entries, err = p.verify(ctx, pack); err != nil {
		return ctx.Err()
	}
	f, err := p.s.store.OpenPack(id)
	if err != nil {
		return err
	}
	p.rep.Sent += pack.Size
	return p.send(ctx, pack, f, f.Close)
}

func (p *push) worthWhole(ctx context.Context, pack index.Pack) (bool, error) {
	if pack.Size < minWhole {
		return false, nil
	}
	ids := make([]objects.ID, len(pack.Entries))
	for i, e := range pack.Entries {
		if !p.marks.Has(e.ID) || codec.IsDelta(e) {
			return false, nil // it belongs to others, or is of no use without others
		}
		ids[i] = e.ID
	}
	locs, err := p.known(ctx, ids)
	var there int64
	for i, e := range pack.Entries {
		if locs[i].Found {
			there += int64(e.Stored)
		}
	}
	return there < pack.Size/16, err
}

// verify reads all chunks of a pack, and returns those that are no nodes.
func (p *push) verify(ctx context.Context, pack index.Pack) ([]index.Entry, error) {
	chunks := make([]index.Entry, 0, len(pack.Entries))
	for _, e := range pack.Entries {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.from.Check(&index.Loc{Entry: e, Pack: pack.ID, Found: true}); err != nil {
			return nil, err
		}
		if _, err := objects.Children(p.from.Raw()); err != nil {
			chunks = append(chunks, e)
		}
	}
	return chunks, nil
}

// flight is a pack that is being sent.
type flight struct {
	pack index.Pack
	done chan error
}

// send sends a pack in the background, after the one before has arrived: so
// that a push that is broken off has to send one again at most. done is called
// when the file is not needed any more.
func (p *push) send(ctx context.Context, pack index.Pack, file *os.File, done func() error) error {
	for _, e := range pack.Entries {
		p.recent[e.ID] = index.Loc{Entry: e, Pack: pack.ID, Found: true}
	}
	if err := p.land(ctx); err != nil {
		return errors.Join(err, done())
	}
	p.rep.Packs++
	f := &flight{pack: pack, done: make(chan error, 1)}
	p.flight = f
	go func() {
		_, err := file.Seek(0, 0)
		if err == nil {
			err = p.s.auth.Put(ctx, packName(pack.ID), file)
		}
		f.done <- errors.Join(err, done())
	}()
	return nil
}

// land waits until the pack that is being sent has arrived, and remembers it.
func (p *push) land(ctx context.Context) error {
	if p.flight == nil {
		return nil
	}
	f := p.flight
	p.flight = nil
	if err := <-f.done; err != nil {
		return fmt.Errorf("push to authority %q: %w", p.s.opts.Name, err)
	}
	p.there[f.pack.ID] = true
	ids := make([]objects.ID, len(f.pack.Entries))
	for i, e := range f.pack.Entries {
		ids[i] = e.ID
	}
	if p.gone > 0 { // what is known of other places may be of packs that are gone
		if err := p.s.doubt(ctx, ids); err != nil {
			return err
		}
	}
	if err := p.s.note(ctx, f.pack); err != nil {
		return err
	}
	p.landed = append(p.landed, ids...)
	return nil
}

// settle forgets what has arrived: the index knows it. What is being looked at
// may have been looked up before.
func (p *push) settle() {
	for _, id := range p.landed {
		delete(p.recent, id)
	}
	p.landed = p.landed[:0]
}

// close lets go of what a push that failed has left.
func (p *push) close() {
	if p.flight != nil {
		<-p.flight.done
	}
	if p.out != nil {
		p.out.Close()
	}
}
