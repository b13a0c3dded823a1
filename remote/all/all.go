// Package all has every kind of authority and manager that the datafs command knows,
// for programs that use the library:
//
//	api, err := datafs.Open(ctx, &datafs.Options{Kinds: all.Kinds()})
//
// It is not for what a kind does: that is in the packages that it brings together. Its
// invariant: package datafs does not need it, so that a program that has no use for them
// links no SDK.
package all

import (
	"context"
	"io/fs"
	"os/user"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs/mongo"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/config"
	"github.com/datafs/datafs/remote/ftp"
	"github.com/datafs/datafs/remote/s3"
	"github.com/datafs/datafs/remote/sftp"
)

// Kinds returns how those kinds are opened that need more than the standard library, for
// Options.Kinds of package datafs, which knows the others.
func Kinds() []config.Kind {
	return []config.Kind{
		{Name: "S3FS", Authority: openS3},
		{Name: "FTPFS", Authority: openFTP},
		{Name: "SFTPFS", Authority: openSFTP},
		{Name: "MongoDBManager", Database: openMongo},
		{Name: "DynamoDBManager", Database: openDynamo},
	}
}

func openS3(ctx context.Context, s config.Service, getenv func(string) string) (remote.Authority, error) {
	o, err := config.Options(s.URL, s.Args, s.Kwargs, s3.FromService, s3.FromURL)
	if err != nil {
		return nil, err
	}
	o.Unsigned = getenv == nil
	return s3.Open(ctx, o)
}

func openFTP(ctx context.Context, s config.Service, _ func(string) string) (remote.Authority, error) {
	o, err := config.Options(s.URL, s.Args, s.Kwargs, ftp.FromService, ftp.FromURL)
	if err != nil {
		return nil, err
	}
	return ftp.Open(ctx, o)
}

// openSFTP adds what ssh takes from a user's environment.
func openSFTP(ctx context.Context, s config.Service, getenv func(string) string) (remote.Authority, error) {
	o, err := config.Options(s.URL, s.Args, s.Kwargs, sftp.FromService, sftp.FromURL)
	if err != nil {
		return nil, err
	}
	if getenv == nil {
		return nil, leaf.Errorf(fs.ErrPermission, "sftp needs ssh keys, which an untrusted configuration does not get")
	}
	if o.Home = getenv("HOME"); o.Home == "" {
		o.Home = getenv("USERPROFILE")
	}
	o.AgentSocket = getenv("SSH_AUTH_SOCK")
	if u, err := user.Current(); err == nil {
		o.LocalUser = u.Username[strings.LastIndex(u.Username, `\`)+1:] // on Windows there is a domain before it
	}
	return sftp.Open(ctx, o)
}

func openMongo(ctx context.Context, m config.Manager) (config.Database, error) {
	o, err := config.Options(m.URL, m.Args, m.Kwargs, mongo.FromService, mongo.FromURL)
	if err != nil {
		return nil, err
	}
	return mongo.Connect(ctx, o)
}
