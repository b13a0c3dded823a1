package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"time"

	"github.com/gofrs/flock"
)

const (
	// fileMode leaves it to the umask who shares the repository.
	fileMode = 0o666

	defaultLockTimeout = time.Minute

	// noticeAfter is how long a transaction waits before it tells so.
	noticeAfter = time.Second

	// The lock is tried again after a random time, of 1 to 2 ms at first, of 1
	// to 20 ms later; by one that knocks of 1 to 4 ms.
	minRetry   = time.Millisecond
	maxRetry   = 20 * time.Millisecond
	knockRetry = 4 * time.Millisecond

	// holderAt is where the holder's text begins in the lock file: on Windows
	// the byte before it is locked, and cannot be read or written by others.
	holderAt = 1

	// maxHolder bounds the holder's text, in bytes.
	maxHolder = 1 << 10

	// An Update that waits knocks: it writes the byte at knockAt. A View that
	// finds a knock younger than knockLasts stands back, maxYields times.
	// Without that, many short Views would keep an Update waiting for ever.
	knockAt    = holderAt + maxHolder
	knockLasts = 25 * time.Millisecond
	maxYields  = 3
)

// lock waits for the lock of the file, shared or exclusive, and returns what
// gives it back. The lock is an flock of a file beside the database, which
// stays there.
func (db *DB) lock(ctx context.Context, exclusive bool) (unlock func(), err error) {
	if err := db.usable(ctx); err != nil {
		return nil, err
	}
	if exclusive {
		return db.lockExclusive(ctx)
	}
	return db.lockShared(ctx)
}

func (db *DB) lockPath() string { return db.path + ".lock" }

func (db *DB) lockExclusive(ctx context.Context) (unlock func(), err error) {
	w := db.newWait()
	defer w.stop()
	if err := w.turn(ctx); err != nil {
		return nil, err
	}
	l := flock.New(db.lockPath(), flock.SetPermissions(fileMode), LockFlags())
	err = w.poll(ctx, knockRetry, func() (bool, error) {
		ok, err := l.TryLock()
		if !ok && err == nil {
			db.note("", true)
		}
		return ok, err
	})
	if err != nil {
		<-db.turn
		return nil, err
	}
	// What a killed process or a knock has left must not name the wrong one.
	if fi, err := l.Stat(); db.opts.Holder != "" || err != nil || fi.Size() > 0 {
		db.note(db.opts.Holder, false)
	}
	return func() {
		if db.opts.Holder != "" {
			db.note("", false)
		}
		l.Unlock() // closing the file gives the lock back in any case
		<-db.turn
	}, nil
}

// lockShared avoids making files: where there is no lock file there was never a
// writer, and on a read-only filesystem there is none.
func (db *DB) lockShared(ctx context.Context) (unlock func(), err error) {
	free := func() {}
	for _, flag := range []int{os.O_RDONLY, os.O_RDONLY | os.O_CREATE} {
		l := flock.New(db.lockPath(), flock.SetPermissions(fileMode), flock.SetFlag(flag|noFollow))
		err = db.pollShared(ctx, l)
		switch {
		case err == nil:
			return func() { l.Unlock() }, nil
		case readOnlyFS(err):
			return free, nil
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
		if _, err := os.Lstat(db.path); errors.Is(err, fs.ErrNotExist) {
			return free, nil
		}
	}
	return nil, err
}

func (db *DB) pollShared(ctx context.Context, l *flock.Flock) error {
	yields := 0
	try := func() (bool, error) {
		ok, err := l.TryRLock()
		if ok && yields < maxYields && knocked(l) {
			yields++
			ok = false
			err = l.Unlock()
		}
		return ok, err
	}
	if ok, err := try(); ok || err != nil {
		return lockFailed(err)
	}
	w := db.newWait()
	defer w.stop()
	return w.poll(ctx, maxRetry, try)
}

// knocked tells whether an Update waits, or did a moment ago.
func knocked(l *flock.Flock) bool {
	fi, err := l.Stat()
	return err == nil && fi.Size() > knockAt && time.Since(fi.ModTime()).Abs() < knockLasts
}

func lockFailed(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("lock index: %w", NotFollowed(err))
}

// wait is one wait for the lock.
type wait struct {
	db      *DB
	expired <-chan time.Time // nil: never
	notice  <-chan time.Time // nil: told already, or nobody to tell
	stop    func()
}

func (db *DB) newWait() *wait {
	w := &wait{db: db}
	notice := time.NewTimer(noticeAfter)
	if db.opts.Waiting != nil {
		w.notice = notice.C
	}
	d := db.opts.LockTimeout
	if d == 0 {
		d = defaultLockTimeout
	}
	timeout := time.NewTimer(max(d, 0))
	if d > 0 {
		w.expired = timeout.C
	}
	w.stop = func() { notice.Stop(); timeout.Stop() }
	return w
}

// turn waits for the other Updates of this DB.
func (w *wait) turn(ctx context.Context) error {
	for {
		select {
		case w.db.turn <- struct{}{}:
			return nil
		default:
		}
		select {
		case w.db.turn <- struct{}{}:
			return nil
		case <-ctx.Done():
			return lockFailed(ctx.Err())
		case <-w.expired:
			return w.busy()
		case <-w.notice:
			w.tell()
		}
	}
}

// poll tries until it gets the lock.
func (w *wait) poll(ctx context.Context, most time.Duration, try func() (bool, error)) error {
	for pause := 2 * minRetry; ; pause = min(2*pause, most) {
		if ok, err := try(); ok || err != nil {
			return lockFailed(err)
		}
		retry := time.NewTimer(minRetry + rand.N(pause-minRetry))
		select {
		case <-retry.C:
			continue
		case <-ctx.Done():
			retry.Stop()
			return lockFailed(ctx.Err())
		case <-w.expired:
			retry.Stop()
			return w.busy()
		case <-w.notice:
			w.tell()
		}
		retry.Stop()
	}
}

func (w *wait) tell() {
	w.notice = nil
	holder := w.db.holder()
	if own := w.db.opts.Holder; own != "" && holder == own {
		return // this process waits for itself: that is nobody else's doing
	}
	w.db.opts.Waiting(holder)
}

func (w *wait) busy() error {
	return fmt.Errorf("lock index %s: %w by %s", w.db.path, ErrBusy, w.db.holder())
}

// holder returns what the holder of the lock has written about itself. Views do
// not write anything, and a text beside them is one that a killed Update left.
func (db *DB) holder() string {
	const unknown = "another process"
	l := flock.New(db.lockPath(), flock.SetFlag(os.O_RDONLY|noFollow))
	if ok, err := l.TryRLock(); ok || err != nil {
		l.Unlock()
		return unknown
	}
	f, err := OpenRead(db.lockPath())
	if err != nil {
		return unknown
	}
	defer f.Close()
	b, err := io.ReadAll(io.NewSectionReader(f, holderAt, maxHolder))
	b, _, _ = bytes.Cut(b, []byte{0})
	if err != nil || len(b) == 0 {
		return unknown
	}
	return string(b)
}

// note writes into the lock file that this one waits for it or, when not,
// who holds it. It is for others' convenience only, so that a failure does not
// matter.
func (db *DB) note(holder string, wait bool) {
	f, err := OpenFile(db.lockPath(), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if wait {
		f.WriteAt([]byte{'\n'}, knockAt)
		return
	}
	f.Truncate(0)
	if holder != "" {
		f.WriteAt([]byte(holder)[:min(len(holder), maxHolder)], holderAt)
	}
}
