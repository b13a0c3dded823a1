// Package zip is an authority in one zip file, for small collections and for carrying
// data about. It is not meant for what many write to: each write copies the whole file.
// Its invariant: the file at the path is at any time a whole zip file, which a rename
// replaces.
package zip

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/datafs/datafs/remote"
)

// Options say where a zip file authority is.
type Options struct {
	Path     string
	Create   bool // make the file at the first Put; otherwise one that is missing is remote.ErrNoStorage
	ReadOnly bool
}

// authority is a remote.Exclusive in one zip file. A write makes the file anew beside the
// old one, with the entries copied as they are, under a lock that all writers
// take. Readers keep the file that they opened.
type authority struct {
	opts Options

	mu   sync.Mutex
	open *file // mu guards it; the file that was at the path when last looked
}

var _ remote.Exclusive = (*authority)(nil)

// file is one state of the zip file. The last user closes it.
type file struct {
	f       *os.File
	info    fs.FileInfo
	comment string
	entries []*zip.File
	byName  map[string]*zip.File // the last one of a name counts

	mu    sync.Mutex
	users int // mu guards it
}

// Open gives the authority in a zip file. Any zip file can be read whose
// entries are stored or deflated; those whose names remote.CheckName refuses are not
// seen, and kept. What is put is stored without compression, since packs are
// compressed. Each Put copies the whole file, so it suits small collections and
// carrying things about. The authority is an Exclusive: writers take a lock on
// a file beside it, whose name ends with ".lock".
func Open(opts *Options) (remote.Authority, error) {
	z := &authority{opts: *opts}
	if opts.Path == "" {
		return nil, fmt.Errorf("a zip file needs a path: %w", fs.ErrInvalid)
	}
	abs, err := filepath.Abs(opts.Path)
	if err != nil {
		return nil, fmt.Errorf("zip file %s: %w", opts.Path, err)
	}
	z.opts.Path = abs
	return z, nil
}

// String is the path of the zip file.
func (z *authority) String() string { return z.opts.Path }

func (z *authority) wrap(op, name string, err error) error {
	return remote.FileError(op, name, z.opts.Path, err)
}

// acquire gives the zip file as it is now; the caller releases it.
func (z *authority) acquire() (*file, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	info, err := os.Stat(z.opts.Path)
	if errors.Is(err, fs.ErrNotExist) {
		z.forget()
		if z.opts.Create && !z.opts.ReadOnly {
			return &file{users: 1}, nil
		}
		return nil, remote.NoRoot(z.opts.Path)
	}
	if err != nil {
		return nil, err
	}
	if o := z.open; o == nil || !os.SameFile(o.info, info) || o.info.Size() != info.Size() || !o.info.ModTime().Equal(info.ModTime()) {
		z.forget()
		if z.open, err = openFile(z.opts.Path); err != nil {
			z.open = nil
			return nil, err
		}
	}
	z.open.use()
	return z.open, nil
}

// forget gives back the file that is kept open; z.mu is held.
func (z *authority) forget() {
	if z.open != nil {
		_ = z.open.release()
		z.open = nil
	}
}

func openFile(path string) (*file, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	r, err := zip.NewReader(f, info.Size())
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		f.Close()
		return nil, fmt.Errorf("not a zip file that can be read: %w", err)
	}
	zf := &file{f: f, info: info, comment: r.Comment, entries: r.File, byName: map[string]*zip.File{}, users: 1}
	for _, e := range r.File {
		zf.byName[e.Name] = e
	}
	return zf, nil
}

func (f *file) use() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users++
}

func (f *file) release() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.users--
	if f.users > 0 || f.f == nil {
		return nil
	}
	return f.f.Close()
}

// Get is that of remote.Authority.
func (z *authority) Get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	r, err := z.get(ctx, name, off, n)
	if err != nil {
		return nil, z.wrap("get", name, err)
	}
	return r, nil
}

func (z *authority) get(ctx context.Context, name string, off, n int64) (io.ReadCloser, error) {
	if err := remote.CheckGet(ctx, name, off); err != nil {
		return nil, err
	}
	zf, err := z.acquire()
	if err != nil {
		return nil, err
	}
	e, ok := zf.byName[name]
	if !ok {
		return nil, errors.Join(fs.ErrNotExist, zf.release())
	}
	r, closer, err := zf.reader(e, off)
	if err != nil {
		return nil, errors.Join(err, zf.release())
	}
	body := &body{r: r, close: func() error { return errors.Join(closer(), zf.release()) }}
	wrap := func(err error) error { return z.wrap("get", name, err) }
	return remote.NewBody(ctx, body, n, wrap), nil
}

const encrypted = 1 // bit of an entry's flags

// reader reads an entry from off on. What the directory says of sizes bounds
// what is read and is not believed otherwise.
func (f *file) reader(e *zip.File, off int64) (io.Reader, func() error, error) {
	none := func() error { return nil }
	if e.Flags&encrypted != 0 {
		return nil, none, fmt.Errorf("the entry is encrypted: %w", errors.ErrUnsupported)
	}
	if e.UncompressedSize64 > math.MaxInt64 || off >= int64(e.UncompressedSize64) {
		return strings.NewReader(""), none, nil
	}
	rest := int64(e.UncompressedSize64) - off
	if e.Method == zip.Store {
		start, err := e.DataOffset()
		if err != nil || e.CompressedSize64 != e.UncompressedSize64 || start > f.info.Size()-int64(e.UncompressedSize64) {
			return nil, none, errors.Join(err, zip.ErrFormat)
		}
		return io.NewSectionReader(f.f, start+off, rest), none, nil
	}
	r, err := e.Open()
	if err != nil {
		return nil, none, err
	}
	if _, err := io.CopyN(io.Discard, r, off); err != nil {
		r.Close()
		return nil, none, shortEntry(err)
	}
	return io.LimitReader(r, rest), r.Close, nil
}

// shortEntry is the error of an entry that ends before its declared size.
func shortEntry(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// body is closed once, however often it is asked to.
type body struct {
	r     io.Reader
	close func() error
	once  sync.Once
}

func (b *body) Read(p []byte) (int, error) { return b.r.Read(p) }

func (b *body) Close() (err error) {
	b.once.Do(func() { err = b.close() })
	return err
}

// List is that of remote.Authority.
func (z *authority) List(ctx context.Context, prefix string) iter.Seq2[remote.Info, error] {
	return func(yield func(remote.Info, error) bool) {
		infos, err := z.list(ctx, prefix)
		if err != nil {
			yield(remote.Info{}, z.wrap("list", prefix, err))
			return
		}
		for _, info := range infos {
			if !yield(info, nil) {
				return
			}
		}
	}
}

func (z *authority) list(ctx context.Context, prefix string) ([]remote.Info, error) {
	if err := remote.CheckList(ctx, prefix); err != nil {
		return nil, err
	}
	zf, err := z.acquire()
	if err != nil {
		return nil, err
	}
	defer zf.release()
	var infos []remote.Info
	for name, e := range zf.byName {
		if strings.HasPrefix(name, prefix) && remote.CheckName(name) == nil {
			infos = append(infos, remote.Info{Name: name, Size: int64(min(e.UncompressedSize64, math.MaxInt64))})
		}
	}
	return infos, nil
}

// Close is that of remote.Authority.
func (z *authority) Close() error {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.forget()
	return nil
}
