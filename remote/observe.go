package remote

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
)

// Requests are what was asked of authorities, and the bytes of files that went
// up and down. A put counts the bytes that it has got furthest to, however often
// a driver reads them; a PutNew is a Put here, a List is one request.
type Requests struct {
	Get, Put, List, Delete int64
	Up, Down               int64
}

// All is the number of requests.
func (r Requests) All() int64 { return r.Get + r.Put + r.List + r.Delete }

// Observer counts what goes through the authorities that it wraps. The zero
// value is ready. Its methods may be called by several goroutines.
type Observer struct {
	// Moved is told of bytes as they go up and down, from the goroutines that
	// move them; it is set before the first request.
	Moved func(up, down int64)

	gets, puts, lists, deletes, up, down atomic.Int64
}

// Requests gives the counts until now.
func (o *Observer) Requests() Requests {
	return Requests{
		Get: o.gets.Load(), Put: o.puts.Load(), List: o.lists.Load(), Delete: o.deletes.Load(),
		Up: o.up.Load(), Down: o.down.Load(),
	}
}

// Wrap gives an authority that is counted. It is an Exclusive if inner is.
// Inside Retry each try counts, outside each operation.
func (o *Observer) Wrap(inner Authority) Authority {
	a := &observed{inner, o}
	if x, ok := inner.(Exclusive); ok {
		return &exclusiveObserved{a, x}
	}
	return a
}

func (o *Observer) moved(up, down int64) {
	if up == 0 && down == 0 {
		return
	}
	o.up.Add(up)
	o.down.Add(down)
	if o.Moved != nil {
		o.Moved(up, down)
	}
}

type observed struct {
	inner Authority
	o     *Observer
}

type exclusiveObserved struct {
	*observed
	exclusive Exclusive
}

// Get is that of Authority.
func (a *observed) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	a.o.gets.Add(1)
	body, err := a.inner.Get(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	return &observedBody{body, a.o}, nil
}

type observedBody struct {
	body io.ReadCloser
	o    *Observer
}

func (b *observedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.o.moved(0, int64(n))
	return n, err
}

func (b *observedBody) Close() error { return b.body.Close() }

// Put is that of Authority.
func (a *observed) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	return a.put(ctx, name, r, a.inner.Put)
}

// PutNew is that of Exclusive.
func (a *exclusiveObserved) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return a.put(ctx, name, r, a.exclusive.PutNew)
}

func (a *observed) put(ctx context.Context, name string, r io.ReadSeeker, put func(context.Context, string, io.ReadSeeker) error) error {
	a.o.puts.Add(1)
	at, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("put %.80s: %w", name, err)
	}
	return put(ctx, name, &observedReader{r: r, o: a.o, at: at, furthest: at})
}

// observedReader counts each byte once. It has no more methods than these, so
// that nothing passes by Read.
type observedReader struct {
	r            io.ReadSeeker
	o            *Observer
	at, furthest int64
}

func (r *observedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.at += int64(n)
	if r.at > r.furthest {
		r.o.moved(r.at-r.furthest, 0)
		r.furthest = r.at
	}
	return n, err
}

func (r *observedReader) Seek(offset int64, whence int) (int64, error) {
	at, err := r.r.Seek(offset, whence)
	if err == nil {
		r.at = at
	}
	return at, err
}

// List is that of Authority.
func (a *observed) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		a.o.lists.Add(1)
		a.inner.List(ctx, prefix)(yield)
	}
}

// Delete is that of Authority.
func (a *observed) Delete(ctx context.Context, name string) error {
	a.o.deletes.Add(1)
	return a.inner.Delete(ctx, name)
}

// Close is that of Authority.
func (a *observed) Close() error { return a.inner.Close() }

// String is that of the authority that is wrapped.
func (a *observed) String() string { return a.inner.String() }
