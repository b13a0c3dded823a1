package remote_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

func TestLimiterAndObserverPassTheSuite(t *testing.T) {
	remotetest.Run(t, func(*testing.T) remote.Authority {
		l := remote.NewLimiter(&remote.LimitOptions{BytesPerSecond: 1 << 40})
		return new(remote.Observer).Wrap(l.Wrap(&remote.Mem{}))
	})
}

func TestLimiterRate(t *testing.T) {
	clock := &fakeClock{now: time.Unix(1000, 0)}
	l := remote.NewLimiter(&remote.LimitOptions{BytesPerSecond: 100 << 10, Now: clock.Now, Sleep: clock.Sleep})
	up, down := l.Wrap(&remote.Mem{}), l.Wrap(&remote.Mem{})
	content := bytes.Repeat([]byte("x"), 500<<10)
	for _, a := range []remote.Authority{up, down} {
		if err := a.Put(t.Context(), "a", bytes.NewReader(content)); err != nil {
			t.Fatal(err)
		}
	}
	wantStored(t, down, "a", string(content))
	// 1500 KiB, of which 64 pass at once.
	if got, want := clock.slept().Round(time.Millisecond), 14360*time.Millisecond; got != want {
		t.Errorf("waited %v, want %v", got, want)
	}
}

func TestLimiterRateEndsWithItsContext(t *testing.T) {
	l := remote.NewLimiter(&remote.LimitOptions{BytesPerSecond: 1})
	a := l.Wrap(&remote.Mem{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := a.Put(ctx, "a", bytes.NewReader(make([]byte, 1<<20))); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want context.DeadlineExceeded", err)
	}
}

// twiceReader hashes what it is to put, as drivers do, and then reads it again.
type twiceReader struct{ remote.Mem }

func (a *twiceReader) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return a.Mem.Put(ctx, name, r)
}

func TestObserverCountsBytesOnce(t *testing.T) {
	o := &remote.Observer{}
	if err := o.Wrap(&twiceReader{}).Put(t.Context(), "a", strings.NewReader("twice")); err != nil {
		t.Fatal(err)
	}
	if got := o.Requests().Up; got != 5 {
		t.Errorf("got %d bytes up, want 5", got)
	}
}

func TestObserver(t *testing.T) {
	var up, down int64
	o := &remote.Observer{Moved: func(u, d int64) { up, down = up+u, down+d }}
	f := remotetest.NewFaulty(t, &remote.Mem{}, remotetest.Fault{Op: remotetest.Put, How: remotetest.After})
	a := remote.Retry(o.Wrap(f), &remote.RetryOptions{Sleep: func(context.Context, time.Duration) error { return nil }})
	if err := a.Put(t.Context(), "a", strings.NewReader("twice")); err != nil {
		t.Fatal(err)
	}
	if err := a.(remote.Exclusive).PutNew(t.Context(), "b", strings.NewReader("new")); err != nil {
		t.Fatal(err)
	}
	wantStored(t, a, "a", "twice")
	listedNames(t, a, "")
	if err := a.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	want := remote.Requests{Get: 1, Put: 3, List: 1, Delete: 1, Up: 13, Down: 5}
	if got := o.Requests(); got != want || got.All() != 6 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if up != 13 || down != 5 {
		t.Errorf("Moved was told of %d and %d, want 13 and 5", up, down)
	}
}
