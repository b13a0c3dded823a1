package mongo

import (
	"context"
	"encoding/base64"
	"fmt"
	"iter"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// pageSeed is how many documents of the Python program are read at once; each
// has the whole history of an archive.
const pageSeed = 100

// ReadSeed gives the documents of a table of the original Python DataFS, one
// for each archive, in byte order of their _id, which is the archive's name. It
// writes nothing. Values are string, bool, int64, float64, nil, []any and
// map[string]any; times are text as in RFC 3339, bytes are base64, and what
// else Python may have put there is its text in MongoDB's extended JSON. Where
// there is no such table the error wraps fs.ErrNotExist.
func ReadSeed(ctx context.Context, o *Options) iter.Seq2[map[string]any, error] {
	return readSeed(ctx, o, "")
}

// ReadSeedSpec likewise gives the documents that say what is required of
// archives: their fields are _id and config.
func ReadSeedSpec(ctx context.Context, o *Options) iter.Seq2[map[string]any, error] {
	return readSeed(ctx, o, suffixSpec)
}

func readSeed(ctx context.Context, o *Options, suffix string) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		d, err := Connect(ctx, o)
		if err != nil {
			yield(nil, err)
			return
		}
		defer d.Close()
		if err := d.seedTable(ctx, d.o.table(), suffix); err != nil {
			yield(nil, err)
			return
		}
		d.seed(ctx, d.o.table()+suffix, yield)
	}
}

// seedTable looks whether there is a table of the Python program, which unlike
// one of this has no log.
func (d *Database) seedTable(ctx context.Context, table, suffix string) error {
	any := bson.D{{Key: "$in", Value: bson.A{table + suffix, table + suffixLog}}}
	names, err := d.collections(ctx, bson.D{{Key: "name", Value: any}})
	switch {
	case err != nil:
		return err
	case len(names) == 0:
		return noTable(table + suffix)
	case len(names) > 1 || names[0] != table+suffix:
		return fmt.Errorf("table %q is one of this program, not of the original DataFS", table)
	}
	return nil
}

// seed reads in pages, as a caller may take longer for one than a server keeps
// a cursor.
func (d *Database) seed(ctx context.Context, coll string, yield func(map[string]any, error) bool) {
	filter := bson.D{}
	for {
		page, err := d.seedPage(ctx, coll, filter)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, raw := range page {
			doc, err := plainDocument(raw)
			if err != nil {
				err = fmt.Errorf("read collection %q: %w", coll, err)
			}
			if !yield(doc, err) || err != nil {
				return
			}
		}
		if len(page) < pageSeed {
			return
		}
		filter = is(bson.D{{Key: "$gt", Value: page[len(page)-1].Lookup(idField)}})
	}
}

func (d *Database) seedPage(ctx context.Context, coll string, filter bson.D) (page []bson.Raw, err error) {
	o := options.Find().SetSort(is(1)).SetLimit(pageSeed)
	err = d.do(ctx, request{"read", coll}, func(ctx context.Context, db *driver.Database) error {
		cursor, err := db.Collection(coll).Find(ctx, filter, o)
		if err != nil {
			return err
		}
		return cursor.All(ctx, &page)
	})
	return page, err
}

func plainDocument(raw bson.Raw) (map[string]any, error) {
	elements, err := raw.Elements()
	doc := make(map[string]any, len(elements))
	for _, e := range elements {
		if err == nil {
			doc[e.Key()], err = plain(e.Value())
		}
	}
	return doc, err
}

// plain gives a value of Python's as one of Go's.
func plain(v bson.RawValue) (any, error) {
	switch v.Type {
	case bson.TypeString:
		return v.StringValue(), nil
	case bson.TypeBoolean:
		return v.Boolean(), nil
	case bson.TypeNull, bson.TypeUndefined:
		return nil, nil
	case bson.TypeInt32, bson.TypeInt64:
		return v.AsInt64(), nil
	case bson.TypeDouble:
		return v.Double(), nil
	case bson.TypeDateTime:
		return v.Time().UTC().Format(time.RFC3339Nano), nil
	case bson.TypeBinary:
		_, b := v.Binary()
		return base64.StdEncoding.EncodeToString(b), nil
	case bson.TypeObjectID:
		return v.ObjectID().Hex(), nil
	case bson.TypeEmbeddedDocument:
		return plainDocument(v.Document())
	case bson.TypeArray:
		return plainList(v.Array())
	}
	return v.String(), nil
}

func plainList(raw bson.RawArray) ([]any, error) {
	values, err := raw.Values()
	list := make([]any, len(values))
	for i, v := range values {
		if err == nil {
			list[i], err = plain(v)
		}
	}
	return list, err
}
