package mongo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// pageKeys is how many keys a listing reads at once.
const pageKeys = 1000

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

// place gives the collection and the _id of a key.
func (s *store) place(key string) (coll, id string) {
	if rest, ok := strings.CutPrefix(key, docdb.SpecPrefix); ok {
		return s.table + suffixSpec, rest
	}
	return s.table, key
}

func is(id any) bson.D { return bson.D{{Key: idField, Value: id}} }

func at(id string, seq int64) bson.D {
	return bson.D{{Key: idField, Value: id}, {Key: seqField, Value: seq}}
}

// Get implements docdb.Store.
func (s *store) Get(ctx context.Context, keys []string) (map[string]docdb.Doc, error) {
	ids := map[string][]string{}
	for _, key := range keys {
		coll, id := s.place(key)
		ids[coll] = append(ids[coll], id)
	}
	docs := make(map[string]docdb.Doc, len(keys))
	for coll, list := range ids {
		if err := s.get(ctx, coll, list, docs); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

func (s *store) get(ctx context.Context, coll string, ids []string, docs map[string]docdb.Doc) error {
	var found []bson.Raw
	err := s.on(ctx, "read", coll, func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Find(ctx, is(bson.D{{Key: "$in", Value: ids}}))
		if err != nil {
			return err
		}
		return cursor.All(ctx, &found)
	})
	if err != nil {
		return err
	}
	for _, raw := range found {
		doc, err := decodeDoc(raw)
		if err != nil {
			return fmt.Errorf("collection %q: %w", coll, err)
		}
		if coll != s.table {
			doc.Key = docdb.SpecPrefix + doc.Key
		}
		docs[doc.Key] = doc
	}
	return nil
}

// Insert implements docdb.Store.
func (s *store) Insert(ctx context.Context, docs []docdb.Doc) ([]error, error) {
	slots := map[string][]int{}
	for i, doc := range docs {
		coll, _ := s.place(doc.Key)
		slots[coll] = append(slots[coll], i)
	}
	errs := make([]error, len(docs))
	for coll, list := range slots {
		if err := s.insert(ctx, coll, docs, list, errs); err != nil {
			return nil, err
		}
	}
	return errs, nil
}

// insert creates those of docs that slots says.
func (s *store) insert(ctx context.Context, coll string, docs []docdb.Doc, slots []int, errs []error) error {
	list := make([]any, len(slots))
	for i, slot := range slots {
		_, id := s.place(docs[slot].Key)
		raw, err := encodeDoc(id, docs[slot])
		if err != nil {
			return err
		}
		list[i] = raw
	}
	return s.on(ctx, "insert into", coll, func(ctx context.Context, c *driver.Collection) error {
		_, err := c.InsertMany(ctx, list, options.InsertMany().SetOrdered(false))
		var many driver.BulkWriteException
		if !errors.As(err, &many) || many.WriteConcernError != nil || len(many.WriteErrors) == 0 {
			return err
		}
		for _, e := range many.WriteErrors {
			errs[slots[e.Index]] = s.d.explain(ctx, request{"insert into", coll}, e.WriteError)
		}
		return nil
	})
}

// Replace implements docdb.Store.
func (s *store) Replace(ctx context.Context, d docdb.Doc, prev int64) error {
	coll, id := s.place(d.Key)
	raw, err := encodeDoc(id, d)
	if err != nil {
		return err
	}
	var found int64
	err = s.on(ctx, "update", coll, func(ctx context.Context, c *driver.Collection) error {
		result, err := c.ReplaceOne(ctx, at(id, prev), raw)
		if err == nil {
			found = result.MatchedCount
		}
		return err
	})
	return matched(err, found)
}

// Delete implements docdb.Store.
func (s *store) Delete(ctx context.Context, key string, prev int64) error {
	coll, id := s.place(key)
	var found int64
	err := s.on(ctx, "delete from", coll, func(ctx context.Context, c *driver.Collection) error {
		result, err := c.DeleteOne(ctx, at(id, prev))
		if err == nil {
			found = result.DeletedCount
		}
		return err
	})
	return matched(err, found)
}

func matched(err error, found int64) error {
	switch {
	case errors.Is(err, fs.ErrExist): // an update creates nothing, unless by a unique index of somebody's
		return fmt.Errorf("%w: an index of the collection does not let it be written", fs.ErrInvalid)
	case err == nil && found == 0:
		return refs.ErrConflict
	}
	return err
}

// Keys implements docdb.Store. Those of the two collections are in order: all
// keys of the one that stand below "spec/" are in the other.
func (s *store) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		spec := docdb.SpecPrefix
		switch {
		case strings.HasPrefix(prefix, spec):
			s.keys(ctx, s.table+suffixSpec, spec, prefix[len(spec):], "", yield)
		case !strings.HasPrefix(spec, prefix):
			s.keys(ctx, s.table, "", prefix, "", yield)
		default:
			_ = s.keys(ctx, s.table, "", prefix, spec, yield) &&
				s.keys(ctx, s.table+suffixSpec, spec, "", "", yield) &&
				s.keys(ctx, s.table, "", prefix, after(spec), yield)
		}
	}
}

// after gives the place in the order of keys where those that start with prefix
// have ended.
func after(prefix string) string { return prefix[:len(prefix)-1] + string(prefix[len(prefix)-1]+1) }

// keys gives those of a collection that start with prefix, with add before each:
// up to bound if that is "spec/", from bound on if it is what comes after.
func (s *store) keys(ctx context.Context, coll, add, prefix, bound string, yield func(string, error) bool) bool {
	from, op, to := prefix, "$gte", ""
	if bound == docdb.SpecPrefix {
		to = bound
	} else if bound != "" {
		from = bound
	}
	from = valid(from)
	for {
		page, err := s.page(ctx, coll, op, from, to)
		if err != nil {
			yield("", err)
			return false
		}
		for _, id := range page {
			if !strings.HasPrefix(id, prefix) {
				if id > prefix {
					return true
				}
				continue
			}
			if !yield(add+id, nil) {
				return false
			}
		}
		if len(page) < pageKeys {
			return true
		}
		from, op = page[len(page)-1], "$gt"
	}
}

// valid cuts off what a database cannot take for a string.
func valid(s string) string {
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s
}

func (s *store) page(ctx context.Context, coll, op, from, to string) ([]string, error) {
	limits := bson.D{{Key: op, Value: from}}
	if to != "" {
		limits = append(limits, bson.E{Key: "$lt", Value: to})
	}
	o := options.Find().SetSort(is(1)).SetProjection(is(1)).SetLimit(pageKeys)
	var found []struct {
		ID string `bson:"_id"`
	}
	err := s.on(ctx, "read", coll, func(ctx context.Context, c *driver.Collection) error {
		cursor, err := c.Find(ctx, is(limits), o)
		if err != nil {
			return err
		}
		return cursor.All(ctx, &found)
	})
	ids := make([]string, len(found))
	for i, f := range found {
		ids[i] = f.ID
	}
	return ids, err
}
