// Package dynamo keeps a team's records in tables of Amazon's DynamoDB, or of a
// server that speaks its protocol: an item for each record, whose attributes are
// the fields of the record, so that a person can read them with the database's
// own tools. It maps what docdb asks for to requests; the rules of a manager are
// in docdb, those of archives in refs. Its one invariant: every write is of one
// item and has a condition, and every read is strongly consistent, so that the
// tables need neither transactions nor indexes nor streams.
package dynamo

import (
	"context"
	"fmt"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// maxItem is how many bytes an item has.
const maxItem = 400 << 10

// Open gives a manager on a table that CreateTable has made, and which is a
// refs.Batcher. It neither connects nor reads the AWS configuration: what is
// wrong there, or a table that is not there, is an error of the first use. The
// index, which may be nil, keeps what is known of the table for the next process.
func Open(ctx context.Context, o *Options, index *index.DB) (refs.Manager, error) {
	s, err := newStore(o)
	if err != nil {
		return nil, err
	}
	return docdb.New(s, &docdb.Options{Index: index, Rand: s.random, MaxDocument: maxItem}), ctx.Err()
}

func newStore(o *Options) (*store, error) {
	if o == nil {
		o = &Options{}
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("dynamodb: %w", err)
	}
	return &store{conn: newConn(*o), table: o.Table}, nil
}
