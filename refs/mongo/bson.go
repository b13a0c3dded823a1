package mongo

import (
	"io/fs"
	"maps"
	"slices"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs/docdb"
)

// Fields of a document that are no field of the record; docdb gives no record
// with a name that begins like these.
const (
	idField   = "_id"
	seqField  = "_seq"
	jsonField = "_json"
)

// maxBSON is how many bytes of fields are kept as such. MongoDB takes 16 MiB;
// the same as JSON text is smaller, if it is a long list.
const maxBSON = 15 << 20

// encodeDoc gives the document of a record as commit n left it, which the collection
// knows as id.
func encodeDoc(id string, n uint64, value []byte) (bson.Raw, error) {
	head := bson.D{{Key: idField, Value: id}, {Key: seqField, Value: int64(n)}}
	if fields, ok := docdb.Decode(value); ok {
		raw, err := marshal(id, append(slices.Clone(head), ordered(fields)...))
		if err != nil || len(raw) <= maxBSON {
			return raw, err
		}
	}
	return marshal(id, append(head, bson.E{Key: jsonField, Value: asText(value)}))
}

func marshal(id string, doc bson.D) (bson.Raw, error) {
	raw, err := bson.Marshal(doc)
	if err != nil {
		return nil, leaf.Errorf(fs.ErrInvalid, "encode record %q: %v", id, err)
	}
	return raw, nil
}

// asText is a string where it can be one, which is easier to read.
func asText(raw []byte) any {
	if utf8.Valid(raw) {
		return string(raw)
	}
	return raw
}

// ordered gives the fields in the order of their names, as in the JSON.
func ordered(fields map[string]any) bson.D {
	doc := make(bson.D, 0, len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		doc = append(doc, bson.E{Key: name, Value: toBSON(fields[name])})
	}
	return doc
}

func toBSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return ordered(v)
	case []any:
		list := make(bson.A, len(v))
		for i := range v {
			list[i] = toBSON(v[i])
		}
		return list
	}
	return v
}
