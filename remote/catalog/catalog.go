// Package catalog is a refs.Manager that keeps a team's records in an authority, so that
// a team needs no database. It knows nothing of what the records mean. Its invariant: a
// table is the fold of commits that are numbered without a gap, and commit N is made by
// one writer that had read all before it.
package catalog

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
)

// Options say how a Catalog works. The zero value is fine.
type Options struct {
	// Table is the table; "" is refs.DefaultTable.
	Table string

	// Index keeps what is known of the table, so that the next process need not
	// read the log again; nil keeps it in memory. Space tells the authorities in
	// one Index apart. Several processes may share both.
	Index *index.DB
	Space string

	// Probed says that Probe has succeeded before at this authority. Otherwise
	// the first write probes, and OnProbed, when not nil, is called after success.
	Probed   bool
	OnProbed func()

	// Random is where write ids and the length of pauses come from; nil is
	// crypto/rand.Reader. It must be safe for concurrent use.
	Random io.Reader
}

// Catalog is a refs.Manager, and a refs.Batcher, that is kept in an authority,
// so that a team needs no database. Any number of processes may use one
// authority.
//
// A revision is the number of the commit in which a record changed last, a
// cursor the number of the last commit that was given as a whole. Each question
// costs one request to find out that nothing is new; a PutAll of up to 10,000
// changes and 4 MiB costs two. What was deleted stays known for ever.
//
// An authority that is no Exclusive can only be read: the error of a write then
// wraps errors.ErrUnsupported. Errors are those of the authority besides, and
// refs.ErrCorrupt for files that are not what a Catalog writes.
type Catalog struct {
	a        remote.Authority
	x        remote.Exclusive // nil: cannot be written
	table    string
	dir      string // of its files, with a slash
	random   io.Reader
	onProbed func()
	replica  catReplica
	cache    catCache

	turn     chan struct{} // holds a token while one brings the replica up to date or writes
	begun    atomic.Uint64 // how many times somebody began to bring it up to date
	done     atomic.Uint64 // the last of these that succeeded
	probed   atomic.Bool
	verified atomic.Bool // that the log is the one that the replica was made from
}

var (
	_ refs.Manager = (*Catalog)(nil)
	_ refs.Batcher = (*Catalog)(nil)
)

// Open gives the catalogue of a table at an authority. It reads and
// writes nothing yet. The error wraps fs.ErrInvalid for what no table can be
// called. Closing the Catalog closes neither the authority nor the index.
func Open(a remote.Authority, opts *Options) (*Catalog, error) {
	if opts == nil {
		opts = &Options{}
	}
	c := &Catalog{a: a, table: opts.Table, random: opts.Random, onProbed: opts.OnProbed, turn: make(chan struct{}, 1)}
	c.x, _ = a.(remote.Exclusive)
	if c.table == "" {
		c.table = refs.DefaultTable
	}
	if len(c.table) > 255 || !utf8.ValidString(c.table) || strings.ContainsFunc(c.table, unicode.IsControl) {
		return nil, fmt.Errorf("table %.80q: %w", c.table, fs.ErrInvalid)
	}
	if c.random == nil {
		c.random = rand.Reader
	}
	component := tableComponent(c.table)
	c.dir = catalogDir + component + "/"
	c.replica = &memReplica{}
	if opts.Index != nil {
		c.replica = &indexReplica{db: opts.Index, bucket: "remote/catalog/" + opts.Space + "/" + component}
	}
	c.probed.Store(opts.Probed)
	return c, nil
}

// Close implements refs.Manager; there is nothing to release.
func (c *Catalog) Close() error { return nil }

// lock waits for the turn.
func (c *Catalog) lock(ctx context.Context) error {
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

func (c *Catalog) unlock() { <-c.turn }

// current brings the replica up to date, unless somebody has begun and ended to
// do so since it was called.
func (c *Catalog) current(ctx context.Context) error {
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
func (c *Catalog) refresh(ctx context.Context, spool *catSpool) (lost bool, err error) {
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
		err = corruptCatalog("the commits do not follow each other")
	}
	if err != nil {
		return lost, fmt.Errorf("reading table %q: %w", c.table, err)
	}
	c.done.Store(n)
	return lost, nil
}

// applyKeys is how many keys are applied to the replica at a time.
const applyKeys = 20_000

// follow walks to the end of the log.
func (c *Catalog) follow(ctx context.Context, spool *catSpool) error {
	from, _, err := c.replica.look(ctx, nil)
	if err != nil {
		return err
	}
	start := from
	w := &catWalker{c: c, at: from, chained: true}
	var pending []catKey
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
				w = &catWalker{c: c, at: now, chained: true}
				f, start = &catFile{}, now // look again for the end
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
func (c *Catalog) verifyOnce(ctx context.Context, start, at catPlace) error {
	if at.number > 0 && at == start && !c.verified.Load() {
		if err := c.verify(ctx, at); err != nil {
			return err
		}
	}
	c.verified.Store(true)
	return nil
}

// Get implements refs.Manager.
func (c *Catalog) Get(ctx context.Context, key string) (refs.Record, error) {
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
		return refs.Record{}, corruptCatalog("record %.80q is not in commit %d", key, f.first)
	}
	return liveChange(change), nil
}

// liveChange is a record, the caller's own, that is given whole with its commit.
func liveChange(change catChange) refs.Record {
	rev := refs.Rev(catNumber(change.rev))
	return refs.Record{Key: change.key, Value: bytes.Clone(change.value), Rev: rev, Cursor: refs.Cursor(rev)}
}
