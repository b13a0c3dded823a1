package remotetest

import (
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"sync"
	"testing"

	"github.com/datafs/datafs/remote"
)

// Op is a kind of request to an authority.
type Op string

// The kinds of requests.
const (
	Get    Op = "get"
	Put    Op = "put"
	PutNew Op = "putnew"
	List   Op = "list"
	Delete Op = "delete"
)

// How says what a fault does.
type How int

// The ways to fail.
const (
	Before   How = iota // the request does not reach the server and fails
	After               // the request takes effect, but fails for the caller
	Break               // the body of a Get, or a List, fails after At bytes, or files
	Truncate            // the body of a Get ends after At bytes without an error; a put stores so much
	Corrupt             // byte At of what is read or put is another one
)

// Fault is one planned failure. It strikes once, or Times times in a row.
type Fault struct {
	Op    Op     // which kind of request counts; "" is any
	Name  string // only names (or prefixes) that begin with it count
	N     int    // strikes the Nth such request, from 1; 0 is the first
	Times int    // how often it strikes; 0 is once, negative is for ever
	How   How
	At    int64
	Err   error // wrapped by the error given; nil is remote.ErrUnavailable

	seen, struck int
}

// Counts are the requests made to an authority so far, and the bytes of their
// bodies.
type Counts struct {
	Get, Put, PutNew, List, Delete int
	Up, Down                       int64 // bytes put and bytes read
}

// All is the number of requests.
func (c Counts) All() int { return c.Get + c.Put + c.PutNew + c.List + c.Delete }

// Faulty is an Authority that fails as planned and counts what goes through it.
// It is a remote.Exclusive if the one that it wraps is. Requests that fail count
// too.
type Faulty interface {
	remote.Authority
	// Counts gives what was asked since the last Reset.
	Counts() Counts
	// Reset sets the counts to zero; faults keep their own.
	Reset()
	// Plan adds faults, which count requests from now on.
	Plan(faults ...Fault)
	// Unreached reports whether a planned fault has not struck at all.
	Unreached() bool
}

// NewFaulty wraps an authority. The test fails when a planned fault was not
// reached at its end; t may be nil, then only Unreached says so.
func NewFaulty(t testing.TB, inner remote.Authority, plan ...Fault) Faulty {
	f := &faulty{inner: inner}
	f.Plan(plan...)
	if t != nil {
		t.Helper()
		t.Cleanup(func() {
			if f.Unreached() && !t.Failed() && !t.Skipped() {
				t.Errorf("a planned fault was never reached: %+v", f.plan)
			}
		})
	}
	if x, ok := inner.(remote.Exclusive); ok {
		return &exclusiveFaulty{f, x}
	}
	return f
}

type faulty struct {
	inner remote.Authority

	mu     sync.Mutex // guards what follows
	plan   []*Fault
	counts Counts
}

type exclusiveFaulty struct {
	*faulty
	x remote.Exclusive
}

func (f *faulty) Plan(faults ...Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		f.plan = append(f.plan, &fault)
	}
}

func (f *faulty) Counts() Counts {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts
}

func (f *faulty) Reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts = Counts{}
}

func (f *faulty) Unreached() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range f.plan {
		if fault.struck == 0 {
			return true
		}
	}
	return false
}

// request counts a request and gives the fault that strikes it, or nil.
func (f *faulty) request(op Op, name string) *Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &f.counts
	*map[Op]*int{Get: &c.Get, Put: &c.Put, PutNew: &c.PutNew, List: &c.List, Delete: &c.Delete}[op]++
	var strikes *Fault
	for _, fault := range f.plan {
		if (fault.Op == "" || fault.Op == op) && strings.HasPrefix(name, fault.Name) && fault.next() && strikes == nil {
			strikes = fault
			fault.struck++
		}
	}
	if strikes == nil {
		return nil
	}
	copied := *strikes
	return &copied
}

// next counts a request that the fault is about and says whether it strikes.
func (ft *Fault) next() bool {
	ft.seen++
	return ft.seen >= max(ft.N, 1) && (ft.Times < 0 || ft.struck < max(ft.Times, 1))
}

// error is what the fault, which may be nil, makes of a request.
func (ft *Fault) error(how How, op Op, name string) error {
	if ft == nil || ft.How != how {
		return nil
	}
	err := ft.Err
	if err == nil {
		err = remote.ErrUnavailable
	}
	return fmt.Errorf("%s %s: planned fault: %w", op, name, err)
}

func (f *faulty) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	fault := f.request(Get, name)
	if err := fault.error(Before, Get, name); err != nil {
		return nil, err
	}
	r, err := f.inner.Get(ctx, name, off, n)
	if err != nil {
		return nil, err
	}
	if err := fault.error(After, Get, name); err != nil {
		r.Close()
		return nil, err
	}
	return &faultyBody{f: f, r: r, name: name, fault: fault}, nil
}

func (f *faulty) transferred(up, down int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Up += up
	f.counts.Down += down
}

func (f *faulty) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	return f.write(ctx, Put, name, r, f.inner.Put)
}

func (x *exclusiveFaulty) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	return x.write(ctx, PutNew, name, r, x.x.PutNew)
}

func (f *faulty) write(ctx context.Context, op Op, name string, r io.ReadSeeker, put func(context.Context, string, io.ReadSeeker) error) error {
	fault := f.request(op, name)
	if err := fault.error(Before, op, name); err != nil {
		return err
	}
	start, err := r.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if fault != nil && (fault.How == Truncate || fault.How == Corrupt) {
		if r, err = fault.spoil(r); err != nil {
			return err
		}
		start = 0
	}
	if err := put(ctx, name, r); err != nil {
		return err
	}
	if end, err := r.Seek(0, io.SeekEnd); err == nil {
		f.transferred(end-start, 0)
	}
	return fault.error(After, op, name)
}

func (f *faulty) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		fault := f.request(List, prefix)
		err := fault.error(Before, List, prefix)
		if err == nil {
			err = fault.error(After, List, prefix)
		}
		if err != nil {
			yield(remote.Info{}, err)
			return
		}
		files := int64(0)
		for info, err := range f.inner.List(ctx, prefix) {
			if broken := fault.error(Break, List, prefix); broken != nil && files >= fault.At {
				info, err = remote.Info{}, broken
			}
			if !yield(info, err) || err != nil {
				return
			}
			files++
		}
	}
}

func (f *faulty) Delete(ctx context.Context, name string) error {
	fault := f.request(Delete, name)
	if err := fault.error(Before, Delete, name); err != nil {
		return err
	}
	if err := f.inner.Delete(ctx, name); err != nil {
		return err
	}
	return fault.error(After, Delete, name)
}

func (f *faulty) Close() error { return f.inner.Close() }

// String is that of the authority that is wrapped.
func (f *faulty) String() string { return f.inner.String() }
