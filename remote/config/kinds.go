package config

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote"
	"github.com/datafs/datafs/remote/dir"
	"github.com/datafs/datafs/remote/web"
	"github.com/datafs/datafs/remote/zip"
)

// Kind is a kind of authority or of manager that a configuration can name.
type Kind struct {
	Name    string   // the service of an authority, or the class of a manager, such as S3FS
	Schemes []string // of the URLs that name it, in lower case

	Path    bool   // an authority: it is named by a path on this machine
	Manager bool   // it keeps records
	LogsIn  string // what of the user's it logs in with, as a clause; only a trusted configuration may name it

	// Authority opens an authority. Getenv returns the value of an environment
	// variable, "" if it is not set; it is nil if the authority may have none of the
	// user's credentials. A nil Authority is that of a program built without the kind.
	Authority func(ctx context.Context, s Service, getenv func(name string) string) (remote.Authority, error)

	// Database opens a manager, and asks nothing of it yet. It is nil for the two
	// managers that need no database, and in a program built without the kind.
	Database func(ctx context.Context, m Manager) (Database, error)
}

// Database is where a team's manager keeps its records, and the tables in it.
// Nothing is asked of it before a method is called. String names the place
// without a secret. Its methods may be called by several goroutines.
type Database interface {
	fmt.Stringer
	// Manager opens a table. One that does not exist is an error of its methods
	// that wraps fs.ErrNotExist. The index keeps what is known of the table, so
	// that the next process need not read all of it again; nil keeps it in memory.
	Manager(table string, index *index.DB) (refs.Manager, error)
	// Table is the table that the configuration names, "" where it names none.
	Table() string
	CreateTable(ctx context.Context, name string) error // fs.ErrExist
	DeleteTable(ctx context.Context, name string) error // fs.ErrNotExist
	Tables(ctx context.Context) ([]string, error)
	Close() error
}

// Classes of managers that need no database.
const (
	AuthorityManager = "AuthorityManager" // in the catalogue of an authority
	EmbeddedManager  = "EmbeddedManager"  // in the repository
)

// Kinds are all that a configuration can name. Its methods may be called by several
// goroutines.
type Kinds []Kind

// builtin are all kinds that datafs knows. Those that need the standard library only
// are opened here, the others by package remote/all.
var builtin = Kinds{
	opening("OSFS", dir.FromService, dir.FromURL, dir.Open, "file").at(),
	{Name: "TempFS", Path: true, Authority: openTemp},
	{Name: "MemoryFS", Schemes: []string{"mem"}, Authority: openMem},
	{Name: "S3FS", Schemes: []string{"s3"}},
	opening("ZipFS", zip.FromService, zip.FromURL, zip.Open, "zip").at(),
	{Name: "FTPFS", Schemes: []string{"ftp", "ftps"}},
	{Name: "SFTPFS", Schemes: []string{"sftp"}, LogsIn: "logs in with your ssh keys and agent"},
	opening("HTTPFS", web.HTTPFromService, web.HTTPFromURL, web.OpenHTTP, "http", "https"),
	opening("RPCFS", web.RPCFromService, web.RPCFromURL, web.OpenRPC, "rpc", "rpcs"),
	opening("DAVFS", web.DAVFromService, web.DAVFromURL, web.OpenDAV, "dav", "davs"),

	{Name: "MongoDBManager", Schemes: []string{"mongodb", "mongodb+srv"}, Manager: true},
	{Name: "DynamoDBManager", Schemes: []string{"dynamodb"}, Manager: true, LogsIn: "needs your AWS credentials"},
	{Name: AuthorityManager, Manager: true},
	{Name: EmbeddedManager, Manager: true},
}

// With returns the kinds that datafs knows with those of a program: one of a name that
// is there already says how that is opened, and may add to its schemes.
func With(own []Kind) Kinds {
	all := slices.Clone(builtin)
	for _, k := range own {
		i := slices.IndexFunc(all, func(b Kind) bool { return b.Name == k.Name })
		if i < 0 {
			all = append(all, k)
			continue
		}
		b := &all[i]
		b.Schemes = append(slices.Clone(b.Schemes), k.Schemes...)
		b.LogsIn = cmp.Or(b.LogsIn, k.LogsIn)
		if k.Authority != nil {
			b.Authority = k.Authority
		}
		if k.Database != nil {
			b.Database = k.Database
		}
	}
	return all
}

func (k Kind) at() Kind {
	k.Path = true
	return k
}

// opening returns a kind whose options are read from a service or a URL, and then opened.
func opening[O any](name string, fromService func([]any, map[string]any) (*O, error), fromURL func(*url.URL) (*O, error),
	open func(*O) (remote.Authority, error), schemes ...string) Kind {
	return Kind{Name: name, Schemes: schemes, Authority: func(_ context.Context, s Service, _ func(string) string) (remote.Authority, error) {
		o, err := Options(s.URL, s.Args, s.Kwargs, fromService, fromURL)
		if err != nil {
			return nil, err
		}
		return open(o)
	}}
}

// Options returns a driver's options, from a URL or, without one, from arguments.
func Options[O any](text string, args []any, kwargs map[string]any,
	fromArguments func([]any, map[string]any) (*O, error), fromURL func(*url.URL) (*O, error)) (*O, error) {
	if text == "" {
		return fromArguments(args, kwargs)
	}
	u, err := url.Parse(text)
	if err != nil {
		return nil, leaf.Errorf(fs.ErrInvalid, "the URL cannot be read") // it may hold a password
	}
	return fromURL(u)
}

func openTemp(_ context.Context, s Service, _ func(string) string) (remote.Authority, error) {
	dirName, name, err := dir.TempFromService(s.Args, s.Kwargs)
	if err != nil {
		return nil, err
	}
	return dir.OpenTemp(dirName, name)
}

func openMem(context.Context, Service, func(string) string) (remote.Authority, error) {
	return &remote.Mem{}, nil
}

// find returns the kind that a URL, if there is one, or a name stands for.
func (k Kinds) find(address, name string, manager bool) (Kind, bool) {
	scheme, _, isURL := strings.Cut(address, "://")
	i := slices.IndexFunc(k, func(k Kind) bool {
		if isURL {
			return k.Manager == manager && slices.Contains(k.Schemes, strings.ToLower(scheme))
		}
		return k.Manager == manager && k.Name == name
	})
	if i < 0 {
		return Kind{}, false
	}
	return k[i], true
}

// names and schemes list what authorities or managers are called, for messages.
func (k Kinds) names(manager bool) (list []string) {
	for _, k := range k {
		if k.Manager == manager {
			list = append(list, k.Name)
		}
	}
	return list
}

func (k Kinds) schemes(manager bool) (list []string) {
	for _, k := range k {
		if k.Manager == manager {
			list = append(list, k.Schemes...)
		}
	}
	return list
}

// OpenAuthority opens what a configuration names. The error of a kind that this program
// was built without wraps errors.ErrUnsupported.
func (k Kinds) OpenAuthority(ctx context.Context, s Service, getenv func(name string) string) (remote.Authority, error) {
	found, ok := k.find(s.URL, s.Service, false)
	if !ok || found.Authority == nil {
		return nil, withoutKind(s.URL, s.Service)
	}
	if s.Untrusted {
		getenv = nil
	}
	return found.Authority(ctx, s, getenv)
}

// OpenDatabase opens the manager that a configuration names, if a database keeps it.
// The error of a kind that this program was built without wraps errors.ErrUnsupported.
func (k Kinds) OpenDatabase(ctx context.Context, m Manager) (Database, error) {
	found, ok := k.find(m.URL, m.Class, true)
	if !ok || found.Database == nil {
		return nil, withoutKind(m.URL, m.Class)
	}
	return found.Database(ctx, m)
}

// HasDatabase reports whether OpenDatabase can open the manager.
func (k Kinds) HasDatabase(m *Manager) bool {
	if !m.InDatabase() {
		return false
	}
	found, ok := k.find(m.URL, m.Class, true)
	return ok && found.Database != nil
}

// InDatabase reports whether a Database keeps the manager's records.
func (m *Manager) InDatabase() bool {
	return m != nil && (m.URL != "" || m.Class != "" && m.Class != AuthorityManager && m.Class != EmbeddedManager)
}

func withoutKind(address, name string) error {
	if scheme, _, ok := strings.Cut(address, "://"); ok {
		name = scheme + "://"
	}
	return leaf.Errorf(errors.ErrUnsupported, "this program was built without %s", name)
}
