package mongo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// tableFormat is the format of a table, which stands in its log's document 0. A
// program reads no table of a later one.
const tableFormat = 1

// header is document 0 of a log. Without it there is no table: a collection
// alone says nothing, since MongoDB makes one when it is written to.
type header struct {
	ID     int64  `bson:"_id"`
	Format int64  `bson:"format"`
	By     string `bson:"program"`
}

// commit is a document of a log.
type commit struct {
	ID   string `bson:"_id"`
	N    int64  `bson:"n"`
	Data []byte `bson:"commit"`
}

func commitID(n uint64) string { return fmt.Sprintf("_commit/%012d", n) }

const (
	markID   = "_shown" // of the document whose _seq is the mark
	maxWrite = 1000     // documents of one request
)

// store implements docdb.Store.
type store struct {
	d     *Database
	table string
	owns  bool        // closing it closes the database
	seen  atomic.Bool // that there is the table
}

// Close implements docdb.Store.
func (s *store) Close() error {
	if s.owns {
		return s.d.Close()
	}
	return nil
}

// String implements docdb.Store.
func (s *store) String() string { return s.d.String() + "?table=" + s.table }

// collection names that of the documents of a part.
func (s *store) collection(p docdb.Part) string {
	if p == docdb.Requirements {
		return s.table + suffixSpec
	}
	return s.table
}

// log names the collection of the commits of a part: those about what is required
// lie beside it, for the same permissions.
func (s *store) log(p docdb.Part) string {
	if p == docdb.Requirements {
		return s.table + suffixSpec
	}
	return s.table + suffixLog
}

// on runs a request on a collection of the table, which must exist.
func (s *store) on(ctx context.Context, verb, coll string, fn func(context.Context, *driver.Collection) error) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	return s.request(ctx, verb, coll, fn)
}

func (s *store) request(ctx context.Context, verb, coll string, fn func(context.Context, *driver.Collection) error) error {
	return s.d.do(ctx, request{verb, coll}, func(ctx context.Context, db *driver.Database) error {
		return fn(ctx, db.Collection(coll))
	})
}

func is(id any) bson.D { return bson.D{{Key: idField, Value: id}} }

// before is a document as it was before commit n.
func before(id string, n uint64) bson.D {
	return bson.D{{Key: idField, Value: id}, {Key: seqField, Value: bson.D{{Key: "$lt", Value: int64(n)}}}}
}

// find reads all documents that match.
func (s *store) find(ctx context.Context, coll string, filter, into any) error {
	return s.request(ctx, "read", coll, func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Find(ctx, filter)
		if err != nil {
			return err
		}
		return cursor.All(ctx, into)
	})
}

// initialise makes a table of its collections.
func (s *store) initialise(ctx context.Context) error {
	err := s.request(ctx, "insert into", s.table+suffixLog, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.InsertOne(ctx, header{Format: tableFormat, By: "datafs"})
		return err
	})
	if errors.Is(err, fs.ErrExist) {
		return tableExists(s.table)
	}
	return err
}

// used says whether a collection has any document.
func (s *store) used(ctx context.Context, coll string) (found bool, err error) {
	err = s.request(ctx, "read", coll, func(ctx context.Context, c *driver.Collection) error {
		err := c.FindOne(ctx, bson.D{}, options.FindOne().SetProjection(is(1))).Err()
		found = err == nil
		return unlessNone(err)
	})
	return found, err
}

func unlessNone(err error) error {
	if errors.Is(err, driver.ErrNoDocuments) {
		return nil
	}
	return err
}

// check looks whether there is the table, in a format that is known, until it has
// been there once.
func (s *store) check(ctx context.Context) error {
	if s.seen.Load() {
		return nil
	}
	var found []bson.Raw
	if err := s.find(ctx, s.table+suffixLog, is(int64(0)), &found); err != nil {
		return err
	}
	_, err := s.behindHeader(found)
	return err
}

// behindHeader looks at the header among documents, and returns the others.
func (s *store) behindHeader(found []bson.Raw) (others []bson.Raw, err error) {
	var h header
	for _, raw := range found {
		if _, ok := raw.Lookup(idField).AsInt64OK(); !ok {
			others = append(others, raw)
		} else if err := bson.Unmarshal(raw, &h); err != nil {
			return nil, fmt.Errorf("collection %q: %w: %w", s.table+suffixLog, refs.ErrCorrupt, err)
		}
	}
	switch h.Format {
	case tableFormat:
		s.seen.Store(true)
		return others, nil
	case 0:
		s.seen.Store(false)
		return nil, noTable(s.table)
	}
	return nil, fmt.Errorf("table %q has format %d, and this version of datafs knows %d only", s.table, h.Format, tableFormat)
}

// Commits implements docdb.Store. With those of the records it finds out whether the
// table was deleted.
func (s *store) Commits(ctx context.Context, p docdb.Part, n uint64, count int) (list []docdb.Commit, err error) {
	ids := bson.A{}
	for i := range count {
		ids = append(ids, commitID(n+uint64(i)))
	}
	if p == docdb.Records {
		ids = append(ids, int64(0))
	} else if err := s.check(ctx); err != nil {
		return nil, err
	}
	var found []bson.Raw
	if err := s.find(ctx, s.log(p), is(bson.D{{Key: "$in", Value: ids}}), &found); err != nil {
		return nil, err
	}
	if p == docdb.Records {
		if found, err = s.behindHeader(found); err != nil {
			return nil, err
		}
	}
	for _, raw := range found {
		var c commit
		if err := bson.Unmarshal(raw, &c); err != nil || c.ID != commitID(uint64(c.N)) {
			return nil, fmt.Errorf("a commit in collection %q cannot be read: %w", s.log(p), refs.ErrCorrupt)
		}
		list = append(list, docdb.Commit{N: uint64(c.N), Data: c.Data})
	}
	return list, nil
}

// Add implements docdb.Store.
func (s *store) Add(ctx context.Context, p docdb.Part, c docdb.Commit) error {
	return s.on(ctx, "insert into", s.log(p), func(ctx context.Context, coll *driver.Collection) error {
		_, err := coll.InsertOne(ctx, commit{commitID(c.N), int64(c.N), c.Data})
		return err
	})
}

// Show implements docdb.Store. What is new is inserted, all together, and only what
// is there already is replaced.
func (s *store) Show(ctx context.Context, p docdb.Part, n uint64, records []refs.Record) (err error) {
	for page := range slices.Chunk(records, maxWrite) {
		docs, deletions := []any{}, []driver.WriteModel{}
		for _, r := range page {
			id := r.Key
			if p == docdb.Requirements {
				id = strings.TrimPrefix(id, docdb.SpecPrefix)
			}
			if r.Deleted {
				deletions = append(deletions, driver.NewDeleteOneModel().SetFilter(before(id, n)))
			} else if raw, encodeErr := encodeDoc(id, n, r.Value); encodeErr == nil {
				docs = append(docs, raw)
			} else {
				err = encodeErr
			}
		}
		if writeErr := errors.Join(s.put(ctx, s.collection(p), n, docs), s.bulk(ctx, s.collection(p), deletions)); writeErr != nil {
			return writeErr
		}
	}
	return err
}

// put writes documents, each unless there is one of commit n or a later one.
func (s *store) put(ctx context.Context, coll string, n uint64, docs []any) error {
	if len(docs) == 0 {
		return nil
	}
	var there []driver.WriteModel
	err := s.on(ctx, "insert into", coll, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.InsertMany(ctx, docs, options.InsertMany().SetOrdered(false))
		var many driver.BulkWriteException
		if !errors.As(err, &many) || many.WriteConcernError != nil {
			return err
		}
		for _, e := range many.WriteErrors {
			if !driver.IsDuplicateKeyError(e.WriteError) {
				return e.WriteError
			}
			raw := docs[e.Index].(bson.Raw)
			there = append(there, driver.NewReplaceOneModel().SetFilter(before(raw.Lookup(idField).StringValue(), n)).SetReplacement(raw))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return s.bulk(ctx, coll, there)
}

func (s *store) bulk(ctx context.Context, coll string, writes []driver.WriteModel) error {
	if len(writes) == 0 {
		return nil
	}
	err := s.on(ctx, "update", coll, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.BulkWrite(ctx, writes, options.BulkWrite().SetOrdered(false))
		return err
	})
	if errors.Is(err, fs.ErrExist) { // an update creates nothing, unless by a unique index of somebody's
		err = fmt.Errorf("%w: an index of the collection does not let it be written", fs.ErrInvalid)
	}
	return err
}

// Shown implements docdb.Store.
func (s *store) Shown(ctx context.Context, p docdb.Part) (uint64, error) {
	var m struct {
		Seq int64 `bson:"_seq"`
	}
	err := s.on(ctx, "read", s.log(p), func(ctx context.Context, c *driver.Collection) error {
		return unlessNone(c.FindOne(ctx, is(markID)).Decode(&m))
	})
	return uint64(m.Seq), err
}

// SetShown implements docdb.Store.
func (s *store) SetShown(ctx context.Context, p docdb.Part, n uint64) error {
	err := s.on(ctx, "update", s.log(p), func(ctx context.Context, c *driver.Collection) error {
		_, err := c.ReplaceOne(ctx, before(markID, n), bson.D{{Key: seqField, Value: int64(n)}}, options.Replace().SetUpsert(true))
		return err
	})
	if errors.Is(err, fs.ErrExist) { // it is not below n
		return nil
	}
	return err
}

// MayDelete implements docdb.Store.
func (s *store) MayDelete(ctx context.Context, p docdb.Part) error {
	coll := s.collection(p)
	return s.on(ctx, "delete from", coll, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.DeleteOne(ctx, is("")) // which no document has
		return err
	})
}
