package transfer

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
)

// read returns the bytes of a range, and perhaps some before it: data begins at
// from.
func (s *Site) read(ctx context.Context, sp span, again bool) (data []byte, from uint64, err error) {
	if sp.end-sp.off > maxRange+maxChunk || sp.off > 1<<62 {
		return nil, 0, fmt.Errorf("%w: a chunk of %d bytes", objects.ErrCorrupt, sp.end-sp.off)
	}
	if data, from, ok := s.tails.get(sp); ok && !again {
		return data, from, nil
	}
	from = sp.off
	small := sp.end-sp.off < tailWindow && codec.IsLocated(sp.entries[0])
	if small {
		from = max(sp.end, tailWindow) - tailWindow
	}
	r, err := s.auth.Get(ctx, packName(sp.pack), int64(from), int64(sp.end-from))
	if err != nil {
		return nil, 0, err
	}
	defer r.Close()
	data = make([]byte, sp.end-from)
	if _, err := io.ReadFull(r, data); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			err = fmt.Errorf("%w: the file ends too early", objects.ErrCorrupt)
		}
		return nil, 0, err
	}
	if small {
		s.tails.put(sp.pack, from, data)
	}
	return data, from, nil
}

// tailCache keeps the ranges that were fetched with small nodes.
type tailCache struct {
	mu   sync.Mutex // guards what follows
	list []tail     // the last fetched at the end
}

type tail struct {
	pack objects.ID
	from uint64
	data []byte
}

func (c *tailCache) put(pack objects.ID, from uint64, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.list) == maxTails {
		c.list = slices.Delete(c.list, 0, 1)
	}
	c.list = append(c.list, tail{pack, from, data})
}

func (c *tailCache) get(sp span) (data []byte, from uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.list {
		if t.pack == sp.pack && sp.off >= t.from && sp.end <= t.from+uint64(len(t.data)) {
			return t.data, t.from, true
		}
	}
	return nil, 0, false
}
