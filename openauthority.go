package datafs

import (
	"context"
	"errors"
	"io/fs"
	"net/url"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/web"
)

// OpenAuthority opens the authorities that need the standard library only:
// directories (OSFS, TempFS, file:), memory (MemoryFS, mem:), zip files (ZipFS,
// zip:), web servers (HTTPFS, http:, https:), WebDAV (DAVFS, dav:, davs:) and
// XML-RPC (RPCFS, rpc:, rpcs:). For others, Options.OpenAuthority calls the
// packages remote/s3, remote/sftp and remote/ftp; the error wraps
// errors.ErrUnsupported here.
func OpenAuthority(_ context.Context, s Service) (remote.Authority, error) {
	if s.URL != "" {
		return openURL(s.URL)
	}
	switch s.Service {
	case "OSFS":
		return via(remote.OpenDir)(remote.DirFromService(s.Args, s.Kwargs))
	case "TempFS":
		dir, name, err := remote.TempFromService(s.Args, s.Kwargs)
		if err != nil {
			return nil, err
		}
		return remote.OpenTemp(dir, name)
	case "MemoryFS":
		return &remote.Mem{}, nil
	case "ZipFS":
		return via(remote.OpenZip)(remote.ZipFromService(s.Args, s.Kwargs))
	case "HTTPFS":
		return via(web.OpenHTTP)(web.HTTPFromService(s.Args, s.Kwargs))
	case "DAVFS":
		return via(web.OpenDAV)(web.DAVFromService(s.Args, s.Kwargs))
	case "RPCFS":
		return via(web.OpenRPC)(web.RPCFromService(s.Args, s.Kwargs))
	}
	return nil, leaf.Errorf(errors.ErrUnsupported, "this program was built without %s", s.Service)
}

func openURL(text string) (remote.Authority, error) {
	u, err := url.Parse(text)
	if err != nil {
		return nil, leaf.Errorf(fs.ErrInvalid, "the URL cannot be read") // it may hold a password
	}
	switch u.Scheme {
	case "file":
		return via(remote.OpenDir)(remote.DirFromURL(u))
	case "mem":
		return &remote.Mem{}, nil
	case "zip":
		return via(remote.OpenZip)(remote.ZipFromURL(u))
	case "http", "https":
		return via(web.OpenHTTP)(web.HTTPFromURL(u))
	case "dav", "davs":
		return via(web.OpenDAV)(web.DAVFromURL(u))
	case "rpc", "rpcs":
		return via(web.OpenRPC)(web.RPCFromURL(u))
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
