package objects

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/datafs/datafs/objects/codec"
)

// A guide finds the ends of chunks of a file by those of an earlier version of
// it. Where a chunk began before, the same bytes mostly follow: if they have its
// hash, which is wanted anyway, they end where it ended, as the place of a cut
// depends on nothing but the bytes of its chunk. So cuts are those of the
// Chunker, whatever the earlier version is, and the search for most is saved.
type guide struct {
	next func() (refAt, error, bool) // of the earlier version; nil at its end
	stop func()

	chunks []refAt // of the earlier version, in order, as far as they have been wanted
	at     int     // of them, what is expected; -1 when that is not known
	from   int     // of them, what lies behind the last that came
	pos    int64   // in the earlier version, if nothing was inserted or removed since that
	misses int     // in a row
}

const (
	guideAhead = 128  // chunks behind the expected one that are looked at for a length
	guideHeld  = 4096 // chunks that are held at most
	guideTries = 16   // misses in a row after which one of so many chunks is tried
)

// newGuide returns one that ends with end; or nil, where the earlier version is
// nil, no file, or one chunk. What of it is not in the repository is not fetched.
func (s *Store) newGuide(ctx context.Context, earlier *Entry) *guide {
	if earlier == nil || earlier.level == 0 && len(earlier.inline) < 2 {
		return nil
	}
	g := &guide{}
	g.next, g.stop = iter.Pull2(s.From(nil).refs(ctx, earlier, 0))
	if g.expect(0); len(g.chunks) == 0 {
		return nil
	}
	return g
}

// cut is Cut of a chunker, and the chunk's id where it is known already.
func (g *guide) cut(c *codec.Chunker, b []byte) (n int, id ID) {
	if g == nil {
		return c.Cut(b), id
	}
	if want := g.expected(); want != nil && int(want.len) <= len(b) && int(want.len) > c.Min() {
		if Hash(b[:want.len]) == want.id {
			g.hit()
			return int(want.len), want.id
		}
		g.misses++
	}
	n = c.Cut(b)
	g.miss(int64(n))
	return n, id
}

// expected returns the chunk that comes next if nothing changed. The last one of
// the earlier version is not expected: the file's end was its end.
func (g *guide) expected() *refAt {
	if g.at < 0 || g.at+1 >= len(g.chunks) {
		return nil
	}
	if g.misses >= guideTries && g.at%guideTries != 0 {
		return nil
	}
	return &g.chunks[g.at]
}

// expect makes one of the chunks the expected one.
func (g *guide) expect(at int) {
	g.at = at
	g.fill(at + guideAhead)
}

// hit notes that the expected chunk came.
func (g *guide) hit() {
	came := g.chunks[g.at]
	g.from, g.pos, g.misses = g.at+1, came.off+came.len, 0
	g.expect(g.at + 1)
}

// miss notes that a chunk of n bytes came. What follows it is the chunk that
// began there before, if bytes were replaced by as many; or else, if some were
// inserted or removed, perhaps the one behind a chunk of this length.
func (g *guide) miss(n int64) {
	g.pos += n
	for g.next != nil && g.chunks[len(g.chunks)-1].off < g.pos {
		g.fill(len(g.chunks) + 1)
	}
	if i, there := slices.BinarySearchFunc(g.chunks, g.pos, func(r refAt, pos int64) int { return cmp.Compare(r.off, pos) }); there {
		g.expect(i)
		return
	}
	g.at = -1
	for i := g.from; i+1 < min(g.from+guideAhead, len(g.chunks)); i++ {
		if g.chunks[i].len == n {
			g.expect(i + 1)
			return
		}
	}
}

// fill sees to it that n chunks are held, if there are as many, and forgets the
// first where they are too many.
func (g *guide) fill(n int) {
	for g.next != nil && len(g.chunks) < n {
		r, err, ok := g.next()
		if !ok || err != nil {
			g.end()
			return
		}
		g.chunks = append(g.chunks, r)
	}
	if over := len(g.chunks) - guideHeld/2; len(g.chunks) > guideHeld {
		g.chunks = append(g.chunks[:0], g.chunks[over:]...)
		g.from, g.at = max(g.from-over, 0), max(g.at-over, -1)
	}
}

func (g *guide) end() {
	if g != nil && g.next != nil {
		g.stop()
		g.next = nil
	}
}
