package objects

import (
	"context"
	"io"
	"runtime"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/index"
)

const (
	locateBatch = 1024    // chunks looked up in one transaction
	streamBatch = 1 << 20 // bytes that one worker decodes at a time
	firstFetch  = 64      // chunks that are fetched before the first is shown
)

// job is a run of chunks that one worker decodes into one buffer.
type job struct {
	locs []index.Loc
	buf  []byte
	err  error
	done chan struct{}
}

// streamer decodes a file with several workers and writes it in order. Its
// memory is a fixed number of buffers.
type streamer struct {
	s     *Store
	found chan []index.Loc // the file's chunks, looked up
	jobs  chan *job        // to the workers
	order chan *job        // to the consumer, in the file's order
	pool  sync.Pool
	skip  int64 // bytes of the first chunk before the wanted offset; set before the first job is sent
}

// stream writes the bytes of a file from an offset on, and returns how many.
func (s *Store) stream(ctx context.Context, e *Entry, from int64, w io.Writer) (int64, error) {
	if from >= e.Size {
		return 0, ctx.Err()
	}
	workers := runtime.GOMAXPROCS(0)
	st := &streamer{s: s, found: make(chan []index.Loc), jobs: make(chan *job, workers+2), order: make(chan *job, workers+2)}
	st.pool.New = func() any {
		b := make([]byte, 0, streamBatch+streamBatch/4)
		return &b
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return st.find(ctx, e, from) })
	g.Go(func() error { return st.distribute(ctx) })
	for range workers {
		g.Go(func() error { return st.decode(ctx) })
	}
	var n int64
	g.Go(func() (err error) {
		n, err = st.consume(ctx, w)
		return err
	})
	err := g.Wait() // before n is read
	return n, err
}

// find looks the file's chunks up, one batch ahead of the workers: a source may
// have to fetch them.
func (st *streamer) find(ctx context.Context, e *Entry, from int64) error {
	defer close(st.found)
	size := locateBatch
	if st.s.source != nil {
		size = firstFetch // who reads only the beginning should not wait for much more
	}
	var refs []refAt
	for r, err := range st.s.refs(ctx, e, from) {
		if err != nil {
			return err
		}
		if r.off < from {
			st.skip = from - r.off
		}
		if refs = append(refs, r); len(refs) == size {
			if err := st.locate(ctx, refs); err != nil {
				return err
			}
			refs, size = refs[:0], min(2*size, locateBatch)
		}
	}
	return st.locate(ctx, refs)
}

func (st *streamer) locate(ctx context.Context, refs []refAt) error {
	locs, err := st.s.locateRefs(ctx, refs)
	if err != nil {
		return err
	}
	select {
	case st.found <- locs:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// distribute hands chunks to the workers in runs.
func (st *streamer) distribute(ctx context.Context) error {
	defer close(st.jobs)
	defer close(st.order)
	for locs := range st.found {
		for len(locs) > 0 {
			n, size := 0, 0
			for n < len(locs) && (n == 0 || size+int(locs[n].Raw) <= streamBatch) {
				size += int(locs[n].Raw)
				n++
			}
			j := &job{locs: locs[:n], done: make(chan struct{})}
			locs = locs[n:]
			for _, to := range [...]chan *job{st.order, st.jobs} {
				select {
				case to <- j:
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
	}
	return nil
}

func (st *streamer) decode(ctx context.Context) error {
	f := fetcher{s: st.s}
	for j := range st.jobs {
		j.buf = (*st.pool.Get().(*[]byte))[:0]
		for i := range j.locs {
			if j.buf, j.err = f.fetchMoved(ctx, j.buf, &j.locs[i]); j.err != nil {
				break
			}
		}
		close(j.done)
	}
	return nil
}

// consume writes the jobs' buffers in order, the first without what lies before
// the wanted offset. It writes all that is good before it reports an error.
func (st *streamer) consume(ctx context.Context, w io.Writer) (int64, error) {
	var n int64
	for j := range st.order {
		select {
		case <-j.done:
		case <-ctx.Done():
			return n, ctx.Err()
		}
		m, err := w.Write(j.buf[min(st.skip, int64(len(j.buf))):])
		st.skip = 0
		n += int64(m)
		if err != nil {
			return n, err
		}
		if j.err != nil {
			return n, j.err
		}
		buf := j.buf[:0]
		st.pool.Put(&buf)
	}
	return n, ctx.Err()
}
