package dynamo

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"strconv"
	"strings"
)

// Options say which table keeps the records and how it is reached. What is empty
// comes from where the AWS tools take it: the environment, then ~/.aws.
type Options struct {
	// Table is the name of the table of archives and versions. The tables of
	// requirements and of the log have this name with ".spec" and ".log".
	Table string
	// Endpoint is the server's http or https URL, where it is not AWS.
	Endpoint string
	// Region is that of the tables; us-east-1 where none is found.
	Region string
	// Profile is a section of ~/.aws/config and ~/.aws/credentials.
	Profile string
	// AccessKey and SecretKey go before all other credentials. SessionToken
	// belongs to keys that expire.
	AccessKey, SecretKey, SessionToken string
	// ReadCapacity and WriteCapacity are the units per second that CreateTable
	// reserves for each table; both 0: pay per request.
	ReadCapacity, WriteCapacity int64

	Rand io.Reader // for the length of pauses; nil is crypto/rand.Reader. Safe for concurrent use
}

// canBeTable reports whether DynamoDB takes a name for a table, with room for a suffix.
func canBeTable(name string) bool {
	foreign := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '.' && r != '-'
	}
	return len(name) >= 3 && len(name) <= 250 && !strings.ContainsFunc(name, foreign)
}

// check refuses what can never work.
func (o *Options) check() error {
	if o.Table == "" {
		return errors.New("needs the name of a table")
	}
	if !canBeTable(o.Table) {
		return fmt.Errorf("%.80q is no name of a table: 3 to 250 letters, digits, dots, dashes and underscores are", o.Table)
	}
	for _, suffix := range []string{specSuffix, logSuffix} {
		if strings.HasSuffix(o.Table, suffix) {
			return fmt.Errorf("a table of records must not end in %s, as %.80q does", suffix, o.Table)
		}
	}
	return o.checkAccess()
}

// checkAccess is check without the table.
func (o *Options) checkAccess() error {
	if (o.AccessKey == "") != (o.SecretKey == "") {
		return errors.New("an access key needs its secret key, and the other way round")
	}
	if o.SessionToken != "" && o.AccessKey == "" {
		return errors.New("a session token needs its access key")
	}
	if o.ReadCapacity < 0 || o.WriteCapacity < 0 || (o.ReadCapacity == 0) != (o.WriteCapacity == 0) {
		return errors.New("the capacities to read and to write must both be given, in whole units per second")
	}
	return checkEndpoint(o.Endpoint)
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return errors.New("an endpoint is like http://host:8000, without credentials") // it may hold some: do not show it
	}
	return nil
}

// positional are the arguments of the manager in the Python program.
var positional = []string{"table_name", "session_args", "resource_args"}

// FromService reads the arguments of the manager DynamoDBManager as the Python
// program has them: table_name, session_args (of boto3's Session) and
// resource_args (of its resource, which go before), in this order or by name;
// besides, read_capacity and write_capacity. What is null or empty is not given.
func FromService(args []any, kwargs map[string]any) (*Options, error) {
	all, err := named(args, kwargs)
	if err != nil {
		return nil, fmt.Errorf("DynamoDBManager: %w", err)
	}
	o := &Options{}
	if err := o.read(all); err != nil {
		return nil, fmt.Errorf("DynamoDBManager: %w", err)
	}
	return o, nil
}

// named gives all arguments by their names.
func named(args []any, kwargs map[string]any) (map[string]any, error) {
	if len(args) > len(positional) {
		return nil, fmt.Errorf("takes at most %d arguments, not %d", len(positional), len(args))
	}
	all := maps.Clone(kwargs)
	if all == nil {
		all = map[string]any{}
	}
	for i, arg := range args {
		if all[positional[i]] != nil {
			return nil, fmt.Errorf("%s is given twice", positional[i])
		}
		all[positional[i]] = arg
	}
	return all, nil
}

func (o *Options) read(all map[string]any) error {
	own := map[string]any{"table_name": &o.Table, "read_capacity": &o.ReadCapacity, "write_capacity": &o.WriteCapacity}
	for name, value := range all {
		if name == "session_args" || name == "resource_args" {
			continue
		}
		if own[name] == nil {
			return fmt.Errorf("there is no argument %.80q", name)
		}
		if err := set(own[name], name, value); err != nil {
			return err
		}
	}
	for _, group := range positional[1:] {
		if err := o.readGroup(all[group]); err != nil {
			return fmt.Errorf("%s: %w", group, err)
		}
	}
	return o.check()
}

// readGroup reads the arguments of a Session or of a resource.
func (o *Options) readGroup(value any) error {
	args, ok := value.(map[string]any)
	if value != nil && !ok {
		return errors.New("must be a mapping")
	}
	fields := map[string]any{
		"endpoint_url": &o.Endpoint, "region_name": &o.Region, "profile_name": &o.Profile,
		"aws_access_key_id": &o.AccessKey, "aws_secret_access_key": &o.SecretKey, "aws_session_token": &o.SessionToken,
	}
	for name, value := range args {
		var err error
		if fields[name] != nil {
			err = set(fields[name], name, value)
		} else {
			err = ignored(name, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ignored accepts what boto3 takes and has no meaning here.
func ignored(name string, value any) error {
	switch name {
	case "api_version", "aws_account_id", "use_ssl": // the endpoint says whether it is TLS
		return nil
	case "service_name":
		if value == nil || value == "dynamodb" {
			return nil
		}
	case "verify":
		if value == nil || value == true || value == "" {
			return nil
		}
		return errors.New("verify must be true: name a file of certificates in AWS_CA_BUNDLE, or as ca_bundle in ~/.aws/config")
	}
	return fmt.Errorf("there is no argument %.80q", name)
}

// set puts value into a field, a *string or an *int64.
func set(field any, name string, value any) error {
	switch value.(type) {
	case nil:
		return nil
	case string, bool, int, int64, float64:
	default:
		return fmt.Errorf("%s must be a string", name)
	}
	text := fmt.Sprint(value)
	switch f := field.(type) {
	case *string:
		if text != "" {
			*f = text
		}
	case *int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("%s must be a whole number, not %.40q", name, text)
		}
		*f = n
	}
	return nil
}

// FromURL reads dynamodb://table with the options endpoint, region, profile,
// read_capacity and write_capacity in its query. Credentials have no place in a
// URL.
func FromURL(u *url.URL) (*Options, error) {
	if u.User != nil {
		return nil, errors.New("dynamodb: credentials have no place in a URL: use a profile")
	}
	if strings.Trim(u.Path, "/") != "" {
		return nil, errors.New("dynamodb: the URL is like dynamodb://table?region=NAME")
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("dynamodb: the query of the URL cannot be read")
	}
	o := &Options{Table: u.Host}
	fields := map[string]any{
		"endpoint": &o.Endpoint, "region": &o.Region, "profile": &o.Profile,
		"read_capacity": &o.ReadCapacity, "write_capacity": &o.WriteCapacity,
	}
	for key, values := range query {
		if fields[key] == nil {
			return nil, fmt.Errorf("dynamodb: there is no option %.80q", key)
		}
		if err := set(fields[key], key, values[len(values)-1]); err != nil {
			return nil, fmt.Errorf("dynamodb: %w", err)
		}
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("dynamodb: %w", err)
	}
	return o, nil
}
