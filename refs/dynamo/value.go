package dynamo

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// encodeMap gives the attributes of fields as docdb.Decode gives them.
func encodeMap(m map[string]any) (item, error) {
	it := make(item, len(m)+3)
	for name, v := range m {
		var err error
		if it[name], err = encodeValue(v); err != nil {
			return nil, err
		}
	}
	return it, nil
}

func encodeValue(v any) (types.AttributeValue, error) {
	switch v := v.(type) {
	case nil:
		return &types.AttributeValueMemberNULL{Value: true}, nil
	case string:
		return text(v), nil
	case int64:
		return number(v), nil
	case bool:
		return &types.AttributeValueMemberBOOL{Value: v}, nil
	case map[string]any:
		m, err := encodeMap(v)
		return &types.AttributeValueMemberM{Value: m}, err
	case []any:
		list := make([]types.AttributeValue, len(v))
		for i := range v {
			var err error
			if list[i], err = encodeValue(v[i]); err != nil {
				return nil, err
			}
		}
		return &types.AttributeValueMemberL{Value: list}, nil
	}
	return nil, fmt.Errorf("a field cannot be a %T", v)
}
