package objects

import (
	"bufio"
	"context"
	"fmt"
	"github.com/datafs/datafs/objects/pack"
	"sync"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// packer is the last stage of a Writer: it puts new chunks into packs, in
// order, and builds the trees.
type packer struct {
	w    *Writer
	enc  *codec.Encoder
	buf  *bufio.Writer
	pack *pack.Writer
	file *content // the file whose chunks are coming in
	last ID       // the chunk that came last
	n    int      // chunks of the file
	over []ID     // chunks of the open pack whose places are bad

	mu           sync.RWMutex // guards what follows
	seen, before map[ID]struct{}

	stats       []*statSeen
	raw, stored int64 // bytes of new chunks
}

func newPacker(w *Writer) *packer {
	return &packer{
		w: w, enc: &codec.Encoder{}, buf: bufio.NewWriterSize(nil, 16<<10),
		seen: map[ID]struct{}{},
	}
}

// has says whether a chunk is in the open pack or the one before it, which a
// look-up that has been made earlier may have missed.
func (p *packer) has(id ID) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	_, now := p.seen[id]
	_, before := p.before[id]
	return now || before
}

func (p *packer) run() error {
	for b := range p.w.order {
		for _, stage := range [...]chan struct{}{b.packed, b.hashed} {
			select {
			case <-stage:
			case <-p.w.ctx.Done():
				return p.w.ctx.Err()
			}
		}
		if err := p.batch(b); err != nil {
			return err
		}
		p.w.pool.Put(b)
		if len(p.stats) >= statBatch {
			if err := p.flushStats(); err != nil {
				return err
			}
		}
	}
	if err := p.commit(); err != nil {
		return err
	}
	return p.flushStats()
}

func (p *packer) batch(b *batch) error {
	acts := b.acts
	for i := 0; ; i++ {
		for len(acts) > 0 && acts[0].after == i {
			if err := acts[0].run(p); err != nil {
				return err
			}
			acts = acts[1:]
		}
		if i == len(b.chunks) {
			return nil
		}
		if err := p.chunk(&b.chunks[i]); err != nil {
			return err
		}
	}
}

func (p *packer) chunk(c *newChunk) error {
	if p.file == nil {
		p.file = newContent(p.putNode)
		p.n = 0
	}
	p.last = c.id
	p.n++
	if !c.known && !p.has(c.id) {
		if c.stored == nil {
			return fmt.Errorf("chunk %s was taken for a double and is none", c.id)
		}
		if c.bad {
			p.over = append(p.over, c.id)
		}
		e := index.Entry{ID: c.id, Raw: uint32(c.len), Codec: c.codec, Filter: c.filter}
		if err := p.store(e, c.stored); err != nil {
			return err
		}
	}
	return p.file.add(ref{c.id, int64(c.len)})
}

// store adds a new chunk to the open pack.
func (p *packer) store(e index.Entry, stored []byte) error {
	if p.pack == nil {
		var err error
		if p.pack, err = p.w.s.packs.NewWriter(p.buf); err != nil {
			return err
		}
	}
	if err := p.pack.Add(e, stored); err != nil {
		return err
	}
	p.raw += int64(e.Raw)
	p.stored += int64(len(stored))
	p.mu.Lock()
	p.seen[e.ID] = struct{}{}
	p.mu.Unlock()
	if p.pack.Full() {
		return p.commit()
	}
	return nil
}

// putNode stores a node where it is new.
func (p *packer) putNode(node []byte) (ID, error) {
	id := Hash(node)
	if p.has(id) {
		return id, nil
	}
	locs, err := p.w.s.index.Locate(p.w.ctx, localSpace, []ID{id})
	if err != nil {
		return id, err
	}
	if locs[0].Found {
		bad, err := p.w.isBad(&locs[0])
		if err != nil || !bad {
			return id, err
		}
		p.over = append(p.over, id)
	}
	stored, how, filter := p.enc.Encode(nil, node)
	if how == codec.Raw {
		stored = node
	}
	return id, p.store(index.Entry{ID: id, Raw: uint32(len(node)), Codec: how, Filter: filter}, stored)
}

// commit makes the open pack durable and then known.
func (p *packer) commit() error {
	if p.pack == nil {
		return nil
	}
	w := p.pack
	p.pack, w.Marked = nil, true
	pack, err := w.Commit()
	if err != nil {
		return err
	}
	// Also when the run was cancelled: else nobody would know whose the pack is.
	if err := p.w.s.index.AddPending(context.WithoutCancel(p.w.ctx), localSpace, p.over, pack); err != nil {
		return err
	}
	w.Unmark()
	p.over = p.over[:0]
	p.mu.Lock()
	p.before, p.seen = p.seen, map[ID]struct{}{}
	p.mu.Unlock()
	return nil
}

func (p *packer) abort() {
	if p.pack != nil {
		p.pack.Discard()
		p.pack = nil
	}
}
