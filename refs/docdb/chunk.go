package docdb

import (
	"context"
	"slices"
)

// ahead is how many chunks are read before they are asked for, so that the
// database works while the caller does.
const ahead = 3

// A chunk is as many changes of a page as one Get answers.
type chunk struct {
	items []item
	keys  []string

	docs  map[string]Doc
	err   error
	ready chan struct{} // closed when docs and err are there
}

// An item is a change of an entry.
type item struct {
	EntryChange
	n int64 // of the entry
}

func (m *Manager) fetch(ctx context.Context, c *chunk) {
	defer close(c.ready)
	c.docs, c.err = m.store.Get(ctx, c.keys)
}

// cut cuts a page into chunks, without the deletions that failed: a reader must
// not hear of them. Changes that failed are told by the number of the record.
func cut(page []Entry) (chunks []*chunk) {
	var last *chunk
	seen := make(map[string]bool, MaxGet)
	for _, e := range page {
		for i, c := range e.Changes {
			if c.Delete && slices.Contains(e.Failed, i) {
				continue
			}
			if last == nil || !seen[c.Key] && len(last.keys) == MaxGet {
				last = &chunk{ready: make(chan struct{})}
				chunks = append(chunks, last)
				clear(seen)
			}
			if last.items = append(last.items, item{c, e.N}); !seen[c.Key] {
				seen[c.Key], last.keys = true, append(last.keys, c.Key)
			}
		}
	}
	return chunks
}
