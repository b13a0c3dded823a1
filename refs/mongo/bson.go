package mongo

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// Fields of a document that are no field of the record; docdb gives no record
// with a name that begins like these.
const (
	idField   = "_id"
	seqField  = "_seq"
	voidField = "_void"
	jsonField = "_json"
)

// maxBSON is how many bytes of fields are kept as such. MongoDB takes 16 MiB;
// the same as JSON text is smaller, if it is a long list.
const maxBSON = 15 << 20

// encodeDoc gives the document of a record, which the collection knows as id.
func encodeDoc(id string, d docdb.Doc) (bson.Raw, error) {
	head := bson.D{{Key: idField, Value: id}, {Key: seqField, Value: d.Seq}}
	if d.Void {
		return marshal(id, append(head, bson.E{Key: voidField, Value: true}))
	}
	if d.Fields == nil {
		return marshal(id, append(head, bson.E{Key: jsonField, Value: asText(d.Raw)}))
	}
	raw, err := marshal(id, append(slices.Clone(head), ordered(d.Fields)...))
	if err != nil || len(raw) <= maxBSON {
		return raw, err
	}
	text, err := docdb.Encode(d.Fields)
	if err != nil {
		return nil, err
	}
	return marshal(id, append(head, bson.E{Key: jsonField, Value: string(text)}))
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

// decodeDoc is the reverse, but for the key of a document of the spec.
func decodeDoc(raw bson.Raw) (d docdb.Doc, err error) {
	elements, err := raw.Elements()
	if err != nil {
		return d, fmt.Errorf("a document cannot be read: %w", refs.ErrCorrupt)
	}
	d.Fields = map[string]any{}
	seq := false
	for _, e := range elements {
		name, value := e.Key(), e.Value()
		ok := true
		switch name {
		case idField:
			d.Key, ok = value.StringValueOK()
		case seqField:
			d.Seq, ok = value.AsInt64OK()
			seq = ok
		case voidField:
			d.Void, ok = value.BooleanOK()
		case jsonField:
			d.Raw, ok = jsonText(value)
		default:
			if !strings.HasPrefix(name, "_") {
				d.Fields[name], ok = fromBSON(value)
			}
		}
		if !ok {
			return d, fmt.Errorf("document %q has a field %.80q that datafs does not write so: %w", d.Key, name, refs.ErrCorrupt)
		}
	}
	if !seq {
		return d, fmt.Errorf("document %q has no %s, so datafs did not write it: %w", d.Key, seqField, refs.ErrCorrupt)
	}
	if d.Void || d.Raw != nil {
		d.Fields = nil
	}
	return d, nil
}

func jsonText(v bson.RawValue) ([]byte, bool) {
	if s, ok := v.StringValueOK(); ok {
		return []byte(s), true
	}
	_, b, ok := v.BinaryOK()
	return slices.Clone(b), ok
}

// fromBSON gives a value of the kinds that docdb.Doc has. A whole number is one
// however it is kept, since the database's tools write them as they like.
func fromBSON(v bson.RawValue) (any, bool) {
	switch v.Type {
	case bson.TypeString:
		return v.StringValueOK()
	case bson.TypeBoolean:
		return v.BooleanOK()
	case bson.TypeNull:
		return nil, true
	case bson.TypeInt32, bson.TypeInt64:
		return v.AsInt64OK()
	case bson.TypeDouble:
		f := v.Double()
		return int64(f), f == float64(int64(f)) && f > -1<<53 && f < 1<<53
	case bson.TypeEmbeddedDocument:
		return fromDocument(v.Document())
	case bson.TypeArray:
		return fromArray(v.Array())
	}
	return nil, false
}

func fromDocument(raw bson.Raw) (any, bool) {
	elements, err := raw.Elements()
	fields := make(map[string]any, len(elements))
	for _, e := range elements {
		var ok bool
		if fields[e.Key()], ok = fromBSON(e.Value()); !ok {
			return nil, false
		}
	}
	return fields, err == nil
}

func fromArray(raw bson.RawArray) (any, bool) {
	values, err := raw.Values()
	list := make([]any, len(values))
	for i, v := range values {
		var ok bool
		if list[i], ok = fromBSON(v); !ok {
			return nil, false
		}
	}
	return list, err == nil
}
