// Package catalog is a refs.Manager that keeps a team's records in an authority, so that
// a team needs no database. It says where commits and runs lie, and finds out whether an
// authority can keep them; what they are is the business of package commitlog. Its
// invariant: a commit is written by an exclusive write only.
package catalog

import (
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/commitlog"
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

// Catalog is a refs.Manager, and a refs.Batcher, that is kept in an authority: a
// commitlog.Manager. Any number of processes may use one authority.
//
// An authority that is no Exclusive can only be read: the error of a write then
// wraps errors.ErrUnsupported. Errors are those of the authority besides, and
// refs.ErrCorrupt for files that are not what a Catalog writes.
type Catalog struct {
	*commitlog.Manager
	a        remote.Authority
	x        remote.Exclusive // nil: cannot be written
	dir      string           // of its files, with a slash
	random   io.Reader
	onProbed func()
	probed   atomic.Bool
}

// Open gives the catalogue of a table at an authority. It reads and
// writes nothing yet. The error wraps fs.ErrInvalid for what no table can be
// called. Closing the Catalog closes neither the authority nor the index.
func Open(a remote.Authority, opts *Options) (*Catalog, error) {
	if opts == nil {
		opts = &Options{}
	}
	table := opts.Table
	if table == "" {
		table = refs.DefaultTable
	}
	if len(table) > 255 || !utf8.ValidString(table) || strings.ContainsFunc(table, unicode.IsControl) {
		return nil, fmt.Errorf("table %.80q: %w", table, fs.ErrInvalid)
	}
	component := tableComponent(table)
	c := &Catalog{a: a, dir: catalogDir + component + "/", random: opts.Random, onProbed: opts.OnProbed}
	if c.random == nil {
		c.random = rand.Reader
	}
	c.x, _ = a.(remote.Exclusive)
	c.probed.Store(opts.Probed)
	c.Manager = commitlog.New(logFiles{c}, &commitlog.Options{
		Table: table, Index: opts.Index, Bucket: "remote/catalog/" + opts.Space + "/" + component, Random: c.random,
		Runs: runFiles{c}, Damage: remote.AtAuthority,
		Before: c.writable,
	})
	return c, nil
}

// catalogDir is where all catalogues of an authority are.
const catalogDir = "catalog/"

// tableComponent makes a component of a name from a table's name: lower-case
// letters, digits and "-" stay, another byte is "_" and two hex digits. What
// would be too long is "__" and its BLAKE3 in hex, which is nothing else's.
func tableComponent(table string) string {
	const hex, most = "0123456789abcdef", 160
	var b []byte
	for i := range len(table) {
		switch c := table[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-':
			b = append(b, c)
		default:
			b = append(b, '_', hex[c>>4], hex[c&15])
		}
	}
	if len(b) > most {
		return fmt.Sprintf("__%x", blake3.Sum256([]byte(table)))
	}
	return string(b)
}
