package dynamo

import (
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// encodeMap gives the attributes of the values that docdb.Doc.Fields may have.
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

// decodeMap is the inverse of encodeMap.
func decodeMap(it item) (map[string]any, error) {
	m := make(map[string]any, len(it))
	for name, v := range it {
		var err error
		if m[name], err = decodeValue(v); err != nil {
			return nil, fmt.Errorf("%.80s: %w", name, err)
		}
	}
	return m, nil
}

func decodeValue(v types.AttributeValue) (any, error) {
	switch v := v.(type) {
	case *types.AttributeValueMemberNULL:
		return nil, nil
	case *types.AttributeValueMemberS:
		return v.Value, nil
	case *types.AttributeValueMemberN:
		return integer(v)
	case *types.AttributeValueMemberBOOL:
		return v.Value, nil
	case *types.AttributeValueMemberM:
		return decodeMap(v.Value)
	case *types.AttributeValueMemberL:
		list := make([]any, len(v.Value))
		for i := range list {
			var err error
			if list[i], err = decodeValue(v.Value[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("it is of a kind (%T) that no record has", v)
}
