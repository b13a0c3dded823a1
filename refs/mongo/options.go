package mongo

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

const (
	defaultTimeout = time.Minute      // for one request
	selectTimeout  = 10 * time.Second // to find a server and to connect
	suffixSpec     = ".spec"
	suffixLog      = ".log"
	maxName        = 120 // bytes of the name of a collection, which the server counts with that of the database
	maxDatabase    = 63
)

// Options say where the records are and how the database is reached.
type Options struct {
	// URI is mongodb://HOST or mongodb+srv://HOST with the options of MongoDB's
	// connection strings. A database in it is where the user is known.
	URI string
	// Database is that of the tables; "" is the one in URI.
	Database string
	// Table is the name of the table; "" is refs.DefaultTable.
	Table string
	// Username and Password go before those in URI.
	Username, Password string
	// Timeout is for one request, of which an operation has several; 0: a minute.
	Timeout time.Duration
	// Index keeps what is known of the table for the next process; nil keeps it in memory.
	Index *index.DB
	// Rand is for write ids and the length of pauses; nil is crypto/rand.Reader. Safe
	// for concurrent use.
	Rand io.Reader
}

// place is a connection string in parts.
type place struct {
	scheme, user, hosts, database, query string
}

var errURI = errors.New("a URI is like mongodb://host:27017/database") // what is there may hold a password: do not show it

func parse(uri string) (p place, err error) {
	var ok bool
	if p.scheme, uri, ok = strings.Cut(uri, "://"); !ok || p.scheme != "mongodb" && p.scheme != "mongodb+srv" {
		return p, errURI
	}
	uri, p.query, _ = strings.Cut(uri, "?")
	uri, p.database, _ = strings.Cut(uri, "/")
	if i := strings.LastIndexByte(uri, '@'); i >= 0 {
		p.user, uri = uri[:i], uri[i+1:]
	}
	p.hosts = uri
	if p.database, err = url.PathUnescape(p.database); err != nil || p.broken() {
		return place{}, errURI
	}
	return p, nil
}

// broken finds what cannot be, and what may be a password that was not escaped.
func (p place) broken() bool {
	for host := range strings.SplitSeq(p.hosts, ",") {
		name, port, _ := strings.Cut(host[strings.LastIndexByte(host, ']')+1:], ":")
		if name == "" && !strings.HasPrefix(host, "[") || strings.Trim(port, "0123456789") != "" {
			return true
		}
	}
	option, _, _ := strings.Cut(p.query, "=")
	_, err := url.PathUnescape(p.user)
	return err != nil || strings.ContainsAny(p.database, "/@") || strings.Contains(option, "@")
}

// String names the database without a secret.
func (o *Options) String() string {
	p, err := parse(o.URI)
	if err != nil {
		return "mongodb"
	}
	return p.scheme + "://" + p.hosts + "/" + o.database()
}

func (o *Options) database() string {
	if o.Database != "" {
		return o.Database
	}
	p, _ := parse(o.URI)
	return p.database
}

func (o *Options) table() string {
	if o.Table != "" {
		return o.Table
	}
	return refs.DefaultTable
}

// user is the name that the server knows the client by, "" if it has none.
func (o *Options) user() string {
	if o.Username != "" {
		return o.Username
	}
	p, _ := parse(o.URI)
	name, _, _ := strings.Cut(p.user, ":")
	name, _ = url.PathUnescape(name)
	return name
}

// check refuses what can never work. It does not ask any server.
func (o *Options) check() error {
	p, err := parse(o.URI)
	if err != nil {
		return err
	}
	if err := checkDatabase(o.database()); err != nil {
		return err
	}
	if err := checkTable(o.table()); err != nil {
		return err
	}
	if o.Password != "" && o.Username == "" {
		return errors.New("a password needs its username")
	}
	if p.scheme == "mongodb+srv" { // the driver would ask the domain name system
		return nil
	}
	_, err = o.client()
	return err
}

func checkDatabase(name string) error {
	if name == "" {
		return errors.New("needs the name of a database")
	}
	if len(name) > maxDatabase || strings.ContainsAny(name, "/\\. \"$*<>:|?\x00") {
		return fmt.Errorf("%.80q is no name of a database", name)
	}
	return nil
}

func checkTable(name string) error {
	switch {
	case name == "":
		return errors.New("needs the name of a table")
	case len(name) > maxName-len(suffixSpec), strings.ContainsAny(name, "$\x00"), strings.HasPrefix(name, "system."), strings.HasPrefix(name, "."):
		return fmt.Errorf("%.80q is no name of a table", name)
	case strings.HasSuffix(name, suffixSpec), strings.HasSuffix(name, suffixLog):
		return fmt.Errorf("%.80q is no name of a table: its end is that of a part of one", name)
	}
	return nil
}

// client gives the driver's options: those of the URI, but for what the
// algorithm needs. With a replica set in mind, which a standalone server takes
// as "written to its disk".
func (o *Options) client() (*options.ClientOptions, error) {
	p, err := parse(o.URI)
	if err != nil {
		return nil, err
	}
	uri := o.URI
	if o.Username != "" {
		p.user = escape(o.Username)
		if o.Password != "" {
			p.user += ":" + escape(o.Password)
		}
		uri = p.scheme + "://" + p.user + "@" + p.hosts + "/" + url.PathEscape(p.database) + "?" + p.query
	}
	c := options.Client().ApplyURI(uri)
	if err := c.Validate(); err != nil {
		return nil, p.conceal(err)
	}
	c.SetReadPreference(readpref.Primary())
	c.SetReadConcern(&readconcern.ReadConcern{}) // see Database.connect
	journal := true
	c.SetWriteConcern(&writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal})
	if c.ServerSelectionTimeout == nil {
		c.SetServerSelectionTimeout(selectTimeout)
	}
	if c.ConnectTimeout == nil {
		c.SetConnectTimeout(selectTimeout)
	}
	if c.AppName == nil {
		c.SetAppName("datafs")
	}
	return c, nil
}

// conceal keeps a password out of a message.
func (p place) conceal(err error) error {
	text := err.Error()
	_, password, _ := strings.Cut(p.user, ":")
	plain, _ := url.PathUnescape(password)
	if password != "" && (strings.Contains(text, password) || strings.Contains(text, plain)) {
		return errURI
	}
	return errors.New(leaf.OneLine(text))
}

// escape is for a part before the "@" of a URI.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
