package objects

import (
	"slices"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/objects/codec"
)

const (
	blockSize      = 1 << 20 // bytes of files that one worker takes at a time
	maxBatchChunks = 512
	maxBatchActs   = 512
)

// newChunk is a chunk on its way in.
type newChunk struct {
	off, len      int // in the block
	id            ID
	known, bad    bool   // it is in the store already; where it lies, it is known to be bad
	stored        []byte // else its stored form
	codec, filter uint8
}

// act is done by the packer when it has seen all chunks before it.
type act struct {
	after int // number of the block's chunks before it
	run   func(*packer) error
}

// inFile is a file on its way in; the hasher sets its hash.
type inFile struct {
	hash ID
}

// fileEnd marks in a block where a file ends.
type fileEnd struct {
	after int // number of the block's chunks before it
	pos   int // of the byte behind the file
	file  *inFile
}

// batch is a block of bytes of files, cut into chunks, on its way through the
// stages.
type batch struct {
	buf    []byte
	n      int // bytes in buf
	chunks []newChunk
	acts   []act
	ends   []fileEnd
	out    []byte        // stored forms
	packed chan struct{} // closed when the workers are done with it
	hashed chan struct{} // closed when the hasher is
}

func (w *Writer) newBatch() *batch {
	b := w.pool.Get().(*batch)
	b.n, b.chunks, b.acts, b.ends, b.out = 0, b.chunks[:0], b.acts[:0], b.ends[:0], b.out[:0]
	b.packed, b.hashed = make(chan struct{}), make(chan struct{})
	return b
}

func (b *batch) full() bool {
	return b.n == len(b.buf) || len(b.chunks) >= maxBatchChunks || len(b.acts) >= maxBatchActs
}

// do adds an act behind the chunks so far.
func (w *Writer) do(run func(*packer) error) error {
	if err := w.usable(); err != nil {
		return err
	}
	w.cur.acts = append(w.cur.acts, act{after: len(w.cur.chunks), run: run})
	if w.cur.full() {
		return w.rotate(w.cur.n)
	}
	return nil
}

// compress is a worker: it names the chunks of blocks and makes the stored form
// of those that are new.
func (w *Writer) compress() error {
	enc := &codec.Encoder{}
	near := newNearby(w, enc)
	var ids []ID
	for b := range w.work {
		ids = ids[:0]
		for i := range b.chunks {
			c := &b.chunks[i]
			if c.id.IsZero() {
				c.id = Hash(b.buf[c.off : c.off+c.len])
			}
			ids = append(ids, c.id)
		}
		locs, err := w.s.index.Locate(w.ctx, localSpace, ids)
		if err != nil {
			return err
		}
		if b.out == nil {
			b.out = make([]byte, 0, len(b.buf)/2)
		}
		for i := range b.chunks {
			c := &b.chunks[i]
			if c.known = locs[i].Found; c.known {
				if c.bad, err = w.isBad(&locs[i]); err != nil {
					return err
				}
				c.known = !c.bad
			}
			c.known = c.known || w.packer.has(c.id)
			if !c.known && !slices.Contains(ids[:i], c.id) && !near.encode(b, i, locs) {
				w.encode(enc, b, c)
			}
		}
		close(b.packed)
	}
	return nil
}

func (w *Writer) encode(enc *codec.Encoder, b *batch, c *newChunk) {
	raw := b.buf[c.off : c.off+c.len]
	base := len(b.out)
	out, how, filter := enc.Encode(b.out, raw)
	c.codec, c.filter = how, filter
	if c.stored = raw; how != codec.Raw {
		b.out, c.stored = out, out[base:]
	}
}

// hashFiles computes the BLAKE3 of whole files, block after block. The hash of
// a file that is one chunk is that chunk's id and is not computed again.
func (w *Writer) hashFiles() error {
	h := blake3.New()
	carried := false // a file goes on from the block before
	for b := range w.hash {
		pos, chunk := 0, 0
		for _, end := range b.ends {
			if carried || end.after != chunk+1 {
				h.Write(b.buf[pos:end.pos])
				h.Sum(end.file.hash[:0])
			}
			h.Reset()
			carried, pos, chunk = false, end.pos, end.after
		}
		if b.n > pos {
			h.Write(b.buf[pos:b.n])
			carried = true
		}
		close(b.hashed)
	}
	return nil
}
