package catalog

import (
	"container/list"
	"sync"
)

// catCacheBytes is how many bytes of decoded commits are kept.
const catCacheBytes = 16 << 20

// catCache keeps the decoded commits that were used last. Safe for concurrent use.
type catCache struct {
	mu    sync.Mutex // guards all below
	order list.List  // of *catFile, the one used last in front
	files map[uint64]*list.Element
	bytes int
}

func (c *catCache) get(number uint64) *catFile {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.files[number]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(*catFile)
}

func (c *catCache) add(f *catFile) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = map[uint64]*list.Element{}
	}
	if c.files[f.first] != nil || f.size > catCacheBytes {
		return
	}
	c.files[f.first] = c.order.PushFront(f)
	for c.bytes += f.size; c.bytes > catCacheBytes; {
		old := c.order.Remove(c.order.Back()).(*catFile)
		delete(c.files, old.first)
		c.bytes -= old.size
	}
}

// clear forgets everything, as after the log was set back.
func (c *catCache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order.Init()
	c.files, c.bytes = nil, 0
}
