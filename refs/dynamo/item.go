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
	idAttr   = "_id"   // the hash key
	seqAttr  = "_seq"  // docdb.Doc.Seq
	keyAttr  = "_key"  // the record's key, where _id is not all of it
	rawAttr  = "_raw"  // the record as JSON, where its fields are no attributes
	voidAttr = "_void" // true: there is no record
)

// DynamoDB's hash keys end at 2048 bytes. Of a longer key, _id has the beginning
// and a hash behind a character that no key has.
const (
	maxID   = 2048
	longID  = 1900 // bytes of the beginning
	idBreak = "\x1f"
)

type item = map[string]types.AttributeValue

// place gives the table of a key and its _id there.
func (s *store) place(key string) (table, id string) {
	table, id = s.table, key
	if rest, ok := strings.CutPrefix(key, docdb.SpecPrefix); ok {
		table, id = s.table+specSuffix, rest
	}
	return table, shortID(id)
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

// keyOf is the inverse of place.
func (s *store) keyOf(table string, it item) (string, error) {
	attr := it[keyAttr]
	if attr == nil {
		attr = it[idAttr]
	}
	key, ok := attr.(*types.AttributeValueMemberS)
	if !ok {
		return "", broken(table, it, "its key is no string")
	}
	if table == s.table+specSuffix && it[keyAttr] == nil {
		return docdb.SpecPrefix + key.Value, nil
	}
	return key.Value, nil
}

func broken(table string, it item, why string) error {
	id := "?"
	if s, ok := it[idAttr].(*types.AttributeValueMemberS); ok {
		id = s.Value
	}
	return fmt.Errorf("item %.200q of table %q: %s: %w", id, table, why, refs.ErrCorrupt)
}

// encode gives the table and the item of a document.
func (s *store) encode(d docdb.Doc) (table string, it item, err error) {
	table, id := s.place(d.Key)
	if it, err = encodeMap(d.Fields); err != nil {
		return "", nil, err
	}
	it[idAttr], it[seqAttr] = text(id), number(d.Seq)
	if strings.Contains(id, idBreak) {
		it[keyAttr] = text(d.Key)
	}
	switch {
	case d.Void:
		it[voidAttr] = &types.AttributeValueMemberBOOL{Value: true}
	case d.Fields == nil && utf8.Valid(d.Raw):
		it[rawAttr] = text(string(d.Raw))
	case d.Fields == nil:
		it[rawAttr] = &types.AttributeValueMemberB{Value: d.Raw}
	}
	return table, it, nil
}

// decode gives the document of an item.
func (s *store) decode(table string, it item) (d docdb.Doc, err error) {
	if d.Key, err = s.keyOf(table, it); err != nil {
		return d, err
	}
	if d.Seq, err = integer(it[seqAttr]); err != nil {
		return d, broken(table, it, "it is no record of this program, as "+seqAttr+" is "+err.Error())
	}
	void, _ := it[voidAttr].(*types.AttributeValueMemberBOOL)
	d.Void = void != nil && void.Value
	switch raw := it[rawAttr].(type) {
	case *types.AttributeValueMemberS:
		d.Raw = []byte(raw.Value)
	case *types.AttributeValueMemberB:
		d.Raw = raw.Value
	}
	if d.Void || d.Raw != nil {
		return d, nil
	}
	for _, attr := range []string{idAttr, seqAttr, keyAttr, voidAttr} {
		delete(it, attr)
	}
	if d.Fields, err = decodeMap(it); err != nil {
		return d, fmt.Errorf("record %.200q of table %q: %w: %w", d.Key, table, err, refs.ErrCorrupt)
	}
	return d, nil
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
