package dynamo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// Attributes of an entry of the log. All entries have the same hash key, so that
// they can be read in order.
const (
	logAttr     = "log"
	numberAttr  = "n"
	writerAttr  = "writer"
	changesAttr = "changes" // maps of key and, where it is true, delete
	byAttr      = "by"      // only of entries that are done
	failedAttr  = "failed"  // numbers, likewise

	logName = "log" // the hash key
)

func entryKey(n int64) item {
	return item{logAttr: text(logName), numberAttr: number(n)}
}

func (s *store) Head(ctx context.Context) (int64, error) {
	const key = "#l = :l"
	table := s.table + logSuffix
	out, _, err := call(ctx, s.conn, request{action: "Query", table: table}, &dynamodb.QueryInput{
		TableName: &table, ConsistentRead: aws.Bool(true), ScanIndexForward: aws.Bool(false), Limit: aws.Int32(1),
		KeyConditionExpression: aws.String(key), ProjectionExpression: aws.String("#n"),
		ExpressionAttributeNames: names(key + "#n"), ExpressionAttributeValues: item{":l": text(logName)},
	}, (*dynamodb.Client).Query)
	if err != nil || len(out.Items) == 0 {
		return 0, err
	}
	n, err := integer(out.Items[0][numberAttr])
	if err != nil {
		return 0, fmt.Errorf("the last entry of table %q: %w: %w", table, err, refs.ErrCorrupt)
	}
	return n, nil
}

func (s *store) Append(ctx context.Context, e docdb.Entry) error {
	changes := make([]types.AttributeValue, len(e.Changes))
	for i, c := range e.Changes {
		m := item{"key": text(c.Key)}
		if c.Delete {
			m["delete"] = &types.AttributeValueMemberBOOL{Value: true}
		}
		changes[i] = &types.AttributeValueMemberM{Value: m}
	}
	it := entryKey(e.N)
	it[writerAttr], it[changesAttr] = text(e.Writer), &types.AttributeValueMemberL{Value: changes}
	const condition = "attribute_not_exists(#n)"
	table := s.table + logSuffix
	_, unsure, err := call(ctx, s.conn, request{action: "PutItem", table: table}, &dynamodb.PutItemInput{
		TableName: &table, Item: it, ConditionExpression: aws.String(condition), ExpressionAttributeNames: names(condition),
	}, (*dynamodb.Client).PutItem)
	return entryOutcome(err, unsure, fs.ErrExist)
}

func (s *store) Finish(ctx context.Context, n int64, by string, failed []int) error {
	list := make([]types.AttributeValue, len(failed))
	for i, f := range failed {
		list[i] = number(int64(f))
	}
	const condition = "attribute_exists(#n) AND (attribute_not_exists(#b) OR #b = :b)"
	const update = "SET #b = :b, #f = :f"
	table := s.table + logSuffix
	_, unsure, err := call(ctx, s.conn, request{action: "UpdateItem", table: table}, &dynamodb.UpdateItemInput{
		TableName: &table, Key: entryKey(n), ConditionExpression: aws.String(condition), UpdateExpression: aws.String(update),
		ExpressionAttributeNames:  names(condition + update),
		ExpressionAttributeValues: item{":b": text(by), ":f": &types.AttributeValueMemberL{Value: list}},
	}, (*dynamodb.Client).UpdateItem)
	return entryOutcome(err, unsure, refs.ErrConflict)
}

// entryOutcome is outcome for writes of an entry. A condition that fails is
// always certain: an entry stays for ever, has the name of its writer, and
// Finish may be repeated.
func entryOutcome(err error, unsure bool, otherwise error) error {
	var failed *types.ConditionalCheckFailedException
	return outcome(err, unsure && !errors.As(err, &failed), otherwise)
}

func (s *store) Read(ctx context.Context, after int64, limit int) ([]docdb.Entry, error) {
	const key = "#l = :l AND #n > :n"
	table := s.table + logSuffix
	out, _, err := call(ctx, s.conn, request{action: "Query", table: table}, &dynamodb.QueryInput{
		TableName: &table, ConsistentRead: aws.Bool(true), Limit: aws.Int32(int32(limit)), KeyConditionExpression: aws.String(key),
		ExpressionAttributeNames: names(key), ExpressionAttributeValues: item{":l": text(logName), ":n": number(after)},
	}, (*dynamodb.Client).Query)
	if err != nil {
		return nil, err
	}
	entries := make([]docdb.Entry, len(out.Items)) // fewer than limit where they are 1 MB together
	for i, it := range out.Items {
		if entries[i], err = decodeEntry(it); err != nil {
			return nil, fmt.Errorf("an entry after %d of table %q: %w: %w", after, table, err, refs.ErrCorrupt)
		}
	}
	return entries, nil
}

func decodeEntry(it item) (docdb.Entry, error) {
	fields, err := decodeMap(it)
	if err != nil {
		return docdb.Entry{}, err
	}
	var e docdb.Entry
	e.N, _ = fields[numberAttr].(int64)
	e.Writer, _ = fields[writerAttr].(string)
	e.By, e.Done = fields[byAttr].(string)
	changes, ok := fields[changesAttr].([]any)
	if e.N < 1 || !ok {
		return e, fmt.Errorf("it has no number or no changes")
	}
	for _, c := range changes {
		m, _ := c.(map[string]any)
		key, ok := m["key"].(string)
		if !ok {
			return e, fmt.Errorf("a change has no key")
		}
		del, _ := m["delete"].(bool)
		e.Changes = append(e.Changes, docdb.EntryChange{Key: key, Delete: del})
	}
	failed, _ := fields[failedAttr].([]any)
	for _, f := range failed {
		i, ok := f.(int64)
		if !ok || i < 0 || i >= int64(len(changes)) {
			return e, fmt.Errorf("a change that failed is not there")
		}
		e.Failed = append(e.Failed, int(i))
	}
	return e, nil
}
