package dynamo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"

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

	parallel = 16 // documents that are written at once
)

// Items of a log. A commit has its number in its _id, which is in no order: the next
// ones are asked for by their numbers.
const (
	numberAttr = "n"
	commitAttr = "commit"

	markID = "_shown" // of the item whose _seq says up to which commit documents are written
)

func commitID(n uint64) string { return fmt.Sprintf("_commit/%012d", n) }

// store is a docdb.Store.
type store struct {
	*conn
	table string
}

var _ docdb.Store = (*store)(nil)

func (s *store) Close() error {
	s.close()
	return nil
}

// String implements docdb.Store.
func (s *store) String() string {
	return "dynamodb://" + s.table + "?region=" + s.o.Region + "&profile=" + s.o.Profile + "&endpoint=" + s.o.Endpoint
}

// documents names the table of the documents of a part.
func (s *store) documents(p docdb.Part) string {
	if p == docdb.Requirements {
		return s.table + specSuffix
	}
	return s.table
}

// log names the table of the commits of a part: those about what is required lie
// beside it, for the same permissions.
func (s *store) log(p docdb.Part) string {
	if p == docdb.Requirements {
		return s.table + specSuffix
	}
	return s.table + logSuffix
}

// get reads the items of ids that are there, in any order.
func (s *store) get(ctx context.Context, table string, ids ...string) (items []item, err error) {
	list := types.KeysAndAttributes{ConsistentRead: aws.Bool(true)}
	for _, id := range ids {
		list.Keys = append(list.Keys, item{idAttr: text(id)})
	}
	r := request{action: "BatchGetItem", table: table}
	want := map[string]types.KeysAndAttributes{table: list}
	for idle := 0; len(want) > 0; {
		out, _, err := call(ctx, s.conn, r, &dynamodb.BatchGetItemInput{RequestItems: want}, (*dynamodb.Client).BatchGetItem)
		if err != nil {
			return nil, err
		}
		items = append(items, out.Responses[table]...)
		want = out.UnprocessedKeys // an answer ends at 16 MB, or the server is busy
		if idle++; len(out.Responses[table]) > 0 {
			idle = 0
		}
		if err := s.rest(ctx, r, idle, len(want) > 0); err != nil {
			return nil, err
		}
	}
	return items, nil
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

// Commits implements docdb.Store.
func (s *store) Commits(ctx context.Context, p docdb.Part, n uint64, count int) (list []docdb.Commit, err error) {
	ids := make([]string, count)
	for i := range ids {
		ids[i] = commitID(n + uint64(i))
	}
	items, err := s.get(ctx, s.log(p), ids...)
	if err != nil {
		return nil, err
	}
	for _, it := range items {
		c, ok := decodeCommit(it, n, count)
		if !ok {
			return nil, fmt.Errorf("a commit in table %q cannot be read: %w", s.log(p), refs.ErrCorrupt)
		}
		list = append(list, c)
	}
	return list, nil
}

// decodeCommit reads one of the commits n to n+count-1.
func decodeCommit(it item, n uint64, count int) (c docdb.Commit, ok bool) {
	number, err := integer(it[numberAttr])
	data, ok := it[commitAttr].(*types.AttributeValueMemberB)
	if err != nil || !ok || number < int64(n) || number >= int64(n)+int64(count) {
		return c, false
	}
	return docdb.Commit{N: uint64(number), Data: data.Value}, true
}

// Add implements docdb.Store.
func (s *store) Add(ctx context.Context, p docdb.Part, c docdb.Commit) error {
	it := item{idAttr: text(commitID(c.N)), numberAttr: number(int64(c.N)), commitAttr: &types.AttributeValueMemberB{Value: c.Data}}
	added, err := s.put(ctx, s.log(p), it, "attribute_not_exists(#i)", nil)
	if err == nil && !added {
		err = fs.ErrExist
	}
	return err
}

// Show implements docdb.Store.
func (s *store) Show(ctx context.Context, p docdb.Part, n uint64, records []refs.Record) error {
	refused := make([]error, len(records))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i, r := range records {
		group.Go(func() error {
			err := s.show(ctx, p, n, r)
			if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrInvalid) {
				refused[i], err = err, nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return errors.Join(refused...)
}

func (s *store) show(ctx context.Context, p docdb.Part, n uint64, r refs.Record) (err error) {
	id := idOf(p, r.Key)
	if r.Deleted {
		return s.remove(ctx, s.documents(p), id, int64(n))
	}
	for _, native := range []bool{true, false} { // many small attributes take more room than JSON
		it, encodeErr := encode(p, n, r, native)
		if encodeErr != nil {
			return encodeErr
		}
		if err = s.raise(ctx, s.documents(p), n, it); !errors.Is(err, fs.ErrInvalid) {
			break
		}
	}
	return err
}

// raise puts an item of commit n, unless there is one of that commit or a later one.
func (s *store) raise(ctx context.Context, table string, n uint64, it item) error {
	_, err := s.put(ctx, table, it, "attribute_not_exists(#i) OR #s < :n", item{":n": number(int64(n))})
	return err
}

// put writes an item where the condition holds, and reports whether it does.
func (s *store) put(ctx context.Context, table string, it item, condition string, values item) (held bool, err error) {
	_, unsure, err := call(ctx, s.conn, request{action: "PutItem", table: table}, &dynamodb.PutItemInput{
		TableName: &table, Item: it, ConditionExpression: &condition,
		ExpressionAttributeNames: names(condition), ExpressionAttributeValues: values,
	}, (*dynamodb.Client).PutItem)
	held, err = holds(err)
	if err != nil && unsure && !errors.Is(err, refs.ErrUnavailable) {
		err = fmt.Errorf("an answer was lost, and the next one is: %s: %w", err.Error(), refs.ErrUnavailable)
	}
	return held, err
}

// remove deletes an item whose _seq is below n.
func (s *store) remove(ctx context.Context, table, id string, n int64) error {
	const condition = "#s < :n"
	_, _, err := call(ctx, s.conn, request{action: "DeleteItem", table: table}, &dynamodb.DeleteItemInput{
		TableName: &table, Key: item{idAttr: text(id)}, ConditionExpression: aws.String(condition),
		ExpressionAttributeNames: names(condition), ExpressionAttributeValues: item{":n": number(n)},
	}, (*dynamodb.Client).DeleteItem)
	_, err = holds(err)
	return err
}

// holds takes the error of a conditional write apart.
func holds(err error) (bool, error) {
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return false, nil
	}
	return err == nil, err
}

// Shown implements docdb.Store.
func (s *store) Shown(ctx context.Context, p docdb.Part) (uint64, error) {
	items, err := s.get(ctx, s.log(p), markID)
	if err != nil || len(items) == 0 {
		return 0, err
	}
	n, err := integer(items[0][seqAttr])
	return uint64(n), err
}

// SetShown implements docdb.Store.
func (s *store) SetShown(ctx context.Context, p docdb.Part, n uint64) error {
	return s.raise(ctx, s.log(p), n, item{idAttr: text(markID), seqAttr: number(int64(n))})
}

// MayDelete implements docdb.Store.
func (s *store) MayDelete(ctx context.Context, p docdb.Part) error {
	return s.remove(ctx, s.documents(p), markID, 0) // an item that is not there
}

// shorts are the names of attributes in expressions, where many words are
// reserved.
var shorts = map[string]string{
	"#i": idAttr, "#s": seqAttr,
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
