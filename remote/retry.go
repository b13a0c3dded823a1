package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/datafs/datafs/index/leaf"
)

// RetryOptions say how long to try, and by which clock.
type RetryOptions struct {
	// Budget is how long to go on without progress; 0 is one minute. It counts
	// from the first failure, for an operation by itself and for all of them
	// together, until something succeeds or bytes arrive. Negative: no retries.
	Budget time.Duration
	// Waiting is called before each wait, from the goroutine that waits.
	Waiting func(err error, wait time.Duration)

	Now   func() time.Time                                    // nil: time.Now
	Sleep func(ctx context.Context, wait time.Duration) error // nil: a timer; ends early with the context's error
	Rand  func() float64                                      // in [0, 1); nil: math/rand/v2
}

const (
	retryBudget = time.Minute
	retryFirst  = 500 * time.Millisecond // the most that the first wait is
	retryMost   = 15 * time.Second       // the most that any is
)

// retrier is the Authority of Retry.
type retrier struct {
	inner Authority
	opts  RetryOptions

	mu      sync.Mutex // guards what follows
	failing time.Time  // since when nothing has succeeded; zero: it does
	last    time.Time  // failure
}

type exclusiveRetrier struct {
	*retrier
	exclusive Exclusive
}

// Retry gives an authority that tries again what fails with an ErrUnavailable
// that is no ErrNoStorage, after waits that grow and are random ("full jitter",
// M. Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015). The
// body of a Get goes on where it broke. It is an Exclusive if inner is; PutNew
// takes a file that it finds after a failed try for its own if the contents are
// the same, so callers put something unique in what must be made once.
//
// A limit of parallel operations belongs inside: Retry(limiter.Wrap(a), ...).
func Retry(inner Authority, opts *RetryOptions) Authority {
	r := &retrier{inner: inner}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.Budget == 0 {
		r.opts.Budget = retryBudget
	}
	if r.opts.Now == nil {
		r.opts.Now = time.Now
	}
	if r.opts.Sleep == nil {
		r.opts.Sleep = leaf.Sleep
	}
	if r.opts.Rand == nil {
		r.opts.Rand = rand.Float64
	}
	if x, ok := inner.(Exclusive); ok {
		return &exclusiveRetrier{r, x}
	}
	return r
}

// tries are the failures of one operation since it last got on.
type tries struct {
	n     int
	since time.Time
}

// again waits after a failure and gives nil, or gives the error to end with.
func (r *retrier) again(ctx context.Context, t *tries, err error) error {
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrNoStorage) {
		r.progress(t) // the server did answer
		return err
	}
	if ctx.Err() != nil {
		return err
	}
	rest := r.rest(t)
	if rest <= 0 {
		return err
	}
	most := min(retryMost, retryFirst<<min(t.n, 10))
	t.n++
	wait := min(time.Duration(r.opts.Rand()*float64(most)), rest)
	if r.opts.Waiting != nil {
		r.opts.Waiting(err, wait)
	}
	return r.opts.Sleep(ctx, wait)
}

// rest notes a failure and gives what is left of the budget.
func (r *retrier) rest(t *tries) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.opts.Now()
	if t.n == 0 {
		t.since = now
	}
	// Failures that nobody has seen for so long say nothing about now.
	if r.failing.IsZero() || now.Sub(r.last) > r.opts.Budget {
		r.failing = now
	}
	r.last = now
	return r.opts.Budget - max(now.Sub(r.failing), now.Sub(t.since))
}

// progress gives the whole budget back.
func (r *retrier) progress(t *tries) {
	*t = tries{}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing = time.Time{}
}

// do calls f until it succeeds or is given up.
func (r *retrier) do(ctx context.Context, f func() error) error {
	var t tries
	for {
		err := f()
		if err == nil {
			r.progress(&t)
			return nil
		}
		if err := r.again(ctx, &t, err); err != nil {
			return err
		}
	}
}

// Put is that of Authority.
func (r *retrier) Put(ctx context.Context, name string, content io.ReadSeeker) error {
	return r.write(ctx, name, content, r.inner.Put)
}

func (r *retrier) write(ctx context.Context, name string, content io.ReadSeeker, put func(context.Context, string, io.ReadSeeker) error) error {
	start, err := content.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("put %.80s: %w", name, err)
	}
	return r.do(ctx, func() error {
		if _, err := content.Seek(start, io.SeekStart); err != nil {
			return fmt.Errorf("put %.80s: %w", name, err)
		}
		return put(ctx, name, content)
	})
}

// PutNew is that of Exclusive.
func (x *exclusiveRetrier) PutNew(ctx context.Context, name string, content io.ReadSeeker) error {
	start, err := content.Seek(0, io.SeekCurrent)
	if err != nil {
		return fmt.Errorf("put %.80s: %w", name, err)
	}
	failed := false
	return x.write(ctx, name, content, func(ctx context.Context, name string, content io.ReadSeeker) error {
		err := x.exclusive.PutNew(ctx, name, content)
		if failed && errors.Is(err, fs.ErrExist) {
			return x.own(ctx, name, content, start, err)
		}
		failed = failed || err != nil
		return err
	})
}

// own gives nil if the file that is there is what a failed try has written
// after all, and exists otherwise.
func (x *exclusiveRetrier) own(ctx context.Context, name string, content io.ReadSeeker, start int64, exists error) error {
	if _, err := content.Seek(start, io.SeekStart); err != nil {
		return fmt.Errorf("put %.80s: %w", name, err)
	}
	stored, err := x.inner.Get(ctx, name, 0, -1)
	if errors.Is(err, fs.ErrNotExist) {
		return exists
	}
	if err != nil {
		return err
	}
	defer stored.Close()
	same, err := sameContent(stored, content)
	if err != nil || same {
		return err
	}
	return exists
}

// sameContent compares what two readers give.
func sameContent(a, b io.Reader) (bool, error) {
	p, q := make([]byte, 32<<10), make([]byte, 32<<10)
	for {
		n, aerr := io.ReadFull(a, p)
		m, berr := io.ReadFull(b, q)
		for _, err := range []error{aerr, berr} {
			// ReadFull makes its own plain value of these two.
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return false, err
			}
		}
		if !bytes.Equal(p[:n], q[:m]) {
			return false, nil
		}
		if n < len(p) {
			return true, nil
		}
	}
}

// List is that of Authority. It begins anew only as long as it has given
// nothing.
func (r *retrier) List(ctx context.Context, prefix string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		given, ended := false, false
		err := r.do(ctx, func() error {
			for info, err := range r.inner.List(ctx, prefix) {
				if err != nil && !given {
					return err
				}
				given = true
				if !yield(info, err) || err != nil {
					ended = true
					return nil
				}
			}
			return nil
		})
		if err != nil && !ended {
			yield(Info{}, err)
		}
	}
}

// Delete is that of Authority.
func (r *retrier) Delete(ctx context.Context, name string) error {
	return r.do(ctx, func() error { return r.inner.Delete(ctx, name) })
}

// Close is that of Authority.
func (r *retrier) Close() error { return r.inner.Close() }

// String is that of the authority that is wrapped.
func (r *retrier) String() string { return r.inner.String() }
