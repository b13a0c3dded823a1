package docdb_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// mode is what happens to one request.
type mode string

const (
	killBefore  mode = "the process dies before"
	killAfter   mode = "the process dies after"
	pauseBefore mode = "it is held up on its way there"
	pauseAfter  mode = "it is held up on its way back"
	lostThere   mode = "it is lost on its way there"
	lostBack    mode = "its answer is lost"
	late        mode = "it is given up and arrives late"
	again       mode = "it is sent twice and the second answer counts"
	againLate   mode = "it is sent twice and the second one arrives late"
	lostLate    mode = "its answer is lost and it arrives late once more"
)

var modes = []mode{killBefore, killAfter, pauseBefore, pauseAfter, lostThere, lostBack, late, again, againLate, lostLate}

var errNet = fmt.Errorf("network: %w", refs.ErrUnavailable)

// faulty is a Store as one process sees it, with one planned fault.
type faulty struct {
	docdb.Store
	at      string // the request: its method, key, and how many there were before
	mode    mode
	reached chan struct{} // closed when it is held up
	release chan struct{} // to be closed

	mu      sync.Mutex // guards all below
	seen    map[string]int
	names   []string // of all requests
	hit     bool
	dead    bool
	delayed func() error // arrives when the test calls it
}

func newFaulty(s docdb.Store, at string, m mode) *faulty {
	return &faulty{Store: s, at: at, mode: m, seen: map[string]int{}, reached: make(chan struct{}), release: make(chan struct{})}
}

// arrives counts a request, and says whether it is the one of the plan.
func (f *faulty) arrives(what string) (planned, dead bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[what]++
	name := fmt.Sprintf("%s %d", what, f.seen[what])
	f.names = append(f.names, name)
	planned = name == f.at && !f.dead
	f.hit = f.hit || planned
	f.dead = f.dead || planned && f.mode == killBefore
	return planned, f.dead
}

func (f *faulty) do(what string, op func() error) error {
	planned, dead := f.arrives(what)
	switch {
	case dead:
		return errNet
	case !planned:
		return op()
	}
	switch f.mode {
	case killAfter, lostBack:
		_ = op()
		f.mu.Lock()
		f.dead = f.mode == killAfter
		f.mu.Unlock()
		return errNet
	case pauseBefore:
		f.hold()
		return op()
	case pauseAfter:
		defer f.hold()
		return op()
	case again:
		_ = op()
		return op()
	case lostThere:
		return errNet
	}
	f.mu.Lock()
	f.delayed = op
	f.mu.Unlock()
	if f.mode == late {
		return errNet
	}
	if err := op(); f.mode == againLate {
		return err
	}
	return errNet
}

func (f *faulty) hold() {
	close(f.reached)
	<-f.release
}

// finish lets arrive what was held up.
func (f *faulty) finish() {
	close(f.release)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.delayed != nil {
		_ = f.delayed()
	}
}

// background is for what arrives after its sender has gone.
var background = context.Background()

func (f *faulty) Get(_ context.Context, keys []string) (docs map[string]docdb.Doc, err error) {
	err = f.do("get", func() (err error) { docs, err = f.Store.Get(background, keys); return err })
	return docs, err
}

func (f *faulty) Insert(_ context.Context, docs []docdb.Doc) (errs []error, err error) {
	err = f.do("insert "+docs[0].Key, func() (err error) { errs, err = f.Store.Insert(background, docs); return err })
	return errs, err
}

func (f *faulty) Replace(_ context.Context, d docdb.Doc, prev int64) error {
	return f.do("replace "+d.Key, func() error { return f.Store.Replace(background, d, prev) })
}

func (f *faulty) Delete(_ context.Context, key string, prev int64) error {
	return f.do("delete "+key, func() error { return f.Store.Delete(background, key, prev) })
}

func (f *faulty) Head(context.Context) (n int64, err error) {
	err = f.do("head", func() (err error) { n, err = f.Store.Head(background); return err })
	return n, err
}

func (f *faulty) Append(_ context.Context, e docdb.Entry) error {
	return f.do("append", func() error { return f.Store.Append(background, e) })
}

func (f *faulty) Finish(_ context.Context, n int64, by string, failed []int) error {
	return f.do("finish", func() error { return f.Store.Finish(background, n, by, failed) })
}

func (f *faulty) Read(_ context.Context, after int64, limit int) (list []docdb.Entry, err error) {
	err = f.do("read", func() (err error) { list, err = f.Store.Read(background, after, limit); return err })
	return list, err
}

// refused says that an error is a definite no.
func refused(err error) bool {
	return errors.Is(err, refs.ErrConflict) || errors.Is(err, fs.ErrNotExist)
}
