package dynamo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// Attributes of an item that are not fields of its record.
const (
	idAttr  = "_id"  // the hash key
	seqAttr = "_seq" // the commit that it is of
	keyAttr = "_key" // the record's key, where _id is not all of it
	rawAttr = "_raw" // the record as JSON, where its fields are no attributes
)

// DynamoDB's hash keys end at 2048 bytes. Of a longer key, _id has the beginning
// and a hash behind a character that no key has.
const (
	maxID   = 2048
	longID  = 1900 // bytes of the beginning
	idBreak = "\x1f"
)

type item = map[string]types.AttributeValue

// idOf gives the _id of a record's document.
func idOf(p docdb.Part, key string) string {
	if p == docdb.Requirements {
		key = strings.TrimPrefix(key, docdb.SpecPrefix)
	}
	return shortID(key)
}

func shortID(key string) string {
	if key != "" && len(key) <= maxID {
		return key
	}
	sum := sha256.Sum256([]byte(key))
	return beginning(key) + idBreak + hex.EncodeToString(sum[:])
}

// beginning gives at most longID bytes, whole characters.
func beginning(key string) string {
	if len(key) <= longID {
		return key
	}
	end := longID
	for end > 0 && !utf8.RuneStart(key[end]) {
		end--
	}
	return key[:end]
}

// encode gives the item of a record as commit n left it, with its fields as
// attributes where that is wanted and possible.
func encode(p docdb.Part, n uint64, r refs.Record, native bool) (item, error) {
	it := item{}
	fields, ok := docdb.Decode(r.Value)
	switch {
	case ok && native:
		var err error
		if it, err = encodeMap(fields); err != nil {
			return nil, err
		}
	case utf8.Valid(r.Value):
		it[rawAttr] = text(string(r.Value))
	default:
		it[rawAttr] = &types.AttributeValueMemberB{Value: r.Value}
	}
	id := idOf(p, r.Key)
	it[idAttr], it[seqAttr] = text(id), number(int64(n))
	if strings.Contains(id, idBreak) {
		it[keyAttr] = text(r.Key)
	}
	return it, nil
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func integer(v types.AttributeValue) (int64, error) {
	n, ok := v.(*types.AttributeValueMemberN)
	if !ok {
		return 0, fmt.Errorf("no number")
	}
	i, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%.40q", n.Value)
	}
	return i, nil
}
