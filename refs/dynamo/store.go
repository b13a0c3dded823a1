package dynamo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

const (
	specSuffix = ".spec"
	logSuffix  = ".log"

	parallel = 16 // requests of an Insert at once
)

// store is a docdb.Store. A write whose answer was lost and that then fails
// leaves its outcome open, as docdb wants it.
type store struct {
	*conn
	table string
}

var _ docdb.Store = (*store)(nil)

func (s *store) String() string { return "dynamodb://" + s.table }

func (s *store) Close() error {
	s.close()
	return nil
}

func (s *store) Get(ctx context.Context, keys []string) (map[string]docdb.Doc, error) {
	want := map[string]types.KeysAndAttributes{}
	for _, key := range keys {
		table, id := s.place(key)
		list := want[table]
		list.ConsistentRead = aws.Bool(true)
		list.Keys = append(list.Keys, item{idAttr: text(id)})
		want[table] = list
	}
	docs := make(map[string]docdb.Doc, len(keys))
	for idle := 0; len(want) > 0; {
		out, _, err := call(ctx, s.conn, request{action: "BatchGetItem", table: s.asked(want)}, &dynamodb.BatchGetItemInput{RequestItems: want}, (*dynamodb.Client).BatchGetItem)
		if err != nil {
			return nil, err
		}
		had := len(docs)
		if err := s.decodeAll(out.Responses, docs); err != nil {
			return nil, err
		}
		want = out.UnprocessedKeys // an answer ends at 16 MB, or the server is busy
		if idle++; len(docs) > had {
			idle = 0
		}
		if err := s.rest(ctx, request{action: "BatchGetItem", table: s.asked(want)}, idle, len(want) > 0); err != nil {
			return nil, err
		}
	}
	return docs, nil
}

// rest waits when idle answers, one after another, gave nothing and more is
// wanted.
func (s *store) rest(ctx context.Context, r request, idle int, more bool) error {
	switch {
	case !more || idle == 0:
		return nil
	case idle >= throttleTries:
		return fmt.Errorf("%s: %w", r, errBusy)
	}
	return s.wait(ctx, throttleFirst, idle-1)
}

// asked names a table that is read, for messages.
func (s *store) asked(want map[string]types.KeysAndAttributes) string {
	if _, ok := want[s.table+specSuffix]; ok && len(want) == 1 {
		return s.table + specSuffix
	}
	return s.table
}

func (s *store) decodeAll(answers map[string][]item, docs map[string]docdb.Doc) error {
	for table, items := range answers {
		for _, it := range items {
			d, err := s.decode(table, it)
			if err != nil {
				return err
			}
			docs[d.Key] = d
		}
	}
	return nil
}

func (s *store) Insert(ctx context.Context, docs []docdb.Doc) ([]error, error) {
	errs := make([]error, len(docs))
	group, gctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, d := range docs {
		group.Go(func() error {
			errs[i] = s.put(gctx, d, "attribute_not_exists(#i)", nil, fs.ErrExist)
			if definite(errs[i]) {
				return nil
			}
			return errs[i]
		})
	}
	if err := group.Wait(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return errs, nil
}

// definite says that the outcome of a write is known.
func definite(err error) bool {
	for _, kind := range []error{fs.ErrExist, refs.ErrConflict, fs.ErrPermission, fs.ErrInvalid, fs.ErrNotExist} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return err == nil
}

func (s *store) Replace(ctx context.Context, d docdb.Doc, prev int64) error {
	return s.put(ctx, d, "#s = :prev", item{":prev": number(prev)}, refs.ErrConflict)
}

// put writes a document where the condition holds, and fails with otherwise
// where it does not. A creation must not arrive twice: the second time might be
// after somebody has deleted the record. Other writes are of one revision.
func (s *store) put(ctx context.Context, d docdb.Doc, condition string, values item, otherwise error) error {
	table, it, err := s.encode(d)
	if err != nil {
		return fmt.Errorf("record %.200q: %w: %w", d.Key, err, fs.ErrInvalid)
	}
	in := &dynamodb.PutItemInput{
		TableName: &table, Item: it, ConditionExpression: &condition,
		ExpressionAttributeNames: names(condition), ExpressionAttributeValues: values,
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld,
	}
	_, unsure, err := call(ctx, s.conn, request{action: "PutItem", table: table, once: values == nil}, in, (*dynamodb.Client).PutItem)
	var failed *types.ConditionalCheckFailedException
	if unsure && errors.As(err, &failed) {
		if seq, err := integer(failed.Item[seqAttr]); err == nil && seq == d.Seq { // an attempt before has written it
			return nil
		}
	}
	return outcome(err, unsure, otherwise)
}

func (s *store) Delete(ctx context.Context, key string, prev int64) error {
	table, id := s.place(key)
	const condition = "#s = :prev"
	_, unsure, err := call(ctx, s.conn, request{action: "DeleteItem", table: table}, &dynamodb.DeleteItemInput{
		TableName: &table, Key: item{idAttr: text(id)}, ConditionExpression: aws.String(condition),
		ExpressionAttributeNames: names(condition), ExpressionAttributeValues: item{":prev": number(prev)},
	}, (*dynamodb.Client).DeleteItem)
	// A negative Seq, which no document has, asks for the permission only.
	return outcome(err, unsure && prev >= 0, refs.ErrConflict)
}

// shorts are the names of attributes in expressions, where many words are
// reserved.
var shorts = map[string]string{
	"#i": idAttr, "#s": seqAttr, "#k": keyAttr,
	"#l": logAttr, "#n": numberAttr, "#f": failedAttr, "#b": byAttr,
}

// names gives those that an expression has: others are an error.
func names(expression string) map[string]string {
	used := map[string]string{}
	for short, name := range shorts {
		if strings.Contains(expression, short) {
			used[short] = name
		}
	}
	return used
}

// outcome gives the error of a write; a condition that fails means otherwise.
func outcome(err error, unsure bool, otherwise error) error {
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		err = otherwise
	}
	if err != nil && unsure && definite(err) {
		return fmt.Errorf("an answer was lost, and the next one is: %s: %w", err.Error(), refs.ErrUnavailable)
	}
	return err
}

func (s *store) Keys(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		keys, err := s.keys(ctx, prefix)
		if err != nil {
			yield("", err)
			return
		}
		for _, key := range keys {
			if !yield(key, nil) {
				return
			}
		}
	}
}

// keys gives all at once, as DynamoDB cannot sort them.
func (s *store) keys(ctx context.Context, prefix string) (keys []string, err error) {
	if !strings.HasPrefix(prefix, docdb.SpecPrefix) {
		if keys, err = s.tableKeys(ctx, keys, s.table, prefix, prefix); err != nil {
			return nil, err
		}
	}
	if rest, ok := strings.CutPrefix(prefix, docdb.SpecPrefix); ok || strings.HasPrefix(docdb.SpecPrefix, prefix) {
		if !ok {
			rest = ""
		}
		if keys, err = s.tableKeys(ctx, keys, s.table+specSuffix, rest, prefix); err != nil {
			return nil, err
		}
	}
	slices.Sort(keys)
	return keys, nil
}

// tableKeys appends the keys with the prefix of the items whose _id begins with
// id.
func (s *store) tableKeys(ctx context.Context, keys []string, table, id, prefix string) ([]string, error) {
	in := &dynamodb.ScanInput{TableName: &table, ConsistentRead: aws.Bool(true), ProjectionExpression: aws.String("#i, #k"), ExpressionAttributeNames: names("#i #k")}
	for !utf8.ValidString(id) { // it ends within a character
		id = id[:len(id)-1]
	}
	if id != "" {
		in.FilterExpression = aws.String("begins_with(#i, :p)")
		in.ExpressionAttributeValues = item{":p": text(beginning(id))}
	}
	for it, err := range s.scan(ctx, in) {
		if err != nil {
			return nil, err
		}
		key, err := s.keyOf(table, it)
		if err != nil {
			return nil, err
		}
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// scan gives the items of a table, a page of at most 1 MB at a time.
func (c *conn) scan(ctx context.Context, in *dynamodb.ScanInput) iter.Seq2[item, error] {
	return func(yield func(item, error) bool) {
		for {
			out, _, err := call(ctx, c, request{action: "Scan", table: *in.TableName}, in, (*dynamodb.Client).Scan)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, it := range out.Items {
				if !yield(it, nil) {
					return
				}
			}
			if in.ExclusiveStartKey = out.LastEvaluatedKey; in.ExclusiveStartKey == nil {
				return
			}
		}
	}
}
