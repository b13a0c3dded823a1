package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Files reads objects of any name, as other programs have put them into a
// bucket: below the prefix of the options, by their path. An Authority refuses
// names that are not its own. Its methods may be called by several goroutines.
type Files struct{ a *authority }

// OpenFiles gives the files of a bucket. It does not connect.
func OpenFiles(ctx context.Context, o *Options) (*Files, error) {
	a, err := Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &Files{a.(*authority)}, nil
}

// String gives the location as a URL, without the endpoint.
func (f *Files) String() string { return f.a.String() }

// Check asks the server for an object that is not there, to find out whether
// others can be read: not with credentials that are refused, nor of a bucket that
// is missing.
func (f *Files) Check(ctx context.Context) error {
	c, err := f.a.connect(ctx)
	if err == nil {
		_, err = f.get(ctx, c, ".datafs-probe")
	}
	if code, _ := codeOf(err); code == "AccessDenied" { // so missing objects look to who may not list
		return nil
	}
	if c != nil {
		err = f.a.explain(ctx, c, err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return f.a.wrap("read", "objects", err)
}

// Close lets go of the connections.
func (f *Files) Close() error { return f.a.Close() }

// Open opens an object for reading; a slash in front of its path does not count.
// The error wraps fs.ErrNotExist when there is none, remote.ErrUnavailable when
// another try may help, as also of reading.
func (f *Files) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	path = strings.TrimLeft(path, "/")
	if path == "" {
		return nil, fmt.Errorf("an object without a name: %w", fs.ErrInvalid)
	}
	c, err := f.a.connect(ctx)
	if err != nil {
		return nil, f.a.wrap("get", path, err)
	}
	out, err := f.get(ctx, c, path)
	if err != nil {
		return nil, f.a.wrap("get", path, f.explain(ctx, c, err))
	}
	wrap := func(err error) error { return f.a.wrap("get", path, err) }
	return &body{ctx: ctx, ReadCloser: out.Body, left: -1, wrap: wrap}, nil
}

func (f *Files) get(ctx context.Context, c *client, path string) (*s3.GetObjectOutput, error) {
	return c.GetObject(ctx, &s3.GetObjectInput{Bucket: &f.a.o.Bucket, Key: f.a.key(path)},
		func(o *s3.Options) { o.Retryer = retry.NewStandard() }) // nobody above asks again
}

// explain says which kind of error one of a request is. A name that S3 cannot
// have is that of no object.
func (f *Files) explain(ctx context.Context, c *client, err error) error {
	if code, _ := codeOf(err); code == "KeyTooLongError" {
		return fs.ErrNotExist
	}
	err = f.a.explain(ctx, c, err)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w (or the object is missing, and listing is not permitted)", err)
	}
	return err
}
