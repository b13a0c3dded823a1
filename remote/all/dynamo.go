package all

import (
	"context"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/dynamo"
	"github.com/datafs/datafs/remote/config"
)

// dynamoDB is a config.Database of which each table is opened by itself.
type dynamoDB struct{ o *dynamo.Options }

func openDynamo(_ context.Context, m config.Manager) (config.Database, error) {
	o, err := config.Options(m.URL, m.Args, m.Kwargs, dynamo.FromService, dynamo.FromURL)
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

func (d dynamoDB) Manager(table string, index *index.DB) (refs.Manager, error) {
	return dynamo.Open(context.Background(), d.at(table), index)
}

func (d dynamoDB) CreateTable(ctx context.Context, name string) error {
	return dynamo.CreateTable(ctx, d.at(name))
}

func (d dynamoDB) DeleteTable(ctx context.Context, name string) error {
	return dynamo.DeleteTable(ctx, d.at(name))
}

func (d dynamoDB) Tables(ctx context.Context) ([]string, error) { return dynamo.Tables(ctx, d.o) }
