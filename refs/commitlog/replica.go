package commitlog

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
)

// place is a place in the log of a table: a commit and its write id. The zero
// place is the beginning.
type place struct {
	number uint64
	id     writeID
}

// entry is what a replica knows of a key: the commit that changed it last,
// and the length of its value plus 1, or 0 when it was deleted.
type entry struct {
	rev  uint64
	size uint32
}

func (e entry) live() bool { return e.size > 0 }

// keyEntry is an entry with its key.
type keyEntry struct {
	key string
	entry
}

func entryOf(c edit) keyEntry {
	e := keyEntry{c.key, entry{rev: c.rev}}
	if c.value != nil {
		e.size = uint32(len(c.value)) + 1
	}
	return e
}

// replica keeps what is known of a table on this side, so that a question
// costs no walk over the log. It can be thrown away at any time. Safe for
// concurrent use.
type replica interface {
	// look gives the entries of keys, zero ones for those that are not known,
	// and the place that they belong to. Without keys the place may be an older one.
	look(ctx context.Context, keys []string) (place, []entry, error)
	// apply takes over what changed between two places, if the replica stands
	// at the first, and gives the place where it stands now.
	apply(ctx context.Context, from, to place, changed []keyEntry) (place, error)
	// reset empties the replica if it stands at this place.
	reset(ctx context.Context, at place) error
	// page gives the live keys with prefix above after, in byte order, some
	// thousand at a time; none are the end.
	page(ctx context.Context, prefix, after string) ([]keyEntry, error)
}

// A page has so many keys at most, and ends when their values have so many bytes.
const (
	pageKeys  = 10_000
	pageBytes = 16 << 20
)

// replicaPage collects a page.
type replicaPage struct {
	keys  []keyEntry
	bytes int
}

// add reports whether there is room for more.
func (p *replicaPage) add(k keyEntry) bool {
	p.keys = append(p.keys, k)
	p.bytes += int(k.size)
	return len(p.keys) < pageKeys && p.bytes < pageBytes
}

// memReplica is a replica in memory.
type memReplica struct {
	mu      sync.Mutex // guards all below
	at      place
	entries map[string]entry
	sorted  []string // all keys of entries; nil: not known
}

func (m *memReplica) look(ctx context.Context, keys []string) (place, []entry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	list := make([]entry, len(keys))
	for i, key := range keys {
		list[i] = m.entries[key]
	}
	return m.at, list, ctx.Err()
}

func (m *memReplica) apply(_ context.Context, from, to place, changed []keyEntry) (place, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at != from {
		return m.at, nil
	}
	if m.entries == nil {
		m.entries = map[string]entry{}
	}
	for _, k := range changed {
		if _, ok := m.entries[k.key]; !ok {
			m.sorted = nil
		}
		m.entries[k.key] = k.entry
	}
	m.at = to
	return to, nil
}

func (m *memReplica) reset(_ context.Context, at place) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.at == at {
		m.at, m.entries, m.sorted = place{}, nil, nil
	}
	return nil
}

func (m *memReplica) page(ctx context.Context, prefix, after string) ([]keyEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sorted == nil {
		m.sorted = slices.Sorted(maps.Keys(m.entries))
	}
	from := prefix
	if after != "" {
		from = max(prefix, after+"\x00")
	}
	i, _ := slices.BinarySearch(m.sorted, from)
	var p replicaPage
	for _, key := range m.sorted[i:] {
		if !strings.HasPrefix(key, prefix) {
			break
		}
		if e := m.entries[key]; e.live() && !p.add(keyEntry{key, e}) {
			break
		}
	}
	return p.keys, ctx.Err()
}
