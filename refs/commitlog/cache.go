package commitlog

import (
	"container/list"
	"sync"
)

// cacheBytes is how many bytes of decoded commits are kept.
const cacheBytes = 16 << 20

// cache keeps the decoded commits that were used last. Safe for concurrent use.
type cache struct {
	mu    sync.Mutex // guards all below
	order list.List  // of *file, the one used last in front
	files map[uint64]*list.Element
	bytes int
}

func (c *cache) get(number uint64) *file {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.files[number]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*file)
}

func (c *cache) add(f *file) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = map[uint64]*list.Element{}
	}
	if c.files[f.first] != nil || f.size > cacheBytes {
		return
	}
	c.files[f.first] = c.order.PushFront(f)
	for c.bytes += f.size; c.bytes > cacheBytes; {
		old := c.order.Remove(c.order.Back()).(*file)
		delete(c.files, old.first)
		c.bytes -= old.size
	}
}

// clear forgets everything, as after the log was set back.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	c.files, c.bytes = nil, 0
}
