package mongo

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

func TestDocumentsComeBackAsTheyWere(t *testing.T) {
	long := make([]any, 1<<20) // 21 MiB as fields
	for i := range long {
		long[i] = int64(1)
	}
	cases := map[string]docdb.Doc{
		"fields":          {Key: "a", Seq: 1 << 60, Fields: map[string]any{"s": "x", "n": int64(-1), "b": false, "null": nil, "list": []any{int64(1), []any{}}, "map": map[string]any{"": "x"}}},
		"no fields":       {Key: "a", Seq: 3, Fields: map[string]any{}},
		"text":            {Key: "a", Seq: 3, Raw: []byte(`{"a.b":1.5}`)},
		"bytes":           {Key: "a", Seq: 3, Raw: []byte("\xff")},
		"a void":          {Key: "", Seq: 3, Void: true},
		"a list too long": {Key: "a", Seq: 3, Fields: map[string]any{"l": long}},
	}
	for name, want := range cases {
		t.Run(name, func(t *testing.T) {
			raw, err := encodeDoc(want.Key, want)
			if err != nil {
				t.Fatal(err)
			}
			if len(raw) > 16<<20 {
				t.Errorf("it has %d bytes", len(raw))
			}
			got, err := decodeDoc(raw)
			if name == "a list too long" {
				want.Raw, _ = docdb.Encode(want.Fields)
				want.Fields = nil
			}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("got %.300v %v, want %.300v", fmt.Sprint(got), err, fmt.Sprint(want))
			}
		})
	}
}

func TestDocumentsOfOthersAreReadWhereTheyMeanTheSame(t *testing.T) {
	raw, err := bson.Marshal(bson.D{{Key: "_id", Value: "a"}, {Key: "_seq", Value: int32(7)}, {Key: "_note", Value: bson.NewObjectID()},
		{Key: "n", Value: 3.0}, {Key: "m", Value: int32(4)}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeDoc(raw)
	want := docdb.Doc{Key: "a", Seq: 7, Fields: map[string]any{"n": int64(3), "m": int64(4)}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
}

func TestDocumentsThatDatafsDoesNotWriteAreCorrupt(t *testing.T) {
	seq := bson.E{Key: "_seq", Value: int64(1)}
	for want, doc := range map[string]bson.D{
		`no _seq`:       {{Key: "_id", Value: "a"}},
		`field "_id"`:   {{Key: "_id", Value: int64(4)}, seq},
		`field "_seq"`:  {{Key: "_id", Value: "a"}, {Key: "_seq", Value: "1"}},
		`field "_json"`: {{Key: "_id", Value: "a"}, seq, {Key: "_json", Value: int64(1)}},
		`field "half"`:  {{Key: "_id", Value: "a"}, seq, {Key: "half", Value: 0.5}},
		`field "deep"`:  {{Key: "_id", Value: "a"}, seq, {Key: "deep", Value: bson.D{{Key: "x", Value: bson.A{bson.NewObjectID()}}}}},
	} {
		raw, err := bson.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decodeDoc(raw); !errors.Is(err, refs.ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v %v, want %s", got, err, want)
		}
	}
}

func FuzzDecodeDoc(f *testing.F) {
	for _, d := range []docdb.Doc{{Key: "a", Seq: 1, Void: true}, {Key: "b", Seq: 2, Fields: map[string]any{"x": []any{"y", nil}}}} {
		raw, _ := encodeDoc(d.Key, d)
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := decodeDoc(b)
		if err != nil {
			return
		}
		raw, err := encodeDoc(d.Key, d)
		if err != nil {
			return
		}
		if again, err := decodeDoc(raw); err != nil || !reflect.DeepEqual(again, d) {
			t.Errorf("got %v %v, want %v", again, err, d)
		}
	})
}

func TestKeysEndWhereAPrefixDoes(t *testing.T) {
	if got, want := after("spec/"), "spec0"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := valid("a\xc3"), "a"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
