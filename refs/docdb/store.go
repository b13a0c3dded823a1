package docdb

import (
	"context"

	"github.com/datafs/datafs/refs"
)

// Part is a part of a table.
type Part int

// The parts of a table.
const (
	Records      Part = iota // archives and versions
	Requirements             // what is required, with keys that begin with SpecPrefix
)

// SpecPrefix begins the keys of the requirements; their documents go by what is
// behind it.
const SpecPrefix = "spec/"

// Commit is an entry of a log, as package commitlog made it.
type Commit struct {
	N    uint64 // 1, 2, ...
	Data []byte
}

// Store is a database as the Manager uses it. Commits are read as they were last
// written (strong consistency). The log of the requirements must lie where who may not
// write what is required cannot write either.
//
// All methods are safe for concurrent use, by several processes too.
type Store interface {
	// Commits returns those of the commits n to n+count-1 that are there, in any order.
	Commits(ctx context.Context, p Part, n uint64, count int) ([]Commit, error)

	// Add writes a commit if there is none of its number, and else fails with
	// fs.ErrExist. An error that wraps refs.ErrUnavailable leaves the outcome open.
	Add(ctx context.Context, p Part, c Commit) error

	// Show writes the documents of records, or deletes them, as commit n left
	// them, where the document is not of that commit or a later one. It goes on
	// after one that the database refuses, and returns an error of such a one.
	Show(ctx context.Context, p Part, n uint64, records []refs.Record) error

	// Shown returns the mark: up to which commit documents were written.
	Shown(ctx context.Context, p Part) (uint64, error)

	// SetShown raises the mark to n.
	SetShown(ctx context.Context, p Part, n uint64) error

	// MayDelete fails with fs.ErrPermission where the database does not permit the
	// user to delete documents.
	MayDelete(ctx context.Context, p Part) error

	// String names the database and the table, without a secret.
	String() string

	// Close releases what the Store holds.
	Close() error
}
