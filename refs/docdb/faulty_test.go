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
	at      string // the request: its part, what it is, and how many there were before
	mode    mode
	reached chan struct{} // closed when it is held up
	release chan struct{} // to be closed
	once    sync.Once     // that it is

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
	f.once.Do(func() {
		close(f.release)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.delayed != nil {
			_ = f.delayed()
		}
	})
}

// background is for what arrives after its sender has gone.
var background = context.Background()

func (f *faulty) Commits(_ context.Context, p docdb.Part, n uint64, count int) (list []docdb.Commit, err error) {
	err = f.do(partName(p)+" commits", func() (err error) { list, err = f.Store.Commits(background, p, n, count); return err })
	return list, err
}

func (f *faulty) Add(_ context.Context, p docdb.Part, c docdb.Commit) error {
	return f.do(partName(p)+" add", func() error { return f.Store.Add(background, p, c) })
}

func (f *faulty) Show(_ context.Context, p docdb.Part, n uint64, records []refs.Record) error {
	return f.do(partName(p)+" show", func() error { return f.Store.Show(background, p, n, records) })
}

func (f *faulty) Shown(_ context.Context, p docdb.Part) (n uint64, err error) {
	err = f.do(partName(p)+" shown", func() (err error) { n, err = f.Store.Shown(background, p); return err })
	return n, err
}

func (f *faulty) SetShown(_ context.Context, p docdb.Part, n uint64) error {
	return f.do(partName(p)+" set shown", func() error { return f.Store.SetShown(background, p, n) })
}

func (f *faulty) MayDelete(_ context.Context, p docdb.Part) error {
	return f.do(partName(p)+" may delete", func() error { return f.Store.MayDelete(background, p) })
}

func partName(p docdb.Part) string { return []string{"records", "requirements"}[p] }

// refused says that an error is a definite no.
func refused(err error) bool {
	return errors.Is(err, refs.ErrConflict) || errors.Is(err, fs.ErrNotExist)
}
