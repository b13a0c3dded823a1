package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os/user"
	"strings"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/cli/args"
	"github.com/datafs/datafs/cli/migrate"
	"github.com/datafs/datafs/refs/dynamo"
	"github.com/datafs/datafs/refs/mongo"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/dir"
	"github.com/datafs/datafs/remote/ftp"
	"github.com/datafs/datafs/remote/s3"
	"github.com/datafs/datafs/remote/sftp"
)

// driver opens the authorities of one kind, which needs more than the standard
// library; those that do not are the library's own.
type driver struct {
	service string   // in the configuration
	schemes []string // of URLs

	fromService func(ctx context.Context, env getenv, args []any, kwargs map[string]any) (remote.Authority, error)
	fromURL     func(ctx context.Context, env getenv, u *url.URL) (remote.Authority, error)
}

// getenv gives the value of an environment variable, "" if it is not set. It is
// nil for an authority that may have none of the user's credentials.
type getenv func(name string) string

// drivers are all there are.
var drivers = []driver{
	{
		service: "S3FS", schemes: []string{"s3"},
		fromService: func(ctx context.Context, env getenv, args []any, kwargs map[string]any) (remote.Authority, error) {
			return opened(ctx, env.openS3)(s3.FromService(args, kwargs))
		},
		fromURL: func(ctx context.Context, env getenv, u *url.URL) (remote.Authority, error) {
			return opened(ctx, env.openS3)(s3.FromURL(u))
		},
	},
	{
		service: "SFTPFS", schemes: []string{"sftp"},
		fromService: func(ctx context.Context, env getenv, args []any, kwargs map[string]any) (remote.Authority, error) {
			return opened(ctx, env.openSFTP)(sftp.FromService(args, kwargs))
		},
		fromURL: func(ctx context.Context, env getenv, u *url.URL) (remote.Authority, error) {
			return opened(ctx, env.openSFTP)(sftp.FromURL(u))
		},
	},
	{
		service: "FTPFS", schemes: []string{"ftp", "ftps"},
		fromService: func(ctx context.Context, _ getenv, args []any, kwargs map[string]any) (remote.Authority, error) {
			return opened(ctx, ftp.Open)(ftp.FromService(args, kwargs))
		},
		fromURL: func(ctx context.Context, _ getenv, u *url.URL) (remote.Authority, error) {
			return opened(ctx, ftp.Open)(ftp.FromURL(u))
		},
	},
}

// opened makes of a function that opens what options say one that passes on
// why they could not be read.
func opened[O any](ctx context.Context, open func(context.Context, *O) (remote.Authority, error)) func(*O, error) (remote.Authority, error) {
	return func(o *O, err error) (remote.Authority, error) {
		if err != nil {
			return nil, err
		}
		return open(ctx, o)
	}
}

func (env getenv) openS3(ctx context.Context, o *s3.Options) (remote.Authority, error) {
	o.Unsigned = env == nil
	return s3.Open(ctx, o)
}

// openSFTP adds what ssh takes from a user's environment.
func (env getenv) openSFTP(ctx context.Context, o *sftp.Options) (remote.Authority, error) {
	if env == nil {
		return nil, fmt.Errorf("sftp needs ssh keys, which an untrusted configuration does not get: %w", fs.ErrPermission)
	}
	o.Home, o.AgentSocket = env.home(), env("SSH_AUTH_SOCK")
	if u, err := user.Current(); err == nil {
		o.LocalUser = u.Username[strings.LastIndex(u.Username, `\`)+1:] // on Windows there is a domain before it
	}
	return sftp.Open(ctx, o)
}

func (env getenv) home() string {
	if home := env("HOME"); home != "" {
		return home
	}
	return env("USERPROFILE")
}

// openAuthority opens what a configuration names, with the drivers of this
// program or else of the library. The library has put variables in the place of
// "env:NAME" before.
func openAuthority(env getenv) func(context.Context, datafs.Service) (remote.Authority, error) {
	return func(ctx context.Context, s datafs.Service) (remote.Authority, error) {
		env := env
		if s.Untrusted {
			env = nil
		}
		if s.URL != "" {
			return openURL(ctx, env, s)
		}
		for _, d := range drivers {
			if d.service == s.Service {
				return d.fromService(ctx, env, s.Args, s.Kwargs)
			}
		}
		return datafs.OpenAuthority(ctx, s)
	}
}

func openURL(ctx context.Context, env getenv, s datafs.Service) (remote.Authority, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, fmt.Errorf("the URL cannot be read: %w", fs.ErrInvalid) // it may hold a password
	}
	for _, d := range drivers {
		for _, scheme := range d.schemes {
			if scheme == u.Scheme {
				return d.fromURL(ctx, env, u)
			}
		}
	}
	return datafs.OpenAuthority(ctx, s)
}

// openSeed opens the table of a manager of the original DataFS.
func openSeed(m *datafs.ManagerConfig) (migrate.Seed, error) {
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
func openSeedFiles(ctx context.Context, s datafs.Service) (migrate.Files, error) {
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
