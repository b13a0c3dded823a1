package datafs

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/dir"
	"github.com/datafs/datafs/remote/web"
	"github.com/datafs/datafs/remote/zip"
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
	kindOf("OSFS", dir.FromService, dir.FromURL, dir.Open, "file"),
	{service: "TempFS", fromService: openTemp},
	{
		service: "MemoryFS", schemes: []string{"mem"},
		fromService: func([]any, map[string]any) (remote.Authority, error) { return &remote.Mem{}, nil },
		fromURL:     func(*url.URL) (remote.Authority, error) { return &remote.Mem{}, nil },
	},
	{service: "S3FS", schemes: []string{"s3"}},
	kindOf("ZipFS", zip.FromService, zip.FromURL, zip.Open, "zip"),
	{service: "FTPFS", schemes: []string{"ftp", "ftps"}},
	{service: "SFTPFS", schemes: []string{"sftp"}},
	kindOf("HTTPFS", web.HTTPFromService, web.HTTPFromURL, web.OpenHTTP, "http", "https"),
	kindOf("RPCFS", web.RPCFromService, web.RPCFromURL, web.OpenRPC, "rpc", "rpcs"),
	kindOf("DAVFS", web.DAVFromService, web.DAVFromURL, web.OpenDAV, "dav", "davs"),
}

// kindOf returns a kind whose options are read from a service or a URL, and then opened.
func kindOf[O any](service string, fromService func([]any, map[string]any) (*O, error), fromURL func(*url.URL) (*O, error),
	open func(*O) (remote.Authority, error), schemes ...string) kind {
	opened := func(o *O, err error) (remote.Authority, error) {
		if err != nil {
			return nil, err
		}
		return open(o)
	}
	return kind{
		service: service, schemes: schemes,
		fromService: func(args []any, kwargs map[string]any) (remote.Authority, error) {
			return opened(fromService(args, kwargs))
		},
		fromURL: func(u *url.URL) (remote.Authority, error) { return opened(fromURL(u)) },
	}
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
	parent, name, err := dir.TempFromService(args, kwargs)
	if err != nil {
		return nil, err
	}
	return dir.OpenTemp(parent, name)
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
