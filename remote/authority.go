// Package remote is about the places where a team keeps things: the interface of an
// authority (a directory, a bucket, a server) that holds immutable files, what all kinds
// of them share, and wrappers that try again, limit and count. Its packages use it to
// move content and records. It knows neither profiles nor commands.
package remote

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Info is a file at an authority. Size is in bytes.
type Info struct {
	Name string
	Size int64
}

// Authority stores files under slash-separated names that are relative to its
// root or prefix ("packs/ab/..."); CheckName says which names there are. Files
// are never changed, only put, read, listed and deleted. All methods may be
// called by several goroutines, and several processes may use one place.
//
// The kinds of errors: fs.ErrNotExist for a file that is not there,
// fs.ErrPermission for what the credentials do not allow (or when there are no
// usable ones), ErrReadOnly for a write that can never be, ErrUnavailable for
// what another try may cure, ErrNoStorage for a root, bucket or host that is
// not there. An error names what was being done with which file where, in one
// line, and never a secret.
type Authority interface {
	// Get reads n bytes of a file from off on; n < 0 is to the end. A file that
	// ends earlier gives fewer bytes, as does an offset at its end or behind it.
	// The reader fails rather than end early when the connection breaks.
	Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error)

	// Put writes a file whole or not at all. A file of that name that is there
	// already may be kept or replaced; both are success, since names stand for
	// contents. r is read from its current offset to its end; Put may seek back
	// to that offset to read again.
	Put(ctx context.Context, name string, r io.ReadSeeker) error

	// List gives the files whose names begin with prefix, in no particular
	// order, without unfinished ones. An error ends the sequence.
	List(ctx context.Context, prefix string) iter.Seq2[Info, error]

	// Delete removes a file. One that is not there is no error.
	Delete(ctx context.Context, name string) error

	// Close releases what the authority holds.
	Close() error

	// String returns where the authority is, in one line: a path, or an address without
	// user, password, key and query. It never changes.
	String() string
}

// Exclusive is an Authority that can make sure that a file is made once. The
// catalogue kept in an authority needs it.
type Exclusive interface {
	// PutNew writes a file whole if there is none of that name; among any
	// number of callers, in any number of processes, one succeeds. Otherwise the
	// error wraps fs.ErrExist and nothing changes. After any other error the
	// file may have been written: the caller reads it to find out.
	PutNew(ctx context.Context, name string, r io.ReadSeeker) error
}

// The kinds of errors of an authority, besides those of io/fs.
var (
	// ErrUnavailable: the network or the server failed; another try may help.
	ErrUnavailable = refs.ErrUnavailable
	// ErrNoStorage: the root directory, bucket or host is not there. It is an
	// ErrUnavailable that another try does not cure.
	ErrNoStorage = leaf.Errorf(ErrUnavailable, "not there")
	// ErrReadOnly: this kind of authority, or this one, cannot be written.
	ErrReadOnly = fmt.Errorf("read-only: %w", fs.ErrPermission)
)

const maxName = 512 // bytes of a name

// CheckName refuses, with fs.ErrInvalid, what is not the name of a file at an
// authority: components of lower-case letters, digits, ".", "-" and "_",
// separated by single slashes, none of them beginning with "." (such names are
// left to drivers for unfinished files), 512 bytes at most.
func CheckName(name string) error {
	start := true
	for i := range len(name) {
		c := name[i]
		switch {
		case c == '/' && !start:
			start = true
			continue
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', (c == '.' || c == '-' || c == '_') && !start, c == '-', c == '_':
			start = false
		default:
			return fmt.Errorf("name %.80q of a file at an authority: %w", name, fs.ErrInvalid)
		}
	}
	if start || len(name) > maxName {
		return fmt.Errorf("name %.80q of a file at an authority: %w", name, fs.ErrInvalid)
	}
	return nil
}

// CheckPrefix refuses, with fs.ErrInvalid, what no name of a file at an
// authority begins with. The empty prefix is every name's.
func CheckPrefix(prefix string) error {
	if len(prefix) >= maxName {
		return CheckName(prefix)
	}
	return CheckName(prefix + "x")
}
