package mongo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/docdb"
)

// closeTimeout is for telling the servers that a client goes.
const closeTimeout = 2 * time.Second

// Database is a MongoDB database. Nothing is asked of it before a method that
// needs it is called. All methods may be called concurrently. Errors wrap
// refs.ErrUnavailable where no server answers, and fs.ErrPermission where the
// user may not do what was asked.
type Database struct {
	o Options

	mu      sync.Mutex     // guards what follows
	client  *driver.Client // nil until it is needed and after Close
	closed  bool
	replica bool // several servers: what is read needs an order
	clock   clock
}

// clock is how far the servers were when they last answered.
type clock struct {
	cluster   bson.Raw
	operation *bson.Timestamp
}

// Connect gives the database that o names. It does not connect yet.
func Connect(_ context.Context, o *Options) (*Database, error) {
	if o == nil {
		o = &Options{}
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("mongodb: %w", err)
	}
	return &Database{o: *o}, nil
}

// Open gives the manager of the table that o names. It does not connect yet: a
// table that does not exist is an error of the manager's methods, which wraps
// fs.ErrNotExist.
func Open(ctx context.Context, o *Options) (refs.Manager, error) {
	d, err := Connect(ctx, o)
	if err != nil {
		return nil, err
	}
	return docdb.New(&store{d: d, table: d.o.table(), owns: true}, &docdb.Options{Index: d.o.Index, Rand: d.o.Rand}), nil
}

// String names the database without a secret.
func (d *Database) String() string { return d.o.String() }

// Table is the table that the options name, "" where they name none.
func (d *Database) Table() string { return d.o.Table }

// Manager gives the manager of a table, which need not be closed. The index, which may
// be nil, keeps what is known of the table for the next process.
func (d *Database) Manager(table string, index *index.DB) (refs.Manager, error) {
	if err := checkTable(table); err != nil {
		return nil, err
	}
	return docdb.New(&store{d: d, table: table}, &docdb.Options{Index: index, Rand: d.o.Rand}), nil
}

// Close ends the connections.
func (d *Database) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.client == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	client := d.client
	d.client = nil
	if err := client.Disconnect(ctx); err != nil && ctx.Err() == nil {
		return errors.New(leaf.OneLine(err.Error()))
	}
	return nil
}

// connect gives the client and the database, which it looks at first.
func (d *Database) connect(ctx context.Context) (*driver.Client, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.New("the database is closed")
	}
	if d.client != nil {
		return d.client, nil
	}
	o, err := d.o.client()
	if err != nil {
		return nil, err
	}
	client, err := driver.Connect(o)
	if err != nil {
		return nil, errors.New(leaf.OneLine(err.Error()))
	}
	if d.replica, err = isReplica(ctx, client); err != nil {
		_ = client.Disconnect(context.WithoutCancel(ctx))
		return nil, err
	}
	d.client = client
	return client, nil
}

// isReplica says whether there are several servers, to which more is said of
// how to read. A server that stands alone may refuse that.
func isReplica(ctx context.Context, client *driver.Client) (bool, error) {
	var hello struct {
		Set string `bson:"setName"`
		Msg string `bson:"msg"`
	}
	err := client.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&hello)
	return hello.Set != "" || hello.Msg == "isdbgrid", err
}

// do runs one request and explains its error. Those that fn gives of its own
// must not be the driver's.
func (d *Database) do(parent context.Context, r request, fn func(context.Context, *driver.Database) error) error {
	if err := parent.Err(); err != nil {
		return context.Cause(parent)
	}
	timeout := d.o.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(parent, timeout)
	defer cancel()
	client, err := d.connect(ctx)
	if err != nil {
		return d.explain(parent, request{verb: "greet the server"}, err)
	}
	if err := d.ask(ctx, client, fn); err != nil {
		return d.explain(parent, r, err)
	}
	return nil
}

// ask runs one request. With several servers it is in a session that begins
// where the last ended, so that a server which lags behind, such as one that does
// not know yet that it is no longer the primary, gives nothing older than what
// was read before.
func (d *Database) ask(ctx context.Context, client *driver.Client, fn func(context.Context, *driver.Database) error) error {
	o := options.Database()
	if !d.replica {
		return fn(ctx, client.Database(d.o.database(), o))
	}
	o.SetReadConcern(readconcern.Majority())
	s, err := client.StartSession(options.Session().SetCausalConsistency(true))
	if err != nil {
		return err
	}
	defer s.EndSession(ctx)
	if err := d.begin(s); err != nil {
		return err
	}
	err = fn(driver.NewSessionContext(ctx, s), client.Database(d.o.database(), o))
	d.note(s)
	return err
}

func (d *Database) begin(s *driver.Session) error {
	d.mu.Lock()
	c := d.clock
	d.mu.Unlock()
	if c.operation == nil {
		return nil
	}
	if c.cluster != nil {
		if err := s.AdvanceClusterTime(c.cluster); err != nil {
			return err
		}
	}
	return s.AdvanceOperationTime(c.operation)
}

// note keeps the latest time that was seen.
func (d *Database) note(s *driver.Session) {
	t := s.OperationTime()
	if t == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.clock.operation == nil || t.After(*d.clock.operation) {
		d.clock = clock{slices.Clone(s.ClusterTime()), t}
	}
}

// Tables gives the names of the tables of this program, in byte order. Those of
// the Python program are not among them.
func (d *Database) Tables(ctx context.Context) ([]string, error) {
	names, err := d.collections(ctx, bson.D{})
	if err != nil {
		return nil, err
	}
	tables := []string{}
	for _, name := range names {
		table, ok := strings.CutSuffix(name, suffixLog)
		if ok && checkTable(table) == nil && slices.Contains(names, table) {
			tables = append(tables, table)
		}
	}
	slices.Sort(tables)
	return tables, nil
}

func (d *Database) collections(ctx context.Context, filter bson.D) (names []string, err error) {
	err = d.do(ctx, request{verb: "list the collections"}, func(ctx context.Context, db *driver.Database) error {
		names, err = db.ListCollectionNames(ctx, filter, options.ListCollections().SetAuthorizedCollections(true))
		return err
	})
	return names, err
}

// CreateTable makes a table. Where there is one, also of the Python program, the
// error wraps fs.ErrExist.
func (d *Database) CreateTable(ctx context.Context, name string) error {
	if err := checkTable(name); err != nil {
		return err
	}
	s := &store{d: d, table: name}
	for _, coll := range []string{name, name + suffixSpec, name + suffixLog} {
		if used, err := s.used(ctx, coll); err != nil {
			return err
		} else if used {
			return tableExists(name)
		}
	}
	for _, coll := range []string{name, name + suffixSpec} {
		if err := d.create(ctx, coll); err != nil {
			return err
		}
	}
	return s.initialise(ctx) // of two at once the second fails
}

// create makes an empty collection, unless there is one.
func (d *Database) create(ctx context.Context, coll string) error {
	return d.do(ctx, request{"create", coll}, func(ctx context.Context, db *driver.Database) error {
		err := db.CreateCollection(ctx, coll)
		var server driver.ServerError
		if errors.As(err, &server) && server.HasErrorCode(codeNamespaceExists) {
			return nil
		}
		return err
	})
}

const codeNamespaceExists = 48

// DeleteTable deletes a table with all that is in it. Where there is none the
// error wraps fs.ErrNotExist; a table of the Python program is none.
func (d *Database) DeleteTable(ctx context.Context, name string) error {
	if err := checkTable(name); err != nil {
		return err
	}
	names, err := d.collections(ctx, bson.D{{Key: "name", Value: name + suffixLog}})
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return noTable(name)
	}
	for _, coll := range []string{name, name + suffixSpec, name + suffixLog} { // the last says that there is a table
		err := d.do(ctx, request{"delete", coll}, func(ctx context.Context, db *driver.Database) error {
			return db.Collection(coll).Drop(ctx)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// CreateTable is Database.CreateTable for the table that o names.
func CreateTable(ctx context.Context, o *Options) error {
	return with(ctx, o, func(d *Database) error { return d.CreateTable(ctx, d.o.table()) })
}

// DeleteTable is Database.DeleteTable for the table that o names.
func DeleteTable(ctx context.Context, o *Options) error {
	return with(ctx, o, func(d *Database) error { return d.DeleteTable(ctx, d.o.table()) })
}

// Tables is Database.Tables.
func Tables(ctx context.Context, o *Options) (names []string, err error) {
	err = with(ctx, o, func(d *Database) error {
		names, err = d.Tables(ctx)
		return err
	})
	return names, err
}

func with(ctx context.Context, o *Options, fn func(*Database) error) error {
	d, err := Connect(ctx, o)
	if err != nil {
		return err
	}
	defer d.Close()
	return fn(d)
}
