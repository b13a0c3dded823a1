package objects

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

// WriterOptions say how to take content in.
type WriterOptions struct {
	Now      func() time.Time // required: stat cache entries carry the time
	Progress func(n int64)    // told of every n bytes taken in, from one goroutine
}

// Writer takes files and trees into a store. Content is read and cut by the
// caller's goroutine, hashed and compressed on all cores, and written in order
// by one more goroutine; the memory in use is a fixed number of blocks. What
// was added can be used after Finish has returned nil; after Close without it
// nothing has been added but perhaps packs that no tree needs.
//
// A Writer is for one goroutine. While it is open, gc waits.
type Writer struct {
	s     *Store
	opts  WriterOptions
	lock  *flock.Flock
	ctx   context.Context // of the whole run, cancelled by the first error
	stop  context.CancelFunc
	group *errgroup.Group

	chunker *codec.Chunker
	cur     *batch
	pool    sync.Pool
	work    chan *batch // to the workers, in any order
	hash    chan *batch // to the hasher, in order
	order   chan *batch // to the packer, in order
	packer  *packer
	trust   trust
	closed  bool
	left    []string
}

// Left returns the paths below directories, with slashes, that were left out
// because version control systems and DataFS keep their own files there.
func (w *Writer) Left() []string { return w.left }

// Result is what became of a file or a tree. It is valid after Finish.
type Result struct {
	Tree   ID
	Hash   ID // BLAKE3 of a single file; the tree id of a directory
	Dir    bool
	Files  int64 // entries that are not directories
	Size   int64 // bytes
	Cached bool  // recognised without reading the file
}

// Writer starts taking content in. ctx bounds all of it.
func (s *Store) Writer(ctx context.Context, opts *WriterOptions) (*Writer, error) {
	if opts == nil {
		opts = &WriterOptions{}
	}
	lock, err := s.lock(ctx, false)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	w := &Writer{
		s: s, opts: *opts, lock: lock, ctx: ctx, stop: stop, group: group,
		chunker: codec.NewChunker(s.format.Chunker),
		work:    make(chan *batch, 1), hash: make(chan *batch, workers+1), order: make(chan *batch, workers+1),
	}
	size := max(blockSize, 4*w.chunker.Max())
	w.pool.New = func() any { return &batch{buf: make([]byte, size)} }
	w.packer = newPacker(w)
	w.cur = w.newBatch()
	for range workers {
		group.Go(w.compress)
	}
	group.Go(w.hashFiles)
	group.Go(w.packer.run)
	return w, nil
}

// File adds a tree that is the single file that r holds.
func (w *Writer) File(r io.Reader) (*Result, error) {
	t := w.newTree()
	if _, err := w.feed(r, nil); err != nil {
		return nil, err
	}
	if err := t.file(Entry{Kind: KindFile}, nil); err != nil {
		return nil, err
	}
	return t.finish()
}

// feed reads a file to its end, cuts it, and hands full blocks on. What the file
// was in an earlier version, or nil, makes that faster.
func (w *Writer) feed(r io.Reader, earlier *Entry) (size int64, err error) {
	if err := w.usable(); err != nil {
		return 0, err
	}
	guide := w.s.newGuide(w.ctx, earlier)
	defer guide.end()
	start := w.cur.n // of the bytes not cut yet
	for idle := 0; ; idle++ {
		if w.cur.full() {
			if err := w.rotate(start); err != nil {
				return size, err
			}
			start = 0
		}
		n, err := r.Read(w.cur.buf[w.cur.n:])
		if n > 0 {
			idle = 0
		}
		w.cur.n += n
		size += int64(n)
		w.progress(int64(n))
		start = w.cut(guide, start, err == io.EOF)
		switch {
		case err == io.EOF:
			return size, nil
		case err != nil:
			return size, w.abandon(start, err)
		case idle > 100:
			return size, w.abandon(start, io.ErrNoProgress)
		}
	}
}

// abandon forgets the file that is being fed, of which the bytes from start on
// are not cut yet, so that the next one begins anew. It returns why.
func (w *Writer) abandon(start int, why error) error {
	w.cur.n = start
	w.cur.ends = append(w.cur.ends, fileEnd{after: len(w.cur.chunks), pos: start, file: &inFile{}})
	err := w.do(func(p *packer) error {
		p.file = nil
		return nil
	})
	if err != nil {
		return err
	}
	return why
}

func (w *Writer) progress(n int64) {
	if w.opts.Progress != nil && n > 0 {
		w.opts.Progress(n)
	}
}

// cut notes the chunks in the block from start on, as far as they are certain.
func (w *Writer) cut(guide *guide, start int, eof bool) int {
	b := w.cur
	for b.n-start >= w.chunker.Max() || (eof && b.n > start) {
		n, id := guide.cut(w.chunker, b.buf[start:b.n])
		b.chunks = append(b.chunks, newChunk{off: start, len: n, id: id})
		start += n
	}
	return start
}

// rotate hands the block on and begins a new one with the bytes that are not
// cut yet.
func (w *Writer) rotate(start int) error {
	old := w.cur
	w.cur = w.newBatch()
	w.cur.n = copy(w.cur.buf, old.buf[start:old.n])
	old.n = start
	return w.dispatch(old)
}

func (w *Writer) dispatch(b *batch) error {
	for _, to := range [...]chan *batch{w.order, w.hash, w.work} {
		select {
		case to <- b:
		case <-w.ctx.Done():
			return w.failure()
		}
	}
	return nil
}

// failure returns why the run was cancelled.
func (w *Writer) failure() error {
	w.shut()
	if err := w.group.Wait(); err != nil {
		return err
	}
	return w.ctx.Err()
}

// usable refuses to go on after the end of the run.
func (w *Writer) usable() error {
	if !w.closed {
		return nil
	}
	if err := w.group.Wait(); err != nil {
		return err
	}
	return errors.New("the writer is closed")
}

func (w *Writer) shut() {
	if !w.closed {
		w.closed = true
		close(w.work)
		close(w.hash)
		close(w.order)
	}
}

// Finish waits until all that was added is durable and known to the index.
func (w *Writer) Finish() error {
	if err := w.usable(); err != nil {
		return err
	}
	if err := w.dispatch(w.cur); err != nil {
		return err
	}
	w.shut()
	return w.group.Wait()
}

// Added returns the bytes of new chunks, raw and as stored. It is valid after
// Finish.
func (w *Writer) Added() (raw, stored int64) { return w.packer.raw, w.packer.stored }

// Close ends the run and removes what is not finished. After Finish it only
// lets go of the lock.
func (w *Writer) Close() error {
	w.stop()
	w.shut()
	w.group.Wait()
	w.packer.abort()
	return w.lock.Unlock()
}

// CleanTemp removes files that writers left behind when they were killed. It
// does so only when nobody writes, and otherwise does nothing.
func (s *Store) CleanTemp() error {
	l := flock.New(filepath.Join(s.dir, lockFile), index.LockFlags())
	if ok, err := l.TryLock(); err != nil || !ok {
		return err
	}
	defer l.Unlock()
	if _, err := s.takeIn(context.Background(), func(ID, error) error { return nil }); err != nil { // what is left says which packs are
		return err
	}
	return s.packs.CleanTemp()
}
