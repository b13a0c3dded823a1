package cli

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os/user"
	"strings"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/remote"
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

// getenv gives the value of an environment variable, "" if it is not set.
type getenv func(name string) string

// drivers are all there are.
var drivers = []driver{
	{
		service: "S3FS", schemes: []string{"s3"},
		fromService: func(ctx context.Context, _ getenv, args []any, kwargs map[string]any) (remote.Authority, error) {
			return opened(ctx, s3.Open)(s3.FromService(args, kwargs))
		},
		fromURL: func(ctx context.Context, _ getenv, u *url.URL) (remote.Authority, error) {
			return opened(ctx, s3.Open)(s3.FromURL(u))
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

// openSFTP adds what ssh takes from a user's environment.
func (env getenv) openSFTP(ctx context.Context, o *sftp.Options) (remote.Authority, error) {
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
