// Package commitlog is a refs.Manager over a log of commits, wherever that is kept: in an
// authority, or in a database. It knows nothing of what the records mean. Its invariant:
// a table is the fold of commits that are numbered without a gap, and commit N is made by
// one writer that had read all before it.
//
// Why nothing is lost or made twice, whatever crashes, stalls or races:
//
//   - The one write that decides is the creation of commit N, if there is none. A commit
//     never changes. It has the write id of commit N-1, and changes that were each checked
//     against the fold of commits 1 to N-1.
//   - N is created only by a writer that has read N-1, so there is no gap, and a reader to
//     whom the log says that there is no N+1 knows the state of that moment: the fold of
//     1 to N. Nothing ever comes in below a cursor.
//   - As N-1 never changes, commit N is as good when it arrives late as in time; when it
//     arrives twice, or after another's N, it does nothing. Nobody has to be waited for, and
//     a process that dies leaves a commit or none.
//   - A writer whose answer was lost reads N: its own write id means that the commit is
//     made, another one that somebody else was first, none that the same bytes can be
//     written again. If it gives up, its error leaves the outcome open.
//   - What a replica or a run says can be had from the commits; either can be thrown away.
package commitlog

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"sync/atomic"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// Log keeps commits. What it reads must be as it was last written, by whomever.
// All methods are safe for concurrent use, by several processes too.
type Log interface {
	// Commits returns the commits from number n on as they were written, most at
	// the most. The list ends before the first that is not there.
	Commits(ctx context.Context, n uint64, most int) ([][]byte, error)

	// Head returns at least the first HeadSize bytes of commit n. The error wraps
	// fs.ErrNotExist when there is none.
	Head(ctx context.Context, n uint64) ([]byte, error)

	// Add writes commit n if there is none, and else fails with fs.ErrExist. An
	// error that wraps refs.ErrUnavailable leaves open whether it was written.
	Add(ctx context.Context, n uint64, commit []byte) error
}

// Runs keeps runs, each of which stands for many commits and only saves requests.
// All methods are safe for concurrent use, by several processes too.
type Runs interface {
	// List returns the runs that there are, in any order.
	List(ctx context.Context) iter.Seq2[Run, error]

	// Get returns a run as it was written. The error wraps fs.ErrNotExist when
	// there is none.
	Get(ctx context.Context, r Run) ([]byte, error)

	// Put writes a run, over what is there.
	Put(ctx context.Context, r Run, contents []byte) error
}

// Options say how a Manager works. The zero value is fine.
type Options struct {
	// Table is the name that the commits carry.
	Table string

	// Index keeps what is known of the table, in Bucket, so that the next process
	// need not read the log again; nil keeps it in memory. Several processes may
	// share both.
	Index  *index.DB
	Bucket string

	// Runs keeps runs; nil: there are none.
	Runs Runs

	// MaxBytes is how many bytes of keys and values a commit has at most, unless
	// one change alone is larger; 0: 4 MiB.
	MaxBytes int

	// Ahead is how many commits are asked for at once behind a new one; 0: a few
	// one by one, then two, and more each time.
	Ahead int

	// Before is called before changes are written; nil is nothing. Its error is
	// that of the write.
	Before func(ctx context.Context) error

	// Damage makes the error about a commit or a run that is damaged; nil leaves
	// it as it is.
	Damage func(error) error

	// Random is where write ids and the length of pauses come from; nil is
	// crypto/rand.Reader. It must be safe for concurrent use.
	Random io.Reader
}

// Manager is a refs.Manager, and a refs.Batcher, that is kept in a log of commits.
// Any number of processes may use one log.
//
// A revision is the number of the commit in which a record changed last, a
// cursor the number of the last commit that was given as a whole. Each question
// costs one request to find out that nothing is new; a PutAll of up to 10,000
// changes and 4 MiB costs two. What was deleted stays known for ever.
type Manager struct {
	log     Log
	opts    Options
	replica replica
	cache   cache

	turn     chan struct{} // holds a token while one brings the replica up to date or writes
	begun    atomic.Uint64 // how many times somebody began to bring it up to date
	done     atomic.Uint64 // the last of these that succeeded
	verified atomic.Bool   // that the log is the one that the replica was made from
}

var (
	_ refs.Manager = (*Manager)(nil)
	_ refs.Batcher = (*Manager)(nil)
)

// New returns the Manager of a log. It reads and writes nothing yet. Closing it closes
// neither the log nor the index.
func New(log Log, opts *Options) *Manager {
	c := &Manager{log: log, turn: make(chan struct{}, 1), replica: &memReplica{}}
	if opts != nil {
		c.opts = *opts
	}
	if c.opts.Random == nil {
		c.opts.Random = rand.Reader
	}
	if c.opts.MaxBytes == 0 {
		c.opts.MaxBytes = maxCommitBytes
	}
	if c.opts.Index != nil {
		c.replica = &indexReplica{db: c.opts.Index, bucket: c.opts.Bucket}
	}
	return c
}

// Close implements refs.Manager; there is nothing to release.
func (c *Manager) Close() error { return nil }

// corrupt is an error about what is damaged in the log.
func (c *Manager) corrupt(format string, args ...any) error {
	return c.damage(corrupt(format, args...))
}

func (c *Manager) damage(err error) error {
	if c.opts.Damage == nil || !errors.Is(err, refs.ErrCorrupt) {
		return err
	}
	return c.opts.Damage(err)
}

// lock waits for the turn.
func (c *Manager) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case c.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Manager) unlock() { <-c.turn }

// current brings the replica up to date, unless somebody has begun and ended to
// do so since it was called.
func (c *Manager) current(ctx context.Context) error {
	before := c.begun.Load()
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	if c.done.Load() > before {
		return nil
	}
	_, err := c.refresh(ctx, nil)
	return err
}

// refresh brings the replica up to date, and spools what it reads. lost is true
// when the log is another one than what was known, which is forgotten then. The
// caller has the turn.
func (c *Manager) refresh(ctx context.Context, spool *spooler) (lost bool, err error) {
	n := c.begun.Add(1)
	err = c.follow(ctx, spool)
	if errors.Is(err, errDiverged) {
		lost = true
		at, _, lookErr := c.replica.look(ctx, nil)
		if err = lookErr; err == nil {
			err = c.replica.reset(ctx, at)
		}
		c.cache.clear()
		if err == nil {
			err = c.follow(ctx, nil)
		}
	}
	if errors.Is(err, errDiverged) {
		err = c.corrupt("the commits do not follow each other")
	}
	if err != nil {
		return lost, err
	}
	c.done.Store(n)
	return lost, nil
}

// applyKeys is how many keys are applied to the replica at a time.
const applyKeys = 20_000

// follow walks to the end of the log.
func (c *Manager) follow(ctx context.Context, spool *spooler) error {
	from, _, err := c.replica.look(ctx, nil)
	if err != nil {
		return err
	}
	start := from
	w := &walker{c: c, at: from, chained: true}
	var pending []keyEntry
	for {
		before := w.at.number
		f, stored, err := w.next(ctx)
		if err != nil {
			return err
		}
		if f != nil {
			spool.add(before, f, stored)
			for _, change := range f.changes {
				pending = append(pending, entryOf(change))
			}
		}
		if w.at != from && (f == nil || len(pending) >= applyKeys) {
			now, err := c.replica.apply(ctx, from, w.at, pending)
			if err != nil {
				return err
			}
			if now != w.at { // another process was here
				w = &walker{c: c, at: now, chained: true}
				f, start = &file{}, now // look again for the end
			}
			from, pending = now, pending[:0]
		}
		if f == nil {
			return c.verifyOnce(ctx, start, w.at)
		}
	}
}

// verifyOnce makes sure that the end of the log is the commit that the replica
// was made from, if no commit behind it has shown that.
func (c *Manager) verifyOnce(ctx context.Context, start, at place) error {
	if at.number > 0 && at == start && !c.verified.Load() {
		if err := c.verify(ctx, at); err != nil {
			return err
		}
	}
	c.verified.Store(true)
	return nil
}

// Get implements refs.Manager.
func (c *Manager) Get(ctx context.Context, key string) (refs.Record, error) {
	if err := c.current(ctx); err != nil {
		return refs.Record{}, err
	}
	_, entries, err := c.replica.look(ctx, []string{key})
	if err != nil {
		return refs.Record{}, err
	}
	if !entries[0].live() {
		return refs.Record{}, fmt.Errorf("no record %.80q: %w", key, fs.ErrNotExist)
	}
	f, err := c.knownCommit(ctx, entries[0].rev)
	if err != nil {
		return refs.Record{}, fmt.Errorf("reading record %.80q: %w", key, err)
	}
	change, ok := f.find(key)
	if !ok || change.value == nil {
		return refs.Record{}, c.corrupt("record %.80q is not in commit %d", key, f.first)
	}
	return change.record(), nil
}

// record is the record that an edit left, the caller's own, with the cursor of a
// commit that was given whole.
func (e edit) record() refs.Record {
	rev := refs.Rev(decimal(e.rev))
	if e.value == nil {
		return refs.Record{Key: e.key, Deleted: true, Cursor: refs.Cursor(rev)}
	}
	return refs.Record{Key: e.key, Value: bytes.Clone(e.value), Rev: rev, Cursor: refs.Cursor(rev)}
}
