package commitlog

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"time"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Put implements refs.Manager.
func (c *Manager) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	if value == nil {
		return refs.Absent, refs.CheckKeyValue(key, value)
	}
	b, err := c.putAll(ctx, []refs.Change{{Key: key, Value: value, Prev: prev}})
	if err = errors.Join(b.errs[0], err); err != nil {
		return refs.Absent, err
	}
	return refs.Rev(decimal(b.revs[0])), nil
}

// Delete implements refs.Manager.
func (c *Manager) Delete(ctx context.Context, key string, prev refs.Rev) error {
	b, err := c.putAll(ctx, []refs.Change{{Key: key, Prev: prev}})
	return errors.Join(b.errs[0], err)
}

// PutAll implements refs.Batcher. It makes as few commits as it can; the changes
// of one commit become visible together.
func (c *Manager) PutAll(ctx context.Context, changes []refs.Change) ([]error, error) {
	b, err := c.putAll(ctx, changes)
	return b.errs, err
}

// batch is a batch of changes on its way.
type batch struct {
	changes []refs.Change
	errs    []error  // by slot
	revs    []uint64 // by slot, of what was done
	todo    []int    // slots that are neither done nor refused, rising
	taken   []int    // those of them that are in the commit that is being made
	made    []uint64 // commits that were made
}

func (c *Manager) putAll(ctx context.Context, changes []refs.Change) (*batch, error) {
	b := &batch{changes: changes, errs: make([]error, len(changes)), revs: make([]uint64, len(changes))}
	if err := ctx.Err(); err != nil {
		return b, err
	}
	for i, change := range changes {
		if change.Value != nil {
			b.errs[i] = refs.CheckKeyValue(change.Key, change.Value)
		}
		if b.errs[i] == nil {
			b.todo = append(b.todo, i)
		}
	}
	if len(b.todo) == 0 {
		return b, nil
	}
	if c.opts.Before != nil {
		if err := c.opts.Before(ctx); err != nil {
			return b, err
		}
	}
	err := c.commitAll(ctx, b)
	c.merge(ctx, b.made)
	return b, err
}

// commitAll makes commits until nothing is left to do.
func (c *Manager) commitAll(ctx context.Context, b *batch) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	current, losses := false, 0
	for len(b.todo) > 0 {
		if !current {
			if _, err := c.refresh(ctx, nil); err != nil {
				return err
			}
			current = true
		}
		at, f, err := c.plan(ctx, b)
		if err != nil {
			return err
		}
		if f == nil {
			continue
		}
		won, err := c.commit(ctx, f)
		if err != nil {
			return err
		}
		if !won {
			current = false
			if err := c.pause(ctx, losses); err != nil {
				return err
			}
			losses++
			continue
		}
		losses = 0
		current = c.learn(ctx, at, f) == nil
		b.won(f.first)
	}
	return nil
}

// learn applies a commit that was made. Should that fail, it is read again later.
func (c *Manager) learn(ctx context.Context, at place, f *file) error {
	keys := make([]keyEntry, len(f.changes))
	for i, change := range f.changes {
		keys[i] = entryOf(change)
	}
	c.cache.add(f)
	_, err := c.replica.apply(ctx, at, place{f.first, f.id}, keys)
	return err
}

// won takes note that the commit with all that was taken was made.
func (b *batch) won(number uint64) {
	b.made = append(b.made, number)
	for _, i := range b.taken {
		b.revs[i] = number
	}
	b.drop(b.taken)
}

// drop removes slots, which are rising, from what is to do.
func (b *batch) drop(slots []int) {
	b.todo = slices.DeleteFunc(b.todo, func(i int) bool {
		_, found := slices.BinarySearch(slots, i)
		return found
	})
}

// plan makes the next commit out of what is to do, and refuses what cannot be
// done at the place where the replica stands. A second change of a key waits for
// the commit after. There may be nothing left for a commit.
func (c *Manager) plan(ctx context.Context, b *batch) (place, *file, error) {
	chunk := b.todo[:min(len(b.todo), maxCommitChanges)]
	keys := make([]string, len(chunk))
	for i, slot := range chunk {
		keys[i] = b.changes[slot].Key
	}
	at, entries, err := c.replica.look(ctx, keys)
	if err != nil {
		return at, nil, err
	}
	f := &file{kind: commitKind, table: c.opts.Table, first: at.number + 1, last: at.number + 1, prev: at.id}
	var refused []int
	b.taken = nil
	seen := map[string]bool{}
	for i, slot := range chunk {
		change := b.changes[slot]
		if seen[change.Key] {
			continue
		}
		if b.errs[slot] = checkPrev(change, entries[i]); b.errs[slot] != nil {
			refused = append(refused, slot)
			continue
		}
		next := edit{change.Key, bytes.Clone(change.Value), f.first}
		if len(f.changes) > 0 && f.size+next.size() > c.opts.MaxBytes {
			break
		}
		seen[change.Key] = true
		b.taken = append(b.taken, slot)
		f.changes, f.size = append(f.changes, next), f.size+next.size()
	}
	b.drop(refused)
	if len(f.changes) == 0 {
		return at, nil, nil
	}
	_, err = io.ReadFull(c.opts.Random, f.id[:])
	return at, f, err
}

// checkPrev refuses a change of a record that is not as it is to be.
func checkPrev(change refs.Change, e entry) error {
	now := refs.Absent
	if e.live() {
		now = refs.Rev(decimal(e.rev))
	}
	switch {
	case change.Value == nil && !e.live():
		return fmt.Errorf("no record %.80q: %w", change.Key, fs.ErrNotExist)
	case change.Prev == now:
		return nil
	case !e.live():
		return fmt.Errorf("record %.80q is gone: %w", change.Key, refs.ErrConflict)
	case change.Prev == refs.Absent && change.Value != nil:
		return fmt.Errorf("record %.80q exists already: %w", change.Key, refs.ErrConflict)
	}
	return fmt.Errorf("record %.80q: %w", change.Key, refs.ErrConflict)
}

// commitTries is how often a commit is written whose fate nobody tells.
const commitTries = 4

// commit makes a commit, unless another writer has made that number. After an
// error that does not tell, it reads the number to find out; where nothing is
// there it writes the same bytes again, so that a write that arrives late does
// no harm.
func (c *Manager) commit(ctx context.Context, f *file) (won bool, err error) {
	data := encodeFile(f)
	for try := 1; ; try++ {
		if err = c.log.Add(ctx, f.first, data); err == nil {
			return true, nil
		}
		there, _, readErr := c.readCommit(ctx, f.first)
		if readErr == nil {
			return there.id == f.id, nil
		}
		if !errors.Is(readErr, errNoCommit) {
			err = fmt.Errorf("%w (and reading it: %w)", err, readErr)
		}
		again := errors.Is(err, refs.ErrUnavailable) || errors.Is(err, fs.ErrExist)
		if !again || try == commitTries {
			return false, err
		}
		if pauseErr := c.pause(ctx, try); pauseErr != nil {
			return false, errors.Join(err, pauseErr)
		}
	}
}

// pause waits for a random while, up to 5 ms after no loss, twice that after
// each further one, and half a second at most.
func (c *Manager) pause(ctx context.Context, losses int) error {
	var b [8]byte
	if _, err := io.ReadFull(c.opts.Random, b[:]); err != nil {
		return err
	}
	most := min(5*time.Millisecond<<min(losses, 10), 500*time.Millisecond)
	return leaf.Sleep(ctx, time.Duration(binary.LittleEndian.Uint64(b[:])%uint64(most)))
}
