package index

import (
	"math/bits"
)

// maxLevels lets a list hold a few million changes without slowing down.
const maxLevels = 20

// change is a record that a transaction has put or deleted.
type change struct {
	key    string
	stored []byte // with its checksum; nil when deleted
	next   []*change
}

// changes holds what a transaction has changed in one bucket, by key: a skip
// list (Pugh, "Skip lists: a probabilistic alternative to balanced trees", CACM
// 33(6), 1990). bbolt gets it in order when the transaction commits, which
// spares it the cost of random inserts. The zero value is empty.
type changes struct {
	head [maxLevels]*change
	n    int
	seed uint64
}

// path returns, for each level, the link that leads to the first change whose
// key is not less than key.
func (l *changes) path(key string) (links [maxLevels]**change) {
	at := l.head[:]
	for level := maxLevels - 1; level >= 0; level-- {
		for at[level] != nil && at[level].key < key {
			at = at[level].next
		}
		links[level] = &at[level]
	}
	return links
}

func (l *changes) set(key string, stored []byte) {
	links := l.path(key)
	c := *links[0]
	if c == nil || c.key != key {
		c = &change{key: key, next: make([]*change, l.level())}
		for i := range c.next {
			c.next[i], *links[i] = *links[i], c
		}
		l.n++
	}
	c.stored = stored
}

// level draws how many levels a new change takes part in: one more with each
// heads of a coin. The coin is a fixed xorshift sequence (Marsaglia, "Xorshift
// RNGs", J. Stat. Software 8(14), 2003): it need not be unpredictable.
func (l *changes) level() int {
	if l.seed == 0 {
		l.seed = 0x9E3779B97F4A7C15
	}
	l.seed ^= l.seed << 13
	l.seed ^= l.seed >> 7
	l.seed ^= l.seed << 17
	return min(1+bits.TrailingZeros64(l.seed), maxLevels)
}

// first returns the first change whose key is not less than key, or nil.
func (l *changes) first(key string) *change {
	if l.n == 0 {
		return nil
	}
	return *l.path(key)[0]
}

// get returns the change of a key, or nil.
func (l *changes) get(key string) *change {
	if c := l.first(key); c != nil && c.key == key {
		return c
	}
	return nil
}

// before returns the last change whose key is less than bound, or nil; with no
// bound, the last of all.
func (l *changes) before(bound string, bounded bool) *change {
	at, found := l.head[:], (*change)(nil)
	for level := maxLevels - 1; level >= 0; level-- {
		for at[level] != nil && (!bounded || at[level].key < bound) {
			found = at[level]
			at = found.next
		}
	}
	return found
}
