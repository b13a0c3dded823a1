package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/remote"
)

const (
	maxSingle    = 100 << 20        // bytes of a file that is put in one request
	minPart      = 16 << 20         // bytes of a part of a larger one
	maxParts     = 10000            // of a file: S3's limit
	putParallel  = 4                // parts at once
	maxSigned    = 1 << 20          // bytes that are hashed to be signed, over http
	conflicts    = 4                // tries to put a new file
	cleanupTime  = 15 * time.Second // to abort
	maxPutSingle = 5 << 30          // bytes in one request: S3's limit
)

func (a *authority) Put(ctx context.Context, name string, r io.ReadSeeker) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	return a.wrap("put", name, a.put(ctx, name, r))
}

func (a *authority) put(ctx context.Context, name string, r io.ReadSeeker) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	start, size, err := measure(r)
	if err != nil {
		return err
	}
	if size > a.maxSingle {
		return a.putParts(ctx, c, name, r, start, size)
	}
	return a.putWhole(ctx, c, section(r, start, size), &s3.PutObjectInput{
		Bucket: &a.o.Bucket, Key: a.key(name), ContentLength: &size,
	})
}

// PutNew lets the server decide: it has one caller's request succeed.
func (a *authority) PutNew(ctx context.Context, name string, r io.ReadSeeker) error {
	if err := remote.CheckName(name); err != nil {
		return err
	}
	return a.wrap("put new", name, a.putNew(ctx, name, r))
}

func (a *authority) putNew(ctx context.Context, name string, r io.ReadSeeker) error {
	c, err := a.connect(ctx)
	if err != nil {
		return err
	}
	start, size, err := measure(r)
	if err != nil {
		return err
	}
	if size > maxPutSingle {
		return fmt.Errorf("%d bytes are too many for one request: %w", size, errors.ErrUnsupported)
	}
	// A conflict means that another request for this name was under way: it may
	// have failed, so that it says nothing yet.
	for range conflicts {
		err = a.putWhole(ctx, c, section(r, start, size), &s3.PutObjectInput{
			Bucket: &a.o.Bucket, Key: a.key(name), ContentLength: &size, IfNoneMatch: aws.String("*"),
		})
		if !errors.Is(err, errConflict) {
			break
		}
	}
	if errors.Is(err, errPrecondition) {
		return fs.ErrExist
	}
	return err
}

func (a *authority) putWhole(ctx context.Context, c *client, r io.ReadSeeker, in *s3.PutObjectInput) error {
	src := &source{r: r}
	defer src.end()
	in.Body = src
	_, err := c.PutObject(ctx, in, c.unsigned(*in.ContentLength))
	return src.failed(a.explain(ctx, c, err))
}

// unsigned leaves a body out of the signature, which would mean to read and
// hash it first. TLS protects it as well as a signature would; and what is large
// is content, which is verified whenever it is read.
func (c *client) unsigned(size int64) func(*s3.Options) {
	return func(o *s3.Options) {
		if c.tls || size > maxSigned {
			o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
		}
	}
}

// putParts puts a large file. Its parts are no file until all are there.
func (a *authority) putParts(ctx context.Context, c *client, name string, r io.ReadSeeker, start, size int64) error {
	key := a.key(name)
	begin := &s3.CreateMultipartUploadInput{Bucket: &a.o.Bucket, Key: key}
	if c.Options().RequestChecksumCalculation != aws.RequestChecksumCalculationWhenRequired {
		begin.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32 // what the SDK gives each part
	}
	created, err := c.CreateMultipartUpload(ctx, begin)
	if err != nil {
		return a.explain(ctx, c, err)
	}
	parts, err := a.sendParts(ctx, c, created, r, start, size)
	if err == nil {
		_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: &a.o.Bucket, Key: key, UploadId: created.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
		err = a.explain(ctx, c, err)
	}
	if err != nil {
		a.abort(ctx, c, key, created.UploadId)
	}
	return err
}

// abort has the server forget the parts, also where ctx is over. Should it fail,
// they are invisible, and a rule of the bucket may remove them.
func (a *authority) abort(ctx context.Context, c *client, key, id *string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	_, _ = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &a.o.Bucket, Key: key, UploadId: id})
}

func (a *authority) sendParts(ctx context.Context, c *client, up *s3.CreateMultipartUploadOutput, r io.ReadSeeker, start, size int64) ([]types.CompletedPart, error) {
	part := max(a.minPart, (size+maxParts-1)/maxParts)
	parts := make([]types.CompletedPart, (size+part-1)/part)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(putParallel)
	if _, ok := r.(io.ReaderAt); !ok {
		g.SetLimit(1) // one reader, one position
	}
	for i := range parts {
		off := int64(i) * part
		g.Go(func() (err error) {
			parts[i], err = a.sendPart(ctx, c, up, int32(i+1), section(r, start+off, min(part, size-off)), min(part, size-off))
			return err
		})
	}
	return parts, g.Wait()
}

func (a *authority) sendPart(ctx context.Context, c *client, up *s3.CreateMultipartUploadOutput, number int32, r io.ReadSeeker, size int64) (done types.CompletedPart, err error) {
	if err := ctx.Err(); err != nil {
		return done, err
	}
	src := &source{r: r}
	defer src.end()
	out, err := c.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &a.o.Bucket, Key: up.Key, UploadId: up.UploadId, PartNumber: &number, Body: src, ContentLength: &size,
	}, c.unsigned(size))
	if err != nil {
		return done, src.failed(a.explain(ctx, c, err))
	}
	return types.CompletedPart{ETag: out.ETag, PartNumber: &number, ChecksumCRC32: out.ChecksumCRC32}, nil
}

// measure gives the offset that r is at and the number of bytes from there on.
func measure(r io.Seeker) (start, size int64, err error) {
	if start, err = r.Seek(0, io.SeekCurrent); err != nil {
		return 0, 0, err
	}
	end, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, 0, err
	}
	_, err = r.Seek(start, io.SeekStart)
	return start, max(end-start, 0), err
}

// section gives n bytes of r from off on. Where r has ReadAt, sections of it can
// be read at once, and its position does not move.
func section(r io.ReadSeeker, off, n int64) io.ReadSeeker {
	if at, ok := r.(io.ReaderAt); ok {
		return io.NewSectionReader(at, off, n)
	}
	return io.NewSectionReader(&seekerAt{r}, off, n)
}

// seekerAt reads one after the other at any offsets.
type seekerAt struct{ r io.ReadSeeker }

func (s *seekerAt) ReadAt(p []byte, off int64) (int, error) {
	if _, err := s.r.Seek(off, io.SeekStart); err != nil {
		return 0, err
	}
	return s.r.Read(p) // a short read is what SectionReader passes on
}

// source is the body of a request. Its transport may read it, in another
// goroutine, for some time after the request has failed: not behind end.
type source struct {
	mu  sync.Mutex // guards all
	r   io.ReadSeeker
	err error // of r
}

func (s *source) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.r == nil {
		return 0, fs.ErrClosed
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) Seek(off int64, whence int) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.r == nil {
		return 0, fs.ErrClosed
	}
	return s.r.Seek(off, whence)
}

func (s *source) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.r = nil
}

// failed gives, where a request has failed, the error of the reader if it was
// that.
func (s *source) failed(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.err != nil {
		return s.err
	}
	return err
}
