package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/dynamo"
	"github.com/datafs/datafs/refs/mongo"
)

// openDatabase opens the manager that a configuration names. The library has put
// variables in the place of "env:NAME" before.
func openDatabase(ctx context.Context, m datafs.ManagerConfig) (datafs.Database, error) {
	if m.URL != "" {
		return openDatabaseURL(ctx, m.URL)
	}
	switch m.Class {
	case "MongoDBManager":
		return connected(ctx)(mongo.FromService(m.Args, m.Kwargs))
	case "DynamoDBManager":
		return onDynamo(dynamo.FromService(m.Args, m.Kwargs))
	}
	return nil, fmt.Errorf("%s: %w", m.Class, errors.ErrUnsupported)
}

func openDatabaseURL(ctx context.Context, text string) (datafs.Database, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the manager's URL cannot be read: %w", fs.ErrInvalid) // it may hold a password
	}
	switch u.Scheme {
	case "mongodb", "mongodb+srv":
		return connected(ctx)(mongo.FromURL(u))
	case "dynamodb":
		return onDynamo(dynamo.FromURL(u))
	}
	return nil, fmt.Errorf("%s: %w", u.Scheme, errors.ErrUnsupported)
}

func connected(ctx context.Context) func(*mongo.Options, error) (datafs.Database, error) {
	return func(o *mongo.Options, err error) (datafs.Database, error) {
		if err != nil {
			return nil, err
		}
		return mongo.Connect(ctx, o)
	}
}

// dynamoDB is a datafs.Database of which each table is opened by itself.
type dynamoDB struct{ o *dynamo.Options }

func onDynamo(o *dynamo.Options, err error) (datafs.Database, error) {
	if err != nil {
		return nil, err
	}
	return dynamoDB{o}, nil
}

func (d dynamoDB) at(table string) *dynamo.Options {
	o := *d.o
	o.Table = table
	return &o
}

func (d dynamoDB) String() string {
	return "dynamodb://" + d.o.Table + "?region=" + d.o.Region + "&endpoint=" + d.o.Endpoint
}

func (d dynamoDB) Table() string { return d.o.Table }
func (d dynamoDB) Close() error  { return nil }

func (d dynamoDB) Manager(table string) (refs.Manager, error) {
	return dynamo.Open(context.Background(), d.at(table))
}

func (d dynamoDB) CreateTable(ctx context.Context, name string) error {
	return dynamo.CreateTable(ctx, d.at(name))
}

func (d dynamoDB) DeleteTable(ctx context.Context, name string) error {
	return dynamo.DeleteTable(ctx, d.at(name))
}

func (d dynamoDB) Tables(ctx context.Context) ([]string, error) { return dynamo.Tables(ctx, d.o) }
