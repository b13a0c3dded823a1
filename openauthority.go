package datafs

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/web"
)

// A kind of authority. A nil fromService belongs to a package with dependencies of its
// own, which Options.OpenAuthority calls.
type kind struct {
	service     string   // in a configuration
	schemes     []string // of URLs
	fromService func(args []any, kwargs map[string]any) (remote.Authority, error)
	fromURL     func(u *url.URL) (remote.Authority, error)
}

// kinds are all that a configuration can name.
var kinds = []kind{
	{"OSFS", []string{"file"},
		func(args []any, kwargs map[string]any) (remote.Authority, error) {
			return via(remote.OpenDir)(remote.DirFromService(args, kwargs))
		},
		func(u *url.URL) (remote.Authority, error) { return via(remote.OpenDir)(remote.DirFromURL(u)) }},
	{"TempFS", nil, openTemp, nil},
	{"MemoryFS", []string{"mem"},
		func([]any, map[string]any) (remote.Authority, error) { return &remote.Mem{}, nil },
		func(*url.URL) (remote.Authority, error) { return &remote.Mem{}, nil }},
	{"S3FS", []string{"s3"}, nil, nil},
	{"ZipFS", []string{"zip"},
		func(args []any, kwargs map[string]any) (remote.Authority, error) {
			return via(remote.OpenZip)(remote.ZipFromService(args, kwargs))
		},
		func(u *url.URL) (remote.Authority, error) { return via(remote.OpenZip)(remote.ZipFromURL(u)) }},
	{"FTPFS", []string{"ftp", "ftps"}, nil, nil},
	{"SFTPFS", []string{"sftp"}, nil, nil},
	{"HTTPFS", []string{"http", "https"},
		func(args []any, kwargs map[string]any) (remote.Authority, error) {
			return via(web.OpenHTTP)(web.HTTPFromService(args, kwargs))
		},
		func(u *url.URL) (remote.Authority, error) { return via(web.OpenHTTP)(web.HTTPFromURL(u)) }},
	{"RPCFS", []string{"rpc", "rpcs"},
		func(args []any, kwargs map[string]any) (remote.Authority, error) {
			return via(web.OpenRPC)(web.RPCFromService(args, kwargs))
		},
		func(u *url.URL) (remote.Authority, error) { return via(web.OpenRPC)(web.RPCFromURL(u)) }},
	{"DAVFS", []string{"dav", "davs"},
		func(args []any, kwargs map[string]any) (remote.Authority, error) {
			return via(web.OpenDAV)(web.DAVFromService(args, kwargs))
		},
		func(u *url.URL) (remote.Authority, error) { return via(web.OpenDAV)(web.DAVFromURL(u)) }},
}

// allServices and allSchemes are the names in the table, for messages.
func allServices() (list []string) {
	for _, k := range kinds {
		list = append(list, k.service)
	}
	return list
}

func allSchemes() (list []string) {
	for _, k := range kinds {
		list = append(list, k.schemes...)
	}
	return list
}

func openTemp(args []any, kwargs map[string]any) (remote.Authority, error) {
	dir, name, err := remote.TempFromService(args, kwargs)
	if err != nil {
		return nil, err
	}
	return remote.OpenTemp(dir, name)
}

// OpenAuthority opens the authorities that need the standard library only:
// directories (OSFS, TempFS, file:), memory (MemoryFS, mem:), zip files (ZipFS,
// zip:), web servers (HTTPFS, http:, https:), WebDAV (DAVFS, dav:, davs:) and
// XML-RPC (RPCFS, rpc:, rpcs:). For others, Options.OpenAuthority calls the
// packages remote/s3, remote/sftp and remote/ftp; the error wraps
// errors.ErrUnsupported here.
func OpenAuthority(_ context.Context, s Service) (remote.Authority, error) {
	if s.URL == "" {
		for _, k := range kinds {
			if k.service == s.Service && k.fromService != nil {
				return k.fromService(s.Args, s.Kwargs)
			}
		}
		return nil, leaf.Errorf(errors.ErrUnsupported, "this program was built without %s", s.Service)
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return nil, leaf.Errorf(fs.ErrInvalid, "the URL cannot be read") // it may hold a password
	}
	for _, k := range kinds {
		if slices.Contains(k.schemes, u.Scheme) && k.fromURL != nil {
			return k.fromURL(u)
		}
	}
	return nil, leaf.Errorf(errors.ErrUnsupported, "this program was built without %s://", u.Scheme)
}

// via makes of a function that opens what options say one that passes on why
// they could not be read.
func via[O any](open func(*O) (remote.Authority, error)) func(*O, error) (remote.Authority, error) {
	return func(o *O, err error) (remote.Authority, error) {
		if err != nil {
			return nil, err
		}
		return open(o)
	}
}
