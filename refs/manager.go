package refs

import (
	"context"
	"iter"
)

// Rev is the revision of a record: it changes with every change of the record
// and never comes back, not even when the record is deleted and made anew.
type Rev string

// Absent is the revision of a record that does not exist.
const Absent Rev = ""

// Cursor is a place in a manager's sequence of changes. "" is the beginning.
type Cursor string

// Record is one record of a manager.
type Record struct {
	Key     string
	Value   []byte // the caller's own copy
	Rev     Rev
	Deleted bool   // only from Changes: the record was deleted, and has no Value
	Cursor  Cursor // where Changes goes on after this record; other methods may leave it empty
}

// DefaultTable is the table that exists by itself.
const DefaultTable = "datafs"

// Limits of a record, which every manager keeps and enforces alike.
const (
	MaxKey   = 20 << 10 // bytes of a key
	MaxValue = 8 << 20  // bytes of a value; a network manager may allow less
)

// Manager stores records. Each method acts on one record, atomically; there are
// no transactions between records, so that any database will do. All methods
// are safe for concurrent use, by several processes too where the manager is
// kept in a place that they share.
//
// Keys are valid UTF-8 without control characters, not empty. Values are
// canonical JSON objects as this package encodes them; a manager may keep them
// as native documents, as long as it gives the same bytes back.
type Manager interface {
	// Get gives a record, or an error that wraps fs.ErrNotExist; also for a key
	// that no record can have.
	Get(ctx context.Context, key string) (Record, error)

	// Put writes a record if it is still at revision prev; Absent means that it
	// must not exist. Otherwise the error wraps ErrConflict and nothing changes.
	// It wraps fs.ErrInvalid for a key or a value that no record can have.
	Put(ctx context.Context, key string, value []byte, prev Rev) (Rev, error)

	// Delete removes a record if it is still at revision prev. The error wraps
	// fs.ErrNotExist when there is none, ErrConflict when it is at another revision.
	Delete(ctx context.Context, key string, prev Rev) error

	// List gives the records whose keys start with prefix, in byte order of the
	// keys. It sees every record that exists from its beginning to its end; of
	// what changes meanwhile it may see the old or the new. The caller may use
	// the manager while it lists. An error ends the sequence.
	List(ctx context.Context, prefix string) iter.Seq2[Record, error]

	// Changes gives what changed after since, in order of change, each record
	// as it is now; a record that changed several times counts once, with its
	// last change. Deleted records are given too, as long as the manager
	// remembers them, also before a record that was made anew under the same
	// key. A caller who keeps the Cursor of the last record that it was given
	// and comes back with it never misses a change, whatever is written
	// meanwhile; it may see a record twice. A cursor that the manager does not
	// know is an error, except one from a future that was lost (a restored
	// backup): then everything is given again.
	Changes(ctx context.Context, since Cursor) iter.Seq2[Record, error]

	// Close releases what the manager holds.
	Close() error
}

// Change is one write of a batch.
type Change struct {
	Key   string
	Value []byte // nil deletes the record
	Prev  Rev
}

// Batcher is a Manager that makes many changes faster together than one by one.
type Batcher interface {
	// PutAll makes the changes in order, each on its own terms, as Put and
	// Delete would: the errors come by slot, nil for what was done. The second
	// error means that nothing is known of any slot but that each change was
	// made wholly or not at all.
	PutAll(ctx context.Context, changes []Change) ([]error, error)
}

// Atomic is a Manager that can do several things as one. No rule depends on it:
// it saves the retries that compare-and-swap needs under contention.
type Atomic interface {
	// Atomic calls fn once with a manager that only fn may use, not
	// concurrently. What fn writes through it becomes visible to others all at
	// once when fn returns nil, and not at all when it returns an error; nobody
	// else writes meanwhile. fn must not use the manager that it belongs to.
	Atomic(ctx context.Context, fn func(Manager) error) error
}

// Snapshotter is a Manager that can show several records as they are at one moment.
type Snapshotter interface {
	// Snapshot calls fn with a manager that only fn may use, not concurrently, to
	// read only. Others may have to wait with their changes until it returns.
	Snapshot(ctx context.Context, fn func(Manager) error) error
}
