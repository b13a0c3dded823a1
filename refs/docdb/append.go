package docdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/datafs/datafs/refs"
)

const (
	maxAppends  = 500 // tries for the next place in the log
	appendPause = 2 * time.Millisecond
)

// append adds the entry of the steps to the log, and puts its number into them.
func (m *Manager) append(ctx context.Context, steps []step) (Entry, error) {
	id, err := m.newID()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Writer: id, Changes: make([]EntryChange, len(steps))}
	for i, s := range steps {
		e.Changes[i] = s.change()
	}
	if e.N, err = m.appendEntry(ctx, e); err != nil {
		return Entry{}, err
	}
	for i := range steps {
		steps[i].doc.Seq |= e.N << 1
	}
	return e, nil
}

// appendEntry finds the next place in the log. An entry is appended only after
// the one before was seen.
func (m *Manager) appendEntry(ctx context.Context, e Entry) (int64, error) {
	for try := range maxAppends {
		head, err := m.store.Head(ctx)
		if err != nil {
			return 0, err
		}
		e.N = head + 1
		if err = m.store.Append(ctx, e); err == nil {
			return e.N, nil
		}
		if errors.Is(err, fs.ErrExist) || !refused(err) { // it may be there all the same
			if own, err := m.isOwn(ctx, e); err == nil && own {
				return e.N, nil
			}
		}
		if !errors.Is(err, fs.ErrExist) {
			return 0, err
		}
		if err := m.jitter(ctx, appendPause<<min(try, 6)); err != nil {
			return 0, err
		}
	}
	return 0, fmt.Errorf("writing to the log: too many others do: %w", refs.ErrUnavailable)
}

func (m *Manager) isOwn(ctx context.Context, e Entry) (bool, error) {
	list, err := m.store.Read(ctx, e.N-1, 1)
	return len(list) > 0 && list[0].N == e.N && list[0].Writer == e.Writer, err
}

// jitter waits for up to d.
func (m *Manager) jitter(ctx context.Context, d time.Duration) error {
	var b [8]byte
	if _, err := io.ReadFull(m.opts.Rand, b[:]); err != nil {
		return fmt.Errorf("drawing the length of a pause: %w", err)
	}
	return m.opts.Pause(ctx, time.Duration(binary.BigEndian.Uint64(b[:])%uint64(d)))
}

// refused says whether a write that failed with err has not taken place and
// never will.
func refused(err error) bool {
	for _, kind := range []error{refs.ErrConflict, fs.ErrExist, fs.ErrPermission, fs.ErrInvalid, fs.ErrNotExist} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func contended(err error) bool {
	return errors.Is(err, refs.ErrConflict) || errors.Is(err, fs.ErrExist)
}

// finish marks an entry as done, unless somebody else did.
func (m *Manager) finish(ctx context.Context, n int64, by string, failed []int) (err error) {
	for range 3 { // all is written already: it would be a pity
		err = m.store.Finish(ctx, n, by, failed)
		if err == nil || errors.Is(err, refs.ErrConflict) {
			return nil
		}
		if refused(err) || ctx.Err() != nil {
			break
		}
	}
	return err
}
