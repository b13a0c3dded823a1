package docdb

import (
	"context"
	"iter"
)

// Doc is a document of a database: a record, or the place of one.
type Doc struct {
	Key    string
	Seq    int64          // changes with every write and never comes back; opaque to a Store
	Fields map[string]any // the record: string, int64, bool, nil, []any and map[string]any; nil when it is in Raw
	Raw    []byte         // the record where it cannot be kept as Fields
	Void   bool           // a place-holder: there is no record, and neither Fields nor Raw
}

// Entry is an entry of the log: a few records that are written together. It is
// pending from Append until Finish.
type Entry struct {
	N       int64 // 1, 2, ...
	Writer  string
	Changes []EntryChange
	Done    bool
	By      string // who finished it; "" while it is pending
	Failed  []int  // indexes of the changes that did not take place; set with Done
}

// EntryChange is a record that an Entry writes, or deletes.
type EntryChange struct {
	Key    string
	Delete bool
}

// Limits of what the Manager asks of a Store at once.
const (
	MaxGet     = 100       // keys of a Get
	MaxInsert  = 1000      // documents of an Insert
	MaxRead    = 100       // entries of a Read
	MaxChanges = 1000      // changes of an Entry
	MaxKeys    = 300 << 10 // bytes of the keys of an Entry, unless it has but one
)

// SpecPrefix begins the keys of the documents that a Store keeps in a table of
// their own, so that the database's own permissions protect them.
const SpecPrefix = "spec/"

// Store is a database as the Manager uses it: documents that are written one by
// one, each atomically, and a log. Everything is read as it was last written
// (strong consistency). A Store need not have transactions, and no method acts
// on two documents at once: Get and Insert of many may act on one after another.
//
// A write that fails with fs.ErrExist, refs.ErrConflict, fs.ErrPermission,
// fs.ErrInvalid (the database cannot keep such a document) or fs.ErrNotExist
// (there is no such table) has not taken place and never will. Any other error,
// that of a cancelled context too, leaves open whether it has or will: the
// Manager looks after that. A client that sends a write again when an answer was
// lost may thus report a conflict with its own write. If it does so with an
// Insert it must report the outcome as open, even when the second one succeeds:
// the first one may still arrive after the document was deleted. (A request that
// was refused for lack of capacity was not lost.)
//
// All methods are safe for concurrent use, by several processes too. Documents
// and entries are not changed by either side after they were passed.
type Store interface {
	// Get gives the documents of the keys, of which there are at most MaxGet
	// and none twice; the ones that do not exist are left out.
	Get(ctx context.Context, keys []string) (map[string]Doc, error)

	// Insert creates documents, at most MaxInsert and no key twice. The errors
	// come by slot, nil for what was created, fs.ErrExist where there is one
	// already, Void or not. The second error means that nothing is known.
	Insert(ctx context.Context, docs []Doc) ([]error, error)

	// Replace replaces the document of d.Key if it is there with Seq prev, and
	// else fails with refs.ErrConflict.
	Replace(ctx context.Context, d Doc, prev int64) error

	// Delete removes a document if it is there with Seq prev, and else fails
	// with refs.ErrConflict. Where the database does not permit the user to
	// delete it must say fs.ErrPermission, whether prev fits or not.
	Delete(ctx context.Context, key string, prev int64) error

	// Keys gives the keys of the documents, Void ones too, that start with
	// prefix, in byte order; those of all tables together. The caller may use
	// the Store meanwhile. An error ends the sequence.
	Keys(ctx context.Context, prefix string) iter.Seq2[string, error]

	// Head gives the number of the last entry of the log; 0: there is none.
	Head(ctx context.Context) (int64, error)

	// Append adds a pending entry. It fails with fs.ErrExist when there is an
	// entry e.N already.
	Append(ctx context.Context, e Entry) error

	// Finish marks entry n as done: it sets Done, By and Failed if the entry
	// is pending, or was finished by by. Else it fails with refs.ErrConflict.
	Finish(ctx context.Context, n int64, by string, failed []int) error

	// Read gives the entries from after+1 on, at most limit, in order. It may
	// give fewer than there are, but at least one if there is one.
	Read(ctx context.Context, after int64, limit int) ([]Entry, error)

	// Close releases what the Store holds.
	Close() error
}
