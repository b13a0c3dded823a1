package dynamo

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/datafs/datafs/refs"
)

// Looks at a table that comes or goes: 15 minutes of them at most.
const (
	looks     = 460
	lookFirst = 50 * time.Millisecond
	lookMost  = 2 * time.Second
)

// CreateTable makes the tables of a manager and waits until they can be used.
// The error wraps fs.ErrExist when the table is there, also one of something
// else. Run again, it completes what was interrupted. It needs the permissions
// dynamodb:CreateTable and dynamodb:DescribeTable on all three tables.
func CreateTable(ctx context.Context, o *Options) error {
	s, err := newStore(o)
	if err != nil {
		return err
	}
	defer s.close()
	missing, err := s.missing(ctx)
	if err != nil {
		return err
	}
	if err := s.foreign(missing); err != nil {
		return err
	}
	for _, table := range missing {
		if err := s.create(ctx, table); err != nil {
			return err
		}
	}
	for _, table := range s.parts() {
		if err := s.waitActive(ctx, table); err != nil {
			return err
		}
	}
	return nil
}

// foreign says that tables are there which this program does not complete: that
// of the records, which is made last, or one without the log, which is made
// first.
func (s *store) foreign(missing []string) error {
	log, spec := s.table+logSuffix, s.table+specSuffix
	switch {
	case !slices.Contains(missing, s.table):
		return tableExists(s.table)
	case slices.Contains(missing, log) && !slices.Contains(missing, spec):
		return tableExists(spec)
	}
	return nil
}

// parts are the tables of a manager, in the order in which they are made.
func (s *store) parts() []string {
	return []string{s.table + logSuffix, s.table + specSuffix, s.table}
}

// missing gives those of parts that are not there.
func (s *store) missing(ctx context.Context) (missing []string, err error) {
	for _, table := range s.parts() {
		_, err := s.describe(ctx, table)
		if errors.Is(err, fs.ErrNotExist) {
			missing = append(missing, table)
		} else if err != nil {
			return nil, err
		}
	}
	return missing, nil
}

func (c *conn) describe(ctx context.Context, table string) (types.TableStatus, error) {
	out, _, err := call(ctx, c, request{action: "DescribeTable", table: table}, &dynamodb.DescribeTableInput{TableName: &table}, (*dynamodb.Client).DescribeTable)
	if err != nil {
		return "", err
	}
	return out.Table.TableStatus, nil
}

func (s *store) create(ctx context.Context, table string) error {
	in := &dynamodb.CreateTableInput{TableName: &table, BillingMode: types.BillingModePayPerRequest}
	in.AttributeDefinitions = []types.AttributeDefinition{{AttributeName: aws.String(idAttr), AttributeType: types.ScalarAttributeTypeS}}
	in.KeySchema = []types.KeySchemaElement{{AttributeName: aws.String(idAttr), KeyType: types.KeyTypeHash}}
	if s.o.ReadCapacity > 0 {
		in.BillingMode = types.BillingModeProvisioned
		in.ProvisionedThroughput = &types.ProvisionedThroughput{ReadCapacityUnits: &s.o.ReadCapacity, WriteCapacityUnits: &s.o.WriteCapacity}
	}
	_, unsure, err := call(ctx, s.conn, request{action: "CreateTable", table: table}, in, (*dynamodb.Client).CreateTable)
	if unsure && errors.Is(err, fs.ErrExist) {
		return nil // the first attempt made it
	}
	return err
}

func (c *conn) waitActive(ctx context.Context, table string) error {
	return c.waitFor(ctx, table, func(status types.TableStatus, err error) (bool, error) {
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil // not yet seen everywhere
		}
		return status == types.TableStatusActive || status == types.TableStatusUpdating, err
	})
}

// waitFor looks at a table until done says yes.
func (c *conn) waitFor(ctx context.Context, table string, done func(types.TableStatus, error) (bool, error)) error {
	wait := lookFirst
	for range looks {
		if ok, err := done(c.describe(ctx, table)); ok || err != nil {
			return err
		}
		if err := c.sleep(ctx, wait); err != nil {
			return err
		}
		wait = min(2*wait, lookMost)
	}
	return fmt.Errorf("table %q is not ready yet: %w", table, refs.ErrUnavailable)
}

// DeleteTable deletes the tables of a manager with all that is in them, and
// waits until they are gone. The error wraps fs.ErrNotExist when there are none;
// a table without a log is not of this program and is left alone. Run again, it
// completes what was interrupted. It needs the permissions dynamodb:DeleteTable
// and dynamodb:DescribeTable on all three tables.
func DeleteTable(ctx context.Context, o *Options) error {
	s, err := newStore(o)
	if err != nil {
		return err
	}
	defer s.close()
	missing, err := s.missing(ctx)
	if err != nil {
		return err
	}
	parts := s.parts()
	if slices.Contains(missing, parts[0]) {
		return noTable(s.table)
	}
	slices.Reverse(parts) // the log goes last
	for _, table := range parts {
		if slices.Contains(missing, table) {
			continue
		}
		if err := s.removeTable(ctx, table); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) removeTable(ctx context.Context, table string) error {
	_, _, err := call(ctx, c, request{action: "DeleteTable", table: table}, &dynamodb.DeleteTableInput{TableName: &table}, (*dynamodb.Client).DeleteTable)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("table %q is being changed: %w", table, refs.ErrUnavailable)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return c.waitFor(ctx, table, func(_ types.TableStatus, err error) (bool, error) {
		if errors.Is(err, fs.ErrNotExist) {
			return true, nil
		}
		return false, err
	})
}

// Tables gives the names of the tables of managers in a region, sorted; of the
// options it needs no Table. It needs the permission dynamodb:ListTables.
func Tables(ctx context.Context, o *Options) ([]string, error) {
	if o == nil {
		o = &Options{}
	}
	if err := o.checkAccess(); err != nil {
		return nil, fmt.Errorf("dynamodb: %w", err)
	}
	c := newConn(*o)
	defer c.close()
	all := map[string]bool{}
	for in := (&dynamodb.ListTablesInput{}); ; {
		out, _, err := call(ctx, c, request{action: "ListTables"}, in, (*dynamodb.Client).ListTables)
		if err != nil {
			return nil, err
		}
		for _, table := range out.TableNames {
			all[table] = true
		}
		if in.ExclusiveStartTableName = out.LastEvaluatedTableName; in.ExclusiveStartTableName == nil {
			break
		}
	}
	tables := []string{}
	for table := range all {
		if all[table+logSuffix] {
			tables = append(tables, table)
		}
	}
	slices.Sort(tables)
	return tables, nil
}
