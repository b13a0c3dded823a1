package s3

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Options say which bucket keeps the files and how it is reached. What is empty
// comes from where the AWS tools take it: the environment, then ~/.aws.
type Options struct {
	// Bucket is a bucket's name, or the ARN of an access point.
	Bucket string
	// Prefix is put, with a slash, before the names of files; "" is none.
	Prefix string
	// Endpoint is the server's http or https URL, where it is not AWS.
	Endpoint string
	// Region is that of the bucket; us-east-1 where none is found.
	Region string
	// Profile is a section of ~/.aws/config and ~/.aws/credentials.
	Profile string
	// AccessKey and SecretKey go before all other credentials. SessionToken
	// belongs to keys that expire.
	AccessKey, SecretKey, SessionToken string
	// Addressing is "path" (the bucket is in the path of URLs), "virtual" (in
	// the host's name) or "auto", also "": virtual for AWS, path for others.
	Addressing string
	// Unsigned asks without credentials, whatever there is of them.
	Unsigned bool
}

// check refuses what can never work and tidies the prefix.
func (o *Options) check() error {
	if o.Bucket == "" {
		return errors.New("needs the name of a bucket")
	}
	if strings.ContainsFunc(o.Bucket, notInBucket) && !strings.HasPrefix(o.Bucket, "arn:") {
		return fmt.Errorf("%.80q is no name of a bucket", o.Bucket)
	}
	o.Prefix = strings.Trim(o.Prefix, "/")
	for part := range strings.SplitSeq(o.Prefix, "/") {
		if o.Prefix != "" && (part == "" || part == "." || part == "..") {
			return fmt.Errorf("the prefix %.80q has an empty part or one of dots", o.Prefix)
		}
	}
	if (o.AccessKey == "") != (o.SecretKey == "") {
		return errors.New("an access key needs its secret key, and the other way round")
	}
	if o.SessionToken != "" && o.AccessKey == "" {
		return errors.New("a session token needs its access key")
	}
	switch o.Addressing {
	case "", "auto", "path", "virtual":
	default:
		return fmt.Errorf("addressing style %.40q is none of auto, path and virtual", o.Addressing)
	}
	return checkEndpoint(o.Endpoint)
}

func notInBucket(c rune) bool {
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' || c == '_')
}

func checkEndpoint(endpoint string) error {
	if endpoint == "" {
		return nil
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		return errors.New("an endpoint is like http://host:9000, without credentials") // it may hold some: do not show it
	}
	return nil
}

// positional are the arguments of the service in the Python program.
var positional = []string{"bucket", "prefix", "aws_access_key", "aws_secret_key", "separator"}

// FromService reads the arguments of the service S3FS. Positional are, as in
// the Python program, the bucket, prefix, access key, secret key and separator.
// The keywords are those of the Python programs, with the longer names of AWS's
// tools as other spellings. What is null or empty is not given.
func FromService(args []any, kwargs map[string]any) (*Options, error) {
	o, separator := &Options{}, "/"
	fields, given := o.fields(&separator), map[*string]string{}
	if len(args) > len(positional) {
		return nil, fmt.Errorf("S3FS: takes at most %d arguments, not %d", len(positional), len(args))
	}
	for i, arg := range args {
		if err := set(fields, given, positional[i], arg); err != nil {
			return nil, err
		}
	}
	for name, value := range kwargs {
		if err := set(fields, given, name, value); err != nil {
			return nil, err
		}
	}
	if separator != "/" {
		return nil, errors.New(`S3FS: separator must be "/"`)
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("S3FS: %w", err)
	}
	return o, nil
}

// fields gives the field that each argument sets. The two of threads have no
// meaning here.
func (o *Options) fields(separator *string) map[string]*string {
	return map[string]*string{
		"bucket": &o.Bucket, "bucket_name": &o.Bucket, "prefix": &o.Prefix,
		"aws_access_key": &o.AccessKey, "aws_access_key_id": &o.AccessKey,
		"aws_secret_key": &o.SecretKey, "aws_secret_access_key": &o.SecretKey,
		"aws_session_token": &o.SessionToken,
		"endpoint_url":      &o.Endpoint, "endpoint": &o.Endpoint,
		"region_name": &o.Region, "region": &o.Region,
		"profile_name": &o.Profile, "profile": &o.Profile,
		"addressing_style": &o.Addressing, "addressing": &o.Addressing,
		"separator": separator, "thread_synchronize": new(string), "key_sync_timeout": new(string),
	}
}

// set puts value into the field of that name. given has the fields that were
// set before and under which names.
func set(fields map[string]*string, given map[*string]string, name string, value any) error {
	field, ok := fields[name]
	if !ok {
		return fmt.Errorf("S3FS: there is no argument %.80q", name)
	}
	switch value.(type) {
	case nil:
		return nil
	case string, bool, int, float64:
	default:
		return fmt.Errorf("S3FS: %s must be a string", name)
	}
	text := fmt.Sprint(value)
	if text == "" {
		return nil
	}
	if before, twice := given[field]; twice {
		return fmt.Errorf("S3FS: %s is given twice, also as %s", max(name, before), min(name, before))
	}
	*field, given[field] = text, name
	return nil
}

// FromURL reads s3://bucket/prefix with the options endpoint, region, profile
// and addressing in its query. Credentials have no place in a URL.
func FromURL(u *url.URL) (*Options, error) {
	if u.User != nil {
		return nil, errors.New("s3: credentials have no place in a URL: use a profile")
	}
	o := &Options{Bucket: u.Host, Prefix: u.Path}
	fields := map[string]*string{"endpoint": &o.Endpoint, "region": &o.Region, "profile": &o.Profile, "addressing": &o.Addressing}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, errors.New("s3: the query of the URL cannot be read")
	}
	for key, values := range query {
		if fields[key] == nil {
			return nil, fmt.Errorf("s3: there is no option %.80q", key)
		}
		*fields[key] = values[len(values)-1]
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	return o, nil
}
