package migrate

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// migrateTries is how often a file is read when the network fails.
const migrateTries = 3

// errMismatch: no checksum that was recorded is that of the file.
var errMismatch = errors.New("its file is not what was recorded: the checksum differs")

// newSeedHash gives what the original, or a user's function for it, may have
// hashed with; nil if that is not known.
func newSeedHash(algorithm string) hash.Hash {
	switch strings.ReplaceAll(algorithm, "-", "") {
	case "md5":
		return md5.New()
	case "sha1":
		return sha1.New()
	case "sha224":
		return sha256.New224()
	case "sha256":
		return sha256.New()
	case "sha384":
		return sha512.New384()
	case "sha512":
		return sha512.New()
	}
	return nil
}

// read takes over the file of a version.
func (m *migration) read(ctx context.Context, g *migrating, v *seedVersion) error {
	var err error
	for range migrateTries {
		var f *seedFile
		var res *objects.Result
		if f, res, err = m.readOnce(ctx, g, v); err == nil {
			m.duplicates(g, v, f.kept)
			g.add(m.record(g, v, f), res)
			m.count++
			m.bytes += f.size
			m.rep.Size += f.size
			return nil
		}
		if !errors.Is(err, datafs.ErrUnavailable) {
			break
		}
	}
	var source *seedError
	if ctx.Err() == nil && errors.As(err, &source) && !errors.Is(err, datafs.ErrUnavailable) {
		m.broken(g.source.Name, v.label(), source.Error())
		return nil
	}
	return err
}

// seedError is about a file at the source.
type seedError struct{ error }

func (e *seedError) Unwrap() error { return e.error }

// readOnce reads a file into the repository, in a dry run into nothing.
func (m *migration) readOnce(ctx context.Context, g *migrating, v *seedVersion) (*seedFile, *objects.Result, error) {
	f, err := m.openSeedFile(ctx, g, v)
	if err != nil {
		return nil, nil, &seedError{err}
	}
	defer f.from.Close()
	var res *objects.Result
	if m.opts.DryRun {
		_, err = io.Copy(io.Discard, leaf.ContextReader(ctx, f))
		res = &objects.Result{}
	} else {
		res, err = m.writer.Write(ctx, leaf.ContextReader(ctx, f))
	}
	if err != nil && f.err != nil {
		return nil, nil, &seedError{f.err}
	}
	return f, res, err
}

// seedFile reads a file, and fails at its end if it is not what was recorded.
type seedFile struct {
	from     io.ReadCloser
	hashes   map[string]hash.Hash // by algorithm
	contents []seedContent        // that were recorded
	kept     int                  // which of these it is, when it is read
	size     int64
	err      error // of reading it
}

func (m *migration) openSeedFile(ctx context.Context, g *migrating, v *seedVersion) (*seedFile, error) {
	f := &seedFile{hashes: map[string]hash.Hash{}, contents: v.contents}
	for _, c := range v.contents {
		if h := newSeedHash(c.algorithm); h != nil {
			f.hashes[c.algorithm] = h
		}
	}
	if len(f.hashes) == 0 {
		return nil, fmt.Errorf("its checksum is of the kind %.40q, which is not known", v.contents[0].algorithm)
	}
	for _, name := range m.api.Profile().Checksums {
		if f.hashes[name] == nil {
			f.hashes[name] = newSeedHash(name)
		}
	}
	var err error
	f.from, err = openFirst(ctx, g.files, g.source.paths(v))
	return f, err
}

// paths are where the file of a version may lie.
func (s *seedArchive) paths(v *seedVersion) []string {
	base := strings.Trim(s.path, "/")
	if v.number > 0 {
		return []string{base}
	}
	var list []string
	for _, label := range append(slices.Clone(v.labels), v.version.String()) {
		if p := base + "/" + label; !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	return list
}

func openFirst(ctx context.Context, files Files, paths []string) (io.ReadCloser, error) {
	for _, path := range paths {
		f, err := files.Open(ctx, path)
		if !errors.Is(err, fs.ErrNotExist) {
			if err != nil {
				err = fmt.Errorf("its file cannot be read: %w", err)
			}
			return f, err
		}
	}
	return nil, leaf.Errorf(fs.ErrNotExist, "its file %s is missing", paths[0])
}

// Read implements io.Reader.
func (f *seedFile) Read(p []byte) (int, error) {
	n, err := f.from.Read(p)
	for _, h := range f.hashes {
		h.Write(p[:n])
	}
	f.size += int64(n)
	switch {
	case err == io.EOF:
		if f.kept = f.match(); f.kept < 0 {
			f.err = errMismatch
			return n, f.err
		}
	case err != nil:
		f.err = fmt.Errorf("its file cannot be read: %w", err)
		return n, f.err
	}
	return n, err
}

// match finds the last record with the checksum of the file, or gives -1.
func (f *seedFile) match() int {
	for i, c := range slices.Backward(f.contents) {
		if h := f.hashes[c.algorithm]; h != nil && fmt.Sprintf("%x", h.Sum(nil)) == c.checksum {
			return i
		}
	}
	return -1
}

// record is the version without what is known of its content when the writer has
// finished.
func (m *migration) record(g *migrating, v *seedVersion, f *seedFile) refs.VersionRecord {
	c := f.contents[f.kept]
	rec := refs.VersionRecord{Archive: g.source.Name, Version: v.version, Number: v.number, Updates: c.updates, Checksums: map[string]string{}}
	for _, name := range append([]string{c.algorithm}, m.api.Profile().Checksums...) {
		rec.Checksums[name] = fmt.Sprintf("%x", f.hashes[name].Sum(nil))
	}
	return rec
}
