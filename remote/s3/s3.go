// Package s3 keeps files in a bucket of Amazon S3 or of a server that speaks
// its protocol. It signs and sends requests, and leaves it to the caller to try
// again. Its one invariant: a file appears in one step, by the request that
// completes it, so that it is never seen in part.
package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"net/url"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/datafs/datafs/remote"
)

type authority struct {
	o      Options
	prefix string // of all keys: "" or with a slash at its end

	maxSingle, minPart int64 // as the constants, but for tests

	mu     sync.Mutex
	client *client // mu guards it; nil until it is needed
}

var _ remote.Exclusive = (*authority)(nil)

// Open gives an authority, which is Exclusive, on a bucket. It neither connects
// nor reads the AWS configuration: what is wrong there is an error of the first
// use. Of servers other than AWS, PutNew needs that they respect If-None-Match.
func Open(ctx context.Context, o *Options) (remote.Authority, error) {
	if o == nil {
		o = &Options{}
	}
	a := &authority{o: *o, maxSingle: maxSingle, minPart: minPart}
	if err := a.o.check(); err != nil {
		return nil, fmt.Errorf("s3: %w", err)
	}
	if a.prefix = a.o.Prefix; a.prefix != "" {
		a.prefix += "/"
	}
	return a, ctx.Err()
}

// String gives the location as a URL, without the endpoint.
func (a *authority) String() string {
	return strings.TrimSuffix("s3://"+a.o.Bucket+"/"+a.prefix, "/")
}

func (a *authority) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.client != nil {
		a.client.http.CloseIdleConnections()
	}
	return nil
}

func (a *authority) wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %s: %w", op, name, a, err)
}

func (a *authority) key(name string) *string { return aws.String(a.prefix + name) }

func (a *authority) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := remote.CheckName(name); err != nil {
		return nil, err
	}
	if off < 0 {
		return nil, fmt.Errorf("offset %d: %w", off, fs.ErrInvalid)
	}
	r, err := a.get(ctx, name, off, n)
	return r, a.wrap("get", name, err)
}

func (a *authority) get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	c, err := a.connect(ctx)
	if err != nil {
		return nil, err
	}
	in := &s3.GetObjectInput{Bucket: &a.o.Bucket, Key: a.key(name), Range: rangeOf(off, n)}
	out, err := c.GetObject(ctx, in)
	if status(err) == 416 { // the file ends before
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, a.explain(ctx, c, err)
	}
	b := &body{ctx: ctx, ReadCloser: out.Body, left: n, wrap: func(err error) error { return a.wrap("get", name, err) }}
	if off > 0 && out.ContentRange == nil { // the server has ignored the range
		if _, err := io.CopyN(io.Discard, out.Body, off); err != nil && err != io.EOF {
			out.Body.Close()
			return nil, bodyError(ctx, err)
		}
	}
	return b, nil
}

// rangeOf asks for n bytes from off on, and for one where none are wanted: a
// file that is not there must be told from an empty one.
func rangeOf(off, n int64) *string {
	switch {
	case n < 0 && off == 0:
		return nil
	case n < 0 || n > math.MaxInt64-off:
		return aws.String(fmt.Sprintf("bytes=%d-", off))
	}
	return aws.String(fmt.Sprintf("bytes=%d-%d", off, off+max(n, 1)-1))
}

// body is the content of a file, at most left bytes of it (all if left < 0).
type body struct {
	io.ReadCloser
	ctx  context.Context
	left int64
	wrap func(error) error
}

func (b *body) Read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, io.EOF
	}
	if b.left > 0 && int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left > 0 {
		b.left -= int64(n)
	}
	if err != nil && err != io.EOF {
		err = b.wrap(bodyError(b.ctx, err))
	}
	return n, err
}

func (a *authority) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		if err := remote.CheckPrefix(prefix); err != nil {
			yield(remote.Info{}, err)
			return
		}
		if err := a.list(ctx, prefix, yield); err != nil && !errors.Is(err, errStop) {
			yield(remote.Info{}, a.wrap("list", prefix+"*", err))
		}
	}
}

// errStop: the listing is not wanted any further.
var errStop = errors.New("stop")

func (a *authority) list(ctx context.Context, prefix string, yield func(remote.Info, error) bool) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	in := &s3.ListObjectsV2Input{Bucket: &a.o.Bucket, Prefix: a.key(prefix), MaxKeys: aws.Int32(1000), EncodingType: types.EncodingTypeUrl}
	for {
		page, err := c.ListObjectsV2(ctx, in)
		if err != nil {
			return a.explain(ctx, c, err)
		}
		for i := range page.Contents {
			o := &page.Contents[i]
			name, ours := a.name(aws.ToString(o.Key), page.EncodingType)
			if !ours || !strings.HasPrefix(name, prefix) {
				continue
			}
			if !yield(remote.Info{Name: name, Size: aws.ToInt64(o.Size)}, nil) {
				return errStop
			}
		}
		next := page.NextContinuationToken
		if !aws.ToBool(page.IsTruncated) || next == nil {
			return nil
		}
		if aws.ToString(in.ContinuationToken) == *next {
			return errors.New("the server gives one page of the listing again and again")
		}
		in.ContinuationToken = next
	}
}

// name gives the file's name that belongs to a key; others have put things into
// the bucket, too. Keys come encoded since not all are permitted in XML; not
// every server does that.
func (a *authority) name(key string, encoding types.EncodingType) (name string, ours bool) {
	if encoding == types.EncodingTypeUrl {
		plain, err := url.QueryUnescape(key)
		if err != nil {
			return "", false
		}
		key = plain
	}
	name, ours = strings.CutPrefix(key, a.prefix)
	return name, ours && remote.CheckName(name) == nil
}

func (a *authority) Delete(ctx context.Context, name string) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	c, err := a.connect(ctx)
	if err != nil {
		return a.wrap("delete", name, err)
	}
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &a.o.Bucket, Key: a.key(name)})
	if err = a.explain(ctx, c, err); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return a.wrap("delete", name, err)
}
