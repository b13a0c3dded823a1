package mongo

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

const service = "MongoDBManager"

// FromService reads the arguments of the manager MongoDBManager, which have
// names, as in the Python program: database_name, table_name and client_kwargs,
// those of pymongo's client: host (a name, "name:port", a mongodb or mongodb+srv
// URI, or a list of names), port, username, password and the options that
// MongoDB's connection strings have too, such as tls, tlsCAFile, authSource and
// replicaSet. What is null or empty is not given.
func FromService(args []any, kwargs map[string]any) (*Options, error) {
	o, err := fromService(args, kwargs)
	if err == nil {
		err = o.check()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", service, err)
	}
	return o, nil
}

func fromService(args []any, kwargs map[string]any) (*Options, error) {
	if len(args) > 0 {
		return nil, fmt.Errorf("takes no arguments without a name, not %d", len(args))
	}
	o, client := &Options{}, map[string]any{}
	var err error
	for _, name := range slices.Sorted(maps.Keys(kwargs)) {
		value := kwargs[name]
		switch name {
		case "database_name":
			o.Database, err = text(name, value)
		case "table_name":
			o.Table, err = text(name, value)
		case "client_kwargs":
			var ok bool
			if client, ok = value.(map[string]any); !ok && value != nil {
				err = errors.New("client_kwargs must be a mapping")
			}
		default:
			err = fmt.Errorf("there is no argument %.80q", name)
		}
		if err != nil {
			return nil, err
		}
	}
	if o.Database == "" {
		return nil, errors.New("needs database_name")
	}
	return o, o.pymongo(client)
}

// pymongo are the options of pymongo's client that a connection string has too,
// by their names in lower case, with other spellings of old.
var pymongo = map[string]string{
	"appname": "appName", "authmechanism": "authMechanism", "authmechanismproperties": "authMechanismProperties",
	"authsource": "authSource", "compressors": "compressors", "connecttimeoutms": "connectTimeoutMS",
	"directconnection": "directConnection", "heartbeatfrequencyms": "heartbeatFrequencyMS", "loadbalanced": "loadBalanced",
	"maxidletimems": "maxIdleTimeMS", "maxpoolsize": "maxPoolSize", "minpoolsize": "minPoolSize", "maxconnecting": "maxConnecting",
	"replicaset": "replicaSet", "retryreads": "retryReads", "retrywrites": "retryWrites",
	"serverselectiontimeoutms": "serverSelectionTimeoutMS", "srvmaxhosts": "srvMaxHosts", "srvservicename": "srvServiceName",
	"ssl": "tls", "tls": "tls", "tlscafile": "tlsCAFile", "ssl_ca_certs": "tlsCAFile",
	"tlscertificatekeyfile": "tlsCertificateKeyFile", "ssl_certfile": "tlsCertificateKeyFile",
	"tlscertificatekeyfilepassword": "tlsCertificateKeyFilePassword", "tlsinsecure": "tlsInsecure",
	"tlsdisableocspendpointcheck": "tlsDisableOCSPEndpointCheck", "zlibcompressionlevel": "zlibCompressionLevel",
}

// pythons are those that are about Python's objects, or that this package
// decides: it reads from the primary and writes to the majority.
var pythons = []string{"connect", "document_class", "fsync", "j", "journal", "localthresholdms", "readconcernlevel", "readpreference",
	"tz_aware", "unicode_decode_error_handler", "uuidrepresentation", "w", "wtimeout", "wtimeoutms"}

// pymongo reads the arguments of pymongo's client.
func (o *Options) pymongo(kwargs map[string]any) error {
	hosts, port, query := "localhost", "", url.Values{}
	for _, name := range slices.Sorted(maps.Keys(kwargs)) {
		value := kwargs[name]
		var err error
		switch lower := strings.ToLower(name); {
		case value == nil:
		case name == "host":
			hosts, err = hostList(value)
		case name == "port":
			port, err = text(name, value)
		case name == "username":
			o.Username, err = text(name, value)
		case name == "password":
			o.Password, err = text(name, value)
		case lower == "sockettimeoutms" || lower == "timeoutms":
			o.Timeout, err = milliseconds(name, value)
		case pymongo[lower] != "":
			err = option(query, pymongo[lower], name, value)
		case slices.Contains(pythons, lower):
		default:
			err = fmt.Errorf("client_kwargs has no argument %.80q", name)
		}
		if err != nil {
			return err
		}
	}
	var err error
	o.URI, err = join(hosts, port, query)
	return err
}

func option(query url.Values, key, name string, value any) error {
	v, err := text(name, value)
	if err != nil || v == "" {
		return err
	}
	if query.Has(key) {
		return fmt.Errorf("client_kwargs has %s twice", key)
	}
	query.Set(key, v)
	return nil
}

// hostList gives one host, a URI, or the hosts of a list with commas.
func hostList(value any) (string, error) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	var hosts []string
	for _, v := range list {
		host, err := text("host", v)
		if err != nil {
			return "", err
		}
		if len(list) > 1 && strings.Contains(host, "://") {
			return "", errors.New("host is one URI or a list of names")
		}
		hosts = append(hosts, host)
	}
	return strings.Join(hosts, ","), nil
}

// join makes a URI of what host says, with the port where it names none and
// with more options, which go before its own.
func join(host, port string, query url.Values) (string, error) {
	if strings.Contains(host, "://") {
		base, own, _ := strings.Cut(host, "?")
		given, err := url.ParseQuery(own)
		if err != nil {
			return "", errURI
		}
		for key := range given {
			if name := pymongo[strings.ToLower(key)]; name != "" && query.Has(name) {
				given.Del(key)
			}
		}
		maps.Copy(given, query)
		if p, err := parse(base); err == nil && p.database == "" {
			base = strings.TrimSuffix(base, "/") + "/"
		}
		return withQuery(base, given), nil
	}
	hosts := strings.Split(host, ",")
	for i, h := range hosts {
		if port != "" && (!strings.Contains(h, ":") || strings.HasSuffix(h, "]")) {
			hosts[i] += ":" + port
		}
	}
	return withQuery("mongodb://"+strings.Join(hosts, ",")+"/", query), nil
}

func withQuery(base string, query url.Values) string {
	if len(query) == 0 {
		return base
	}
	return base + "?" + query.Encode()
}

// text gives a value that can be written as a string; null is "".
func text(name string, value any) (string, error) {
	switch value := value.(type) {
	case nil:
		return "", nil
	case string, bool, int, int64, uint64:
		return fmt.Sprint(value), nil
	case float64:
		if value == float64(int64(value)) {
			return fmt.Sprint(int64(value)), nil
		}
	}
	return "", fmt.Errorf("%s must be a string", name)
}

func milliseconds(name string, value any) (time.Duration, error) {
	v, err := text(name, value)
	if err != nil || v == "" {
		return 0, err
	}
	d, err := time.ParseDuration(v + "ms")
	if err != nil || d < 0 || d > 24*time.Hour {
		return 0, fmt.Errorf("%s must be a number of milliseconds", name)
	}
	return d, nil
}

// FromURL reads mongodb://HOST/DATABASE?table=NAME and mongodb+srv://, with the
// options of MongoDB's connection strings. A user's name and password may stand
// before the host, as there; the user is then one of that database unless
// authSource says otherwise.
func FromURL(u *url.URL) (*Options, error) {
	if _, err := parse(u.String()); err != nil {
		return nil, fmt.Errorf("mongodb: %w", err)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("mongodb: the query of the URL cannot be read")
	}
	o := &Options{}
	for key, values := range query {
		value, lower := values[len(values)-1], strings.ToLower(key)
		switch {
		case key == "table":
			o.Table = value
			query.Del(key)
		case lower == "sockettimeoutms" || lower == "timeoutms":
			o.Timeout, err = milliseconds(key, value)
			query.Del(key)
		case slices.Contains(pythons, lower):
			query.Del(key)
		case pymongo[lower] == "":
			err = fmt.Errorf("there is no option %.80q", key)
		}
		if err != nil {
			return nil, fmt.Errorf("mongodb: %w", err)
		}
	}
	base := url.URL{Scheme: u.Scheme, User: u.User, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	o.URI = withQuery(base.String(), query)
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("mongodb: %w", err)
	}
	return o, nil
}
