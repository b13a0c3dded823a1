package dynamo

import (
	"context"
	"fmt"
	"io/fs"
	"iter"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// ReadSeed gives the items of a table of the original DataFS (0.7, in Python):
// an archive each, with its name as "_id", in no order. Values are strings,
// bool, nil, int64 or float64, []any (sets too), map[string]any and []byte. It
// needs the permission dynamodb:Scan and changes nothing. A table of this
// program is refused with fs.ErrInvalid.
func ReadSeed(ctx context.Context, o *Options) iter.Seq2[map[string]any, error] {
	return readSeed(ctx, o, "")
}

// ReadSeedSpec gives the items of the table beside it that has what the team
// requires: "_id" and "config", as ReadSeed does.
func ReadSeedSpec(ctx context.Context, o *Options) iter.Seq2[map[string]any, error] {
	return readSeed(ctx, o, specSuffix)
}

func readSeed(ctx context.Context, o *Options, suffix string) iter.Seq2[map[string]any, error] {
	return func(yield func(map[string]any, error) bool) {
		s, err := newStore(o)
		if err != nil {
			yield(nil, err)
			return
		}
		defer s.close()
		table := s.table + suffix
		for it, err := range s.scan(ctx, &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true)}) {
			if err == nil && it[seqAttr] != nil {
				err = fmt.Errorf("table %q is of this program, not of DataFS 0.7: %w", table, fs.ErrInvalid)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(plainMap(it), nil) {
				return
			}
		}
	}
}

func plainMap(it item) map[string]any {
	m := make(map[string]any, len(it))
	for name, v := range it {
		m[name] = plain(v)
	}
	return m
}

func plain(v types.AttributeValue) any {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return plainNumber(v.Value)
	case *types.AttributeValueMemberBOOL:
		return v.Value
	case *types.AttributeValueMemberB:
		return v.Value
	case *types.AttributeValueMemberM:
		return plainMap(v.Value)
	case *types.AttributeValueMemberL:
		return plainList(v.Value, plain)
	case *types.AttributeValueMemberSS:
		return plainList(v.Value, func(s string) any { return s })
	case *types.AttributeValueMemberNS:
		return plainList(v.Value, plainNumber)
	case *types.AttributeValueMemberBS:
		return plainList(v.Value, func(b []byte) any { return b })
	}
	return nil
}

func plainList[T any](list []T, plain func(T) any) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = plain(v)
	}
	return out
}

// plainNumber gives a float64 only of what has a fraction or is too large.
func plainNumber(s string) any {
	whole, fraction, _ := strings.Cut(s, ".")
	if n, err := strconv.ParseInt(whole, 10, 64); err == nil && strings.Trim(fraction, "0") == "" {
		return n
	}
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return f
	}
	return s
}
