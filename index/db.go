package index

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"
)

var (
	// ErrCorrupt is wrapped by every error that means damaged data.
	ErrCorrupt = errors.New("corrupt data")

	// ErrBusy is wrapped by the error of a transaction that waited too long for
	// another process.
	ErrBusy = errors.New("in use")
)

// Options say how a DB waits for other processes. The zero value is fine.
type Options struct {
	// LockTimeout is how long a transaction waits for others: 0 means a minute,
	// less than 0 for ever.
	LockTimeout time.Duration

	// Holder tells those that wait who holds the lock, such as
	// "pid 71 (datafs update x)".
	Holder string

	// Waiting, when not nil, is called once in each transaction that has waited
	// for a second, with the Holder of the one that it waits for.
	Waiting func(holder string)
}

// DB is a database file that several processes use at once. It remembers only
// the path: the file is opened for each transaction. Safe for concurrent use.
type DB struct {
	path           string
	opts           Options
	turn           chan struct{} // holds a token while an Update of this DB runs or waits for the lock
	closed         atomic.Bool
	limits         limits // of its transactions
	views, updates atomic.Int64
}

// Transactions returns how many Views and Updates have begun.
func (db *DB) Transactions() (views, updates int64) { return db.views.Load(), db.updates.Load() }

// Open returns the database at path. The file need not exist: that is an empty
// database, and the first Update makes it, in a directory that must exist then.
func Open(path string, opts *Options) (*DB, error) {
	if path == "" {
		return nil, errors.New("open index: no path")
	}
	db := &DB{path: path, turn: make(chan struct{}, 1), limits: defaultLimits}
	if opts != nil {
		db.opts = *opts
	}
	return db, nil
}

// Close makes further transactions fail with fs.ErrClosed.
func (db *DB) Close() error {
	db.closed.Store(true)
	return nil
}

// View calls fn with a transaction that shows the database as it is now, and
// returns what fn returns. Updates wait until it is done, other Views do not;
// an Update inside of fn would wait for itself.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	db.views.Add(1)
	unlock, err := db.lock(ctx, false)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := openSnapshot(db.path)
	if err != nil {
		return err
	}
	defer s.close()
	return fn(db.newTx(s, false))
}

// Update calls fn with a transaction that may write. When fn returns nil its
// changes are on disk, all of them, when Update returns nil; otherwise nothing
// is changed. No other transaction runs meanwhile, in this process or another.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	db.updates.Add(1)
	unlock, err := db.lock(ctx, true)
	if err != nil {
		return err
	}
	defer unlock()
	s, err := openSnapshot(db.path)
	if err != nil {
		return err
	}
	defer s.close()
	tx := db.newTx(s, true)
	if err := fn(tx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return tx.commit(db)
}

func (db *DB) newTx(s *snapshot, writable bool) *Tx {
	tx := newTx(s, writable)
	tx.limits = db.limits
	return tx
}

func (db *DB) usable(ctx context.Context) error {
	if db.closed.Load() {
		return fmt.Errorf("index %s: %w", db.path, fs.ErrClosed)
	}
	return ctx.Err()
}
