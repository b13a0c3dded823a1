package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"github.com/datafs/datafs/index"
)

// File reads a file of a tree. Every byte that it returns has been verified.
// ReadAt may be called by several goroutines at once; Read, Seek and WriteTo
// share one offset and may not.
type File struct {
	ctx context.Context // of Open: the interfaces of package io leave no other way
	s   *Store
	e   Entry
	off int64

	mu     sync.Mutex // guards what follows
	closed bool
	cached [4]cachedChunk // the chunks decoded last
	next   int
	f      fetcher
	end    int64 // of the last read
	ahead  int64 // bytes to fetch beyond what is read, while reads go on where the last one ended
}

type cachedChunk struct {
	off int64
	raw []byte
}

// Open opens the file at a path of the tree; "" is the file of a tree that is
// a single file. ctx bounds all reads of the file.
func (t *Tree) Open(ctx context.Context, path string) (*File, error) {
	e, err := t.Entry(ctx, path)
	if err != nil {
		return nil, err
	}
	if !e.Kind.IsFile() {
		return nil, fmt.Errorf("%q is not a file", path)
	}
	return t.s.OpenEntry(ctx, e), nil
}

// OpenEntry opens the file of an entry of one of the store's trees.
func (s *Store) OpenEntry(ctx context.Context, e Entry) *File {
	return &File{ctx: ctx, s: s, e: e, f: fetcher{s: s}}
}

// Entry returns the file's entry.
func (f *File) Entry() Entry { return f.e }

// Size returns the file's length in bytes.
func (f *File) Size() int64 { return f.e.Size }

// Close makes all later reads fail with fs.ErrClosed.
func (f *File) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	f.cached = [4]cachedChunk{}
	return nil
}

// Read implements io.Reader.
func (f *File) Read(p []byte) (int, error) {
	n, err := f.ReadAt(p, f.off)
	f.off += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// Seek implements io.Seeker.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
	case io.SeekCurrent:
		offset += f.off
	case io.SeekEnd:
		offset += f.e.Size
	default:
		return 0, fs.ErrInvalid
	}
	if offset < 0 {
		return 0, fs.ErrInvalid
	}
	f.off = offset
	return offset, nil
}

// ReadAt implements io.ReaderAt. It decodes only the chunks that it needs.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fs.ErrInvalid
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return 0, fs.ErrClosed
	}
	if off != f.end {
		f.ahead = 0
	}
	n := 0
	for n < len(p) && off+int64(n) < f.e.Size {
		m, err := f.readSome(p[n:], off+int64(n))
		n += m
		if err != nil {
			return n, f.s.named(f.e.Path, err)
		}
	}
	f.end = off + int64(n)
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// readSome reads at least one byte at off: from a cached chunk, or from up to
// locateBatch chunks that it finds first.
func (f *File) readSome(p []byte, off int64) (int, error) {
	for i := range f.cached {
		if c := &f.cached[i]; off >= c.off && off < c.off+int64(len(c.raw)) {
			return copy(p, c.raw[off-c.off:]), nil
		}
	}
	refs, err := f.refsIn(off, off+int64(len(p)))
	if err == nil && f.s.source != nil {
		err = f.readAhead(refs, off+int64(len(p)))
	}
	if err != nil {
		return 0, err
	}
	locs, err := f.s.locateRefs(f.ctx, refs)
	if err != nil {
		return 0, err
	}
	n := 0
	for i, r := range refs {
		m, err := f.readChunk(p[n:], off+int64(n)-r.off, r, &locs[i])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// refsIn returns the chunks that hold the bytes from off to end, at most
// locateBatch.
func (f *File) refsIn(off, end int64) ([]refAt, error) {
	var refs []refAt
	for r, err := range f.s.refs(f.ctx, &f.e, off) {
		if err != nil {
			return nil, err
		}
		if r.off >= end || len(refs) == locateBatch {
			break
		}
		refs = append(refs, r)
	}
	return refs, nil
}

// maxReadAhead bounds what is fetched before it is asked for.
const maxReadAhead = 16 << 20

// readAhead fetches the chunks of a read that are not here, and, while reads go
// on where the last one ended, more and more of those behind them: otherwise
// each small read would cost a request.
func (f *File) readAhead(refs []refAt, end int64) error {
	ids := make([]ID, len(refs))
	for i, r := range refs {
		ids[i] = r.id
	}
	locs, err := f.s.index.Locate(f.ctx, localSpace, ids)
	if err != nil || !slices.ContainsFunc(locs, func(l index.Loc) bool { return !l.Found }) {
		return err
	}
	if f.ahead > 0 {
		if refs, err = f.refsIn(refs[0].off, end+f.ahead); err != nil {
			return err
		}
	}
	f.ahead = min(max(2*f.ahead, 1<<20), maxReadAhead)
	_, err = f.s.locateRefs(f.ctx, refs)
	return err
}

// readChunk copies from one chunk, beginning at byte skip of it. A chunk that
// is wanted whole is decoded in place; of others the last few are kept.
func (f *File) readChunk(p []byte, skip int64, r refAt, loc *index.Loc) (int, error) {
	if skip == 0 && int64(len(p)) >= r.len {
		_, err := f.f.fetchMoved(f.ctx, p[:0:r.len], loc)
		if err != nil {
			return 0, err
		}
		return int(r.len), nil
	}
	c := &f.cached[f.next]
	f.next = (f.next + 1) % len(f.cached)
	raw, err := f.f.fetchMoved(f.ctx, c.raw[:0], loc)
	if err != nil {
		*c = cachedChunk{}
		return 0, err
	}
	*c = cachedChunk{off: r.off, raw: raw}
	return copy(p, raw[skip:]), nil
}

// locateRefs finds chunks that will be read.
func (s *Store) locateRefs(ctx context.Context, refs []refAt) ([]index.Loc, error) {
	return s.lookUp(ctx, refs, s.basesOf)
}

// lookUp is locateWith, and checks the lengths that the tree promises.
func (s *Store) lookUp(ctx context.Context, refs []refAt, more func([]index.Loc) []ID) ([]index.Loc, error) {
	ids := make([]ID, len(refs))
	for i, r := range refs {
		ids[i] = r.id
	}
	locs, err := s.locateWith(ctx, ids, more)
	for i := range locs {
		if int64(locs[i].Raw) != refs[i].len {
			return nil, wrongLength(refs[i].ref, &locs[i])
		}
	}
	return locs, err
}

// WriteTo implements io.WriterTo: it writes from the file's offset to its end,
// decoding on all cores. When a chunk proves corrupt, what was written is a
// true prefix.
func (f *File) WriteTo(w io.Writer) (int64, error) {
	f.mu.Lock()
	closed := f.closed
	f.mu.Unlock()
	if closed {
		return 0, fs.ErrClosed
	}
	n, err := f.s.stream(f.ctx, &f.e, f.off, w)
	f.off += n
	return n, f.s.named(f.e.Path, err)
}
