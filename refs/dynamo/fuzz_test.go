package dynamo

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// FuzzAttributes reads items of any form as commits, and as records of the original
// DataFS: what is taken as a commit is one that was asked for.
func FuzzAttributes(f *testing.F) {
	for _, s := range []string{
		`{"_id":{"S":"_commit/000000000003"},"n":{"N":"3"},"commit":{"B":"eA=="}}`,
		`{"_id":{"S":"_commit/000000000003"},"n":{"N":"-3"},"commit":{"B":""}}`,
		`{"_id":{"S":"a"},"n":{"N":"1e9"},"commit":{"S":"x"},"x":{"SS":["a"]}}`,
		`{"n":{"N":"9223372036854775807"},"l":{"L":[{"S":"t"},{"NULL":true}]},"m":{"M":{"k":{"BOOL":true}}}}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var raw map[string]any
		if json.Unmarshal(b, &raw) != nil {
			return
		}
		it := attributes(raw)
		if c, ok := decodeCommit(it, 3, 2); ok && (c.N < 3 || c.N > 4) {
			t.Errorf("commit %d was not asked for", c.N)
		}
		if _, err := json.Marshal(plainMap(it)); err != nil {
			t.Error(err)
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
