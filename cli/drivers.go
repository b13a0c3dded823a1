package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/migrate"
	"github.com/datafs/datafs/refs/dynamo"
	"github.com/datafs/datafs/refs/mongo"
	"github.com/datafs/datafs/remote/config"
	"github.com/datafs/datafs/remote/dir"
	"github.com/datafs/datafs/remote/s3"
)

// openSeed opens the table of a manager of the original DataFS.
func openSeed(m *config.Manager) (migrate.Seed, error) {
	switch {
	case m != nil && m.Class == "MongoDBManager":
		return seedTable(mongo.ReadSeed, mongo.ReadSeedSpec)(mongo.FromService(m.Args, m.Kwargs))
	case m != nil && m.Class == "DynamoDBManager":
		return seedTable(dynamo.ReadSeed, dynamo.ReadSeedSpec)(dynamo.FromService(m.Args, m.Kwargs))
	}
	return nil, args.Usagef("", "its manager is not one of the original DataFS, which are MongoDBManager and DynamoDBManager")
}

// seedReader reads a table of the original DataFS.
type seedReader[O any] func(ctx context.Context, o *O) iter.Seq2[map[string]any, error]

// seedTable makes of two functions that read one that opens what options say.
func seedTable[O any](read, readSpec seedReader[O]) func(*O, error) (migrate.Seed, error) {
	return func(o *O, err error) (migrate.Seed, error) {
		if err != nil {
			return nil, fmt.Errorf("manager: %w", err)
		}
		return &seed[O]{o, read, readSpec}, nil
	}
}

type seed[O any] struct {
	o              *O
	read, readSpec seedReader[O]
}

func (s *seed[O]) Close() error { return nil }

func (s *seed[O]) Documents(ctx context.Context) iter.Seq2[map[string]any, error] {
	return s.read(ctx, s.o)
}

// Spec gives nothing where the table of requirements is missing.
func (s *seed[O]) Spec(ctx context.Context) (map[string]any, error) {
	docs := map[string]any{}
	for doc, err := range s.readSpec(ctx, s.o) {
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, err
		}
		if id, ok := doc["_id"].(string); ok {
			docs[id] = doc["config"]
		}
	}
	return docs, nil
}

// openSeedFiles opens the files of an authority of the original DataFS.
func openSeedFiles(ctx context.Context, s config.Service) (migrate.Files, error) {
	switch s.Service {
	case "OSFS":
		o, err := dir.FromService(s.Args, s.Kwargs)
		if err != nil {
			return nil, err
		}
		return migrate.OpenDir(o.Root)
	case "S3FS":
		o, err := s3.FromService(s.Args, s.Kwargs)
		if err != nil {
			return nil, err
		}
		o.Unsigned = s.Untrusted
		f, err := s3.OpenFiles(ctx, o)
		if err != nil {
			return nil, err
		}
		if err := f.Check(ctx); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}
	return nil, args.Usagef("copy the files to a directory, and name that with OSFS", "files can be taken over from OSFS and S3FS only")
}
