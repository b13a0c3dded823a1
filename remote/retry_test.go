package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/remotetest"
)

// fakeClock passes when it is slept on.
type fakeClock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Sleep(ctx context.Context, wait time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(wait)
	c.waits = append(c.waits, wait)
	return ctx.Err()
}

func (c *fakeClock) slept() (all time.Duration) {
	for _, wait := range c.waits {
		all += wait
	}
	return all
}

// retrying wraps an authority in memory with faults and retries.
func retrying(t *testing.T, plan ...remotetest.Fault) (remote.Authority, remotetest.Faulty, *fakeClock) {
	t.Helper()
	clock := &fakeClock{now: time.Unix(1000, 0)}
	f := remotetest.NewFaulty(t, &remote.Mem{}, plan...)
	return remote.Retry(f, &remote.RetryOptions{Now: clock.Now, Sleep: clock.Sleep, Rand: func() float64 { return 1 }}), f, clock
}

func TestRetryPassesTheSuite(t *testing.T) {
	remotetest.Run(t, func(*testing.T) remote.Authority { return remote.Retry(&remote.Mem{}, nil) })
}

func TestWrappersKeepExclusive(t *testing.T) {
	plain := struct{ remote.Authority }{&remote.Mem{}}
	for name, wrap := range map[string]func(remote.Authority) remote.Authority{
		"Retry":     func(a remote.Authority) remote.Authority { return remote.Retry(a, nil) },
		"Limiter":   remote.NewLimiter(nil).Wrap,
		"Observer":  new(remote.Observer).Wrap,
		"NewFaulty": func(a remote.Authority) remote.Authority { return remotetest.NewFaulty(nil, a) },
	} {
		if _, ok := wrap(&remote.Mem{}).(remote.Exclusive); !ok {
			t.Errorf("%s of an Exclusive is none", name)
		}
		if _, ok := wrap(plain).(remote.Exclusive); ok {
			t.Errorf("%s makes an Exclusive of what is none", name)
		}
	}
}

func TestRetryBacksOff(t *testing.T) {
	a, f, clock := retrying(t, remotetest.Fault{Op: remotetest.Put, Times: 8})
	r := strings.NewReader("skipped content")
	r.Seek(8, io.SeekStart)
	if err := a.Put(t.Context(), "a", r); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(clock.waits)
	if want := "[500ms 1s 2s 4s 8s 15s 15s 14.5s]"; got != want {
		t.Errorf("waits: got %s, want %s", got, want)
	}
	wantStored(t, a, "a", "content")
	if n := f.Counts().Put; n != 9 {
		t.Errorf("got %d puts, want 9", n)
	}
}

func TestRetryGivesUp(t *testing.T) {
	a, _, clock := retrying(t, remotetest.Fault{Op: remotetest.Delete, Times: -1})
	if err := a.Delete(t.Context(), "a"); !errors.Is(err, remote.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if clock.slept() != time.Minute {
		t.Errorf("waited %v, want 1m0s", clock.slept())
	}
	clock.waits = nil
	if err := a.Delete(t.Context(), "b"); !errors.Is(err, remote.ErrUnavailable) || clock.slept() != 0 {
		t.Errorf("the next operation waited %v of a budget that is spent", clock.slept())
	}
	clock.now = clock.now.Add(time.Hour)
	a.Delete(t.Context(), "c")
	if clock.slept() != time.Minute {
		t.Errorf("an hour later: waited %v, want 1m0s", clock.slept())
	}
}

func TestRetryNotOfWhatItDoesNotCure(t *testing.T) {
	for _, err := range []error{fs.ErrPermission, remote.ErrNoStorage, errors.New("disk full")} {
		a, f, clock := retrying(t, remotetest.Fault{Op: remotetest.Put, Err: err})
		if got := a.Put(t.Context(), "a", strings.NewReader("x")); !errors.Is(got, err) {
			t.Errorf("got %v, want %v", got, err)
		}
		if len(clock.waits) != 0 || f.Counts().Put != 1 {
			t.Errorf("%v was tried %d times", err, f.Counts().Put)
		}
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f := remotetest.NewFaulty(t, &remote.Mem{}, remotetest.Fault{Times: -1})
	a := remote.Retry(f, &remote.RetryOptions{Waiting: func(error, time.Duration) { cancel() }})
	if err := a.Delete(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestRetryResumesABody(t *testing.T) {
	content := strings.Repeat("0123456789", 1000)
	a, f, clock := retrying(t,
		remotetest.Fault{Op: remotetest.Get, How: remotetest.Break, At: 300},
		remotetest.Fault{Op: remotetest.Get, N: 2, Times: 2, How: remotetest.Before},
		remotetest.Fault{Op: remotetest.Get, N: 4, How: remotetest.Break, At: 0},
		remotetest.Fault{Op: remotetest.Get, N: 5, How: remotetest.Break, At: 700},
	)
	if err := a.Put(t.Context(), "a", strings.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	r, err := a.Get(t.Context(), "a", 100, 5000)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil || string(got) != content[100:5100] {
		t.Errorf("got %d bytes, %v, want 5000", len(got), err)
	}
	if c := f.Counts(); c.Get != 6 || c.Down != 5000 {
		t.Errorf("got %d requests and %d bytes, want 6 and 5000", c.Get, c.Down)
	}
	// After bytes have come, the waits begin anew.
	if got, want := fmt.Sprint(clock.waits), "[500ms 1s 2s 4s 500ms]"; got != want {
		t.Errorf("waits: got %s, want %s", got, want)
	}
}

func TestRetryGivesUpABody(t *testing.T) {
	a, _, clock := retrying(t,
		remotetest.Fault{Op: remotetest.Get, How: remotetest.Break, At: 3},
		remotetest.Fault{Op: remotetest.Get, N: 2, Times: -1})
	if err := a.Put(t.Context(), "a", strings.NewReader("content")); err != nil {
		t.Fatal(err)
	}
	r, err := a.Get(t.Context(), "a", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if string(got) != "con" || !errors.Is(err, remote.ErrUnavailable) || clock.slept() != time.Minute {
		t.Errorf("got %q, %v after %v", got, err, clock.slept())
	}
	if _, again := r.Read(make([]byte, 1)); again != err {
		t.Errorf("read once more: got %v, want the same error", again)
	}
	r.Close()
}

func TestRetryPutNewMeetsItsOwnWrite(t *testing.T) {
	a, _, _ := retrying(t, remotetest.Fault{Op: remotetest.PutNew, How: remotetest.After})
	x := a.(remote.Exclusive)
	content := bytes.Repeat([]byte("mine"), 20_000)
	if err := x.PutNew(t.Context(), "a", bytes.NewReader(content)); err != nil {
		t.Errorf("its own write: %v", err)
	}
	if err := x.PutNew(t.Context(), "a", bytes.NewReader(content)); !errors.Is(err, fs.ErrExist) {
		t.Errorf("without a failure: got %v, want fs.ErrExist", err)
	}
}

func TestRetryPutNewMeetsAnother(t *testing.T) {
	mine := strings.Repeat("mine", 20_000)
	for i, other := range []string{"theirs", mine + "more", mine[1:], mine[:len(mine)-1] + "x", ""} {
		a, f, _ := retrying(t, remotetest.Fault{Op: remotetest.PutNew},
			remotetest.Fault{Op: remotetest.Get}) // the look at what is there fails once, too
		if err := f.Put(t.Context(), "a", strings.NewReader(other)); err != nil {
			t.Fatal(err)
		}
		err := a.(remote.Exclusive).PutNew(t.Context(), "a", strings.NewReader(mine))
		if !errors.Is(err, fs.ErrExist) {
			t.Errorf("case %d: got %v, want fs.ErrExist", i, err)
		}
		wantStored(t, a, "a", other)
	}
}

func TestRetryList(t *testing.T) {
	a, f, _ := retrying(t, remotetest.Fault{Op: remotetest.List, Times: 2})
	for _, name := range []string{"a", "b", "c"} {
		f.Put(t.Context(), name, strings.NewReader("x"))
	}
	if got := listedNames(t, a, ""); got != "a b c" {
		t.Errorf("got %s, want a b c", got)
	}
	f.Plan(remotetest.Fault{Op: remotetest.List, How: remotetest.Break, At: 2})
	n, last := 0, error(nil)
	for _, err := range a.List(t.Context(), "") {
		n, last = n+1, err
	}
	if n != 3 || !errors.Is(last, remote.ErrUnavailable) {
		t.Errorf("a listing that breaks: got %d, the last %v, want two files and the error", n, last)
	}
}

func wantStored(t *testing.T, a remote.Authority, name, want string) {
	t.Helper()
	r, err := a.Get(t.Context(), name, 0, -1)
	if err != nil {
		t.Errorf("Get(%s): %v", name, err)
		return
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != want {
		t.Errorf("%s: got %.40q, %v, want %.40q", name, got, err, want)
	}
}

func listedNames(t *testing.T, a remote.Authority, prefix string) string {
	t.Helper()
	var got []string
	for info, err := range a.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, info.Name)
	}
	slices.Sort(got)
	return strings.Join(got, " ")
}
