package dynamo

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/datafs/datafs/refs"
)

// FuzzAttributes reads items of any form as records and as entries of the log:
// what is taken is the same when it is written and read again.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{
		`{"_id":{"S":"archive/a"},"_seq":{"N":"7"},"name":{"S":"a"},"tags":{"L":[{"S":"t"},{"NULL":true}]},"m":{"M":{"k":{"BOOL":true}}}}`,
		`{"_id":{"S":"a"},"_seq":{"N":"1"},"_void":{"BOOL":true}}`,
		`{"_id":{"S":"a"},"_seq":{"N":"1"},"_raw":{"B":"eA=="}}`,
		`{"_id":{"S":"a"},"_seq":{"N":"1e9"},"x":{"SS":["a"]}}`,
		`{"n":{"N":"3"},"writer":{"S":"w"},"changes":{"L":[{"M":{"key":{"S":"k"},"delete":{"BOOL":true}}}]},"failed":{"L":[{"N":"0"}]}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var raw map[string]any
		if json.Unmarshal(b, &raw) != nil {
			return
		}
		s := &store{table: "t"}
		if _, err := decodeEntry(attributes(raw)); err != nil {
			_ = err.Error()
		}
		d, err := s.decode("t", attributes(raw))
		if err != nil {
			if !errors.Is(err, refs.ErrCorrupt) {
				t.Errorf("got %v", err)
			}
			return
		}
		table, it, err := s.encode(d)
		if err != nil {
			t.Fatalf("%+v: %v", d, err)
		}
		again, err := s.decode(table, it)
		if err != nil || again.Seq != d.Seq || again.Void != d.Void || !d.Void && !reflect.DeepEqual(again.Fields, d.Fields) {
			t.Errorf("%+v came back as %+v, %v", d, again, err)
		}
	})
}

// attributes makes an item of its form in JSON; what is not of that form is left
// out or nil, as no SDK would give it.
func attributes(raw map[string]any) item {
	it := item{}
	for name, v := range raw {
		it[name] = attribute(v)
	}
	return it
}

func attribute(v any) types.AttributeValue {
	m, _ := v.(map[string]any)
	for kind, v := range m {
		text, _ := v.(string)
		flag, _ := v.(bool)
		list, _ := v.([]any)
		fields, _ := v.(map[string]any)
		switch kind {
		case "S":
			return &types.AttributeValueMemberS{Value: text}
		case "N":
			return &types.AttributeValueMemberN{Value: text}
		case "B":
			return &types.AttributeValueMemberB{Value: []byte(text)}
		case "BOOL":
			return &types.AttributeValueMemberBOOL{Value: flag}
		case "NULL":
			return &types.AttributeValueMemberNULL{Value: true}
		case "SS":
			return &types.AttributeValueMemberSS{Value: []string{text}}
		case "M":
			return &types.AttributeValueMemberM{Value: attributes(fields)}
		case "L":
			l := &types.AttributeValueMemberL{}
			for _, v := range list {
				l.Value = append(l.Value, attribute(v))
			}
			return l
		}
	}
	return nil
}
