package mongo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

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

// logEntry is a document of the log.
type logEntry struct {
	ID      int64       `bson:"_id"`
	Writer  string      `bson:"writer"`
	By      string      `bson:"by"` // who finished it; "" while it is pending
	Changes []logChange `bson:"changes"`
	Failed  []int       `bson:"failed,omitempty"`
}

type logChange struct {
	Key    string `bson:"key"`
	Delete bool   `bson:"delete,omitempty"`
}

func (s *store) log() string { return s.table + suffixLog }

// initialise makes a table of its collections.
func (s *store) initialise(ctx context.Context) error {
	err := s.request(ctx, "insert into", s.log(), func(ctx context.Context, c *driver.Collection) error {
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

// check looks once whether there is the table, in a format that is known.
func (s *store) check(ctx context.Context) error {
	if s.seen.Load() {
		return nil
	}
	var h header
	err := s.request(ctx, "read", s.log(), func(ctx context.Context, c *driver.Collection) error {
		return unlessNone(c.FindOne(ctx, is(int64(0))).Decode(&h))
	})
	switch {
	case err != nil:
		return err
	case h.Format == 0:
		return noTable(s.table)
	case h.Format != tableFormat:
		return fmt.Errorf("table %q has format %d, and this version of datafs knows %d only", s.table, h.Format, tableFormat)
	}
	s.seen.Store(true)
	return nil
}

// Head implements docdb.Store. Every write asks this first, and so finds out
// that the table was deleted.
func (s *store) Head(ctx context.Context) (int64, error) {
	head := struct {
		ID int64 `bson:"_id"`
	}{-1}
	o := options.FindOne().SetSort(is(-1)).SetProjection(is(1))
	err := s.on(ctx, "read", s.log(), func(ctx context.Context, c *driver.Collection) error {
		return unlessNone(c.FindOne(ctx, bson.D{}, o).Decode(&head))
	})
	if err != nil {
		return 0, err
	}
	if head.ID < 0 {
		s.seen.Store(false)
		return 0, noTable(s.table)
	}
	return head.ID, nil
}

// Append implements docdb.Store.
func (s *store) Append(ctx context.Context, e docdb.Entry) error {
	doc := logEntry{ID: e.N, Writer: e.Writer, Changes: make([]logChange, len(e.Changes))}
	for i, c := range e.Changes {
		doc.Changes[i] = logChange(c)
	}
	return s.on(ctx, "insert into", s.log(), func(ctx context.Context, c *driver.Collection) error {
		_, err := c.InsertOne(ctx, doc)
		return err
	})
}

// Finish implements docdb.Store.
func (s *store) Finish(ctx context.Context, n int64, by string, failed []int) error {
	pending := bson.D{{Key: idField, Value: n}, {Key: "by", Value: bson.D{{Key: "$in", Value: bson.A{"", by}}}}}
	if failed == nil {
		failed = []int{}
	}
	set := bson.D{{Key: "$set", Value: bson.D{{Key: "by", Value: by}, {Key: "failed", Value: failed}}}}
	var found int64
	err := s.on(ctx, "update", s.log(), func(ctx context.Context, c *driver.Collection) error {
		result, err := c.UpdateOne(ctx, pending, set)
		if err == nil {
			found = result.MatchedCount
		}
		return err
	})
	return matched(err, found)
}

// Read implements docdb.Store.
func (s *store) Read(ctx context.Context, after int64, limit int) ([]docdb.Entry, error) {
	o := options.Find().SetSort(is(1)).SetLimit(int64(limit))
	var docs []logEntry
	err := s.on(ctx, "read", s.log(), func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Find(ctx, is(bson.D{{Key: "$gt", Value: max(after, 0)}}), o)
		if err != nil {
			return err
		}
		return cursor.All(ctx, &docs)
	})
	if err != nil {
		return nil, err
	}
	entries := make([]docdb.Entry, len(docs))
	for i, doc := range docs {
		entries[i] = doc.entry()
	}
	return entries, nil
}

func (doc logEntry) entry() docdb.Entry {
	e := docdb.Entry{N: doc.ID, Writer: doc.Writer, By: doc.By, Done: doc.By != "", Failed: doc.Failed}
	for _, c := range doc.Changes {
		e.Changes = append(e.Changes, docdb.EntryChange(c))
	}
	return e
}
