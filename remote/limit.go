package remote

import (
	"context"
	"io"
	"time"

	"golang.org/x/time/rate"

	"github.com/datafs/datafs/index/leaf"
)

// LimitOptions bound what is asked of authorities.
type LimitOptions struct {
	BytesPerSecond int64 // up and down together; 0 is no limit

	Now   func() time.Time                                    // nil: time.Now
	Sleep func(ctx context.Context, wait time.Duration) error // nil: a timer; ends early with the context's error
}

// Limiter bounds all transfers of the authorities that it wraps, together. Its
// methods may be called by several goroutines.
type Limiter struct {
	opts LimitOptions
	rate *rate.Limiter // nil: no limit
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
	if l.opts.Now == nil {
		l.opts.Now = time.Now
	}
	if l.opts.Sleep == nil {
		l.opts.Sleep = leaf.Sleep
	}
	return l
}

// Wrap gives an authority that keeps to the limits. It is an Exclusive if inner
// is.
func (l *Limiter) Wrap(inner Authority) Authority {
	a := &limited{inner, l}
	if x, ok := inner.(Exclusive); ok {
		return &exclusiveLimited{a, x}
	}
	return a
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
	Authority
	l *Limiter
}

type exclusiveLimited struct {
	*limited
	exclusive Exclusive
}

// Get is that of Authority.
func (a *limited) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	body, err := a.Authority.Get(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	return &limitedBody{limitedReader{ctx, body, a.l}, body}, nil
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
	io.Closer
}

// limitedSeeker has no more methods than these, so that nothing passes by Read.
type limitedSeeker struct {
	limitedReader
	io.Seeker
}

// Put is that of Authority.
func (a *limited) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	return a.put(ctx, name, r, a.Authority.Put)
}

// PutNew is that of Exclusive.
func (a *exclusiveLimited) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return a.put(ctx, name, r, a.exclusive.PutNew)
}

func (a *limited) put(ctx context.Context, name string, r io.ReadSeeker, put func(context.Context, string, io.ReadSeeker) error) error {
	if a.l.rate != nil {
		r = &limitedSeeker{limitedReader{ctx, r, a.l}, r}
	}
	return put(ctx, name, r)
}
