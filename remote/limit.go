package remote

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/datafs/datafs/index/leaf"
)

// LimitOptions bound what is asked of authorities.
type LimitOptions struct {
	BytesPerSecond int64 // up and down together; 0 is no limit
	Parallel       int   // operations open at once; 0 is no limit

	Now   func() time.Time                                    // nil: time.Now
	Sleep func(ctx context.Context, wait time.Duration) error // nil: a timer; ends early with the context's error
}

// Limiter bounds all transfers of the authorities that it wraps, together. Its
// methods may be called by several goroutines.
type Limiter struct {
	opts  LimitOptions
	rate  *rate.Limiter // nil: no limit
	slots chan struct{} // holds one for each operation that is open; nil: no limit
}

const limitBurst = 64 << 10 // bytes that may pass at once

// NewLimiter makes a Limiter; with nil it limits nothing.
func NewLimiter(opts *LimitOptions) *Limiter {
	l := &Limiter{}
	if opts != nil {
		l.opts = *opts
	}
	if l.opts.BytesPerSecond > 0 {
		l.rate = rate.NewLimiter(rate.Limit(l.opts.BytesPerSecond), limitBurst)
	}
	if l.opts.Parallel > 0 {
		l.slots = make(chan struct{}, l.opts.Parallel)
	}
	if l.opts.Now == nil {
		l.opts.Now = time.Now
	}
	if l.opts.Sleep == nil {
		l.opts.Sleep = leaf.Sleep
	}
	return l
}

// Wrap gives an authority that keeps to the limits. It is an Exclusive if inner
// is. An operation waits for its turn until its context is over. A Get takes its
// place until its body is closed, so one goroutine must not open another while
// it holds as many as may be open; a List takes none while its caller is at work.
func (l *Limiter) Wrap(inner Authority) Authority {
	a := &limited{inner, l}
	if x, ok := inner.(Exclusive); ok {
		return &exclusiveLimited{a, x}
	}
	return a
}

func (l *Limiter) enter(ctx context.Context) error {
	if l.slots == nil {
		return nil
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *Limiter) leave() {
	if l.slots != nil {
		<-l.slots
	}
}

// cut gives as much of p as may pass at once.
func (l *Limiter) cut(p []byte) []byte {
	if l.rate == nil {
		return p
	}
	return p[:min(len(p), limitBurst)]
}

// passed waits as long as n bytes cost.
func (l *Limiter) passed(ctx context.Context, n int) error {
	if l.rate == nil || n <= 0 {
		return nil
	}
	now := l.opts.Now()
	wait := l.rate.ReserveN(now, n).DelayFrom(now)
	if wait <= 0 {
		return nil
	}
	return l.opts.Sleep(ctx, wait)
}

type limited struct {
	inner Authority
	l     *Limiter
}

type exclusiveLimited struct {
	*limited
	exclusive Exclusive
}

// Get is that of Authority.
func (a *limited) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := a.l.enter(ctx); err != nil {
		return nil, fmt.Errorf("get %.80s: %w", name, err)
	}
	body, err := a.inner.Get(ctx, name, off, n)
	if err != nil {
		a.l.leave()
		return nil, err
	}
	return &limitedBody{limitedReader{ctx, body, a.l}, body, sync.OnceFunc(a.l.leave)}, nil
}

type limitedReader struct {
	ctx context.Context
	r   io.Reader
	l   *Limiter
}

func (r *limitedReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(r.l.cut(p))
	if waiting := r.l.passed(r.ctx, n); waiting != nil && err == nil {
		err = waiting
	}
	return n, err
}

type limitedBody struct {
	limitedReader
	body  io.Closer
	leave func()
}

func (b *limitedBody) Close() error {
	defer b.leave()
	return b.body.Close()
}

// limitedSeeker has no more methods than these, so that nothing passes by Read.
type limitedSeeker struct {
	limitedReader
	io.Seeker
}

// Put is that of Authority.
func (a *limited) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	return a.put(ctx, name, r, a.inner.Put)
}

// PutNew is that of Exclusive.
func (a *exclusiveLimited) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return a.put(ctx, name, r, a.exclusive.PutNew)
}

func (a *limited) put(ctx context.Context, name string, r io.ReadSeeker, put func(context.Context, string, io.ReadSeeker) error) error {
	if err := a.l.enter(ctx); err != nil {
		return fmt.Errorf("put %.80s: %w", name, err)
	}
	defer a.l.leave()
	if a.l.rate != nil {
		r = &limitedSeeker{limitedReader{ctx, r, a.l}, r}
	}
	return put(ctx, name, r)
}

// List is that of Authority.
func (a *limited) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		if err := a.l.enter(ctx); err != nil {
			yield(Info{}, fmt.Errorf("list %.80s: %w", prefix, err))
			return
		}
		for info, err := range a.inner.List(ctx, prefix) {
			a.l.leave()
			if !yield(info, err) || err != nil {
				return
			}
			if err := a.l.enter(ctx); err != nil {
				yield(Info{}, fmt.Errorf("list %.80s: %w", prefix, err))
				return
			}
		}
		a.l.leave()
	}
}

// Delete is that of Authority.
func (a *limited) Delete(ctx context.Context, name string) error {
	if err := a.l.enter(ctx); err != nil {
		return fmt.Errorf("delete %.80s: %w", name, err)
	}
	defer a.l.leave()
	return a.inner.Delete(ctx, name)
}

// Close is that of Authority.
func (a *limited) Close() error { return a.inner.Close() }

// String is that of the authority that is wrapped.
func (a *limited) String() string { return a.inner.String() }
