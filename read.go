package datafs

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"strings"
	"time"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// OpenOptions say what to read.
type OpenOptions struct {
	Version string // "": the default version
	Path    string // of a file inside a directory archive
}

// File reads the contents of a version: an io.Reader, io.ReaderAt, io.Seeker
// and io.WriterTo. It is not disturbed by later updates.
type File = objects.File

// Entry is a line of a directory archive's contents.
type Entry = objects.Entry

// Open opens the contents of a version for reading. ctx bounds all reads.
func (h *Archive) Open(ctx context.Context, opts *OpenOptions) (*File, error) {
	if opts == nil {
		opts = &OpenOptions{}
	}
	rec, err := h.resolve(ctx, opts.Version)
	if err != nil {
		return nil, err
	}
	return h.open(ctx, rec, opts.Path)
}

func (h *Archive) open(ctx context.Context, rec *refs.VersionRecord, inner string) (*File, error) {
	clean, err := h.innerPath(rec, inner)
	if err != nil {
		return nil, err
	}
	t, err := h.tree(ctx, rec)
	if err != nil {
		return nil, err
	}
	e, err := t.Entry(ctx, clean)
	if err != nil {
		return nil, fmt.Errorf("%s version %s: %w", h.name, rec.Label(), err)
	}
	if !e.Kind.IsFile() {
		return nil, leaf.Errorf(fs.ErrInvalid, "%s version %s: %q is not a file", h.name, rec.Label(), inner)
	}
	return h.content(rec).OpenEntry(ctx, e), nil
}

// innerPath checks a path inside a version.
func (h *Archive) innerPath(rec *refs.VersionRecord, inner string) (string, error) {
	clean := path.Clean("/" + inner)[1:]
	switch {
	case !rec.Dir && inner == "":
		return "", nil
	case !rec.Dir:
		return "", leaf.Errorf(fs.ErrInvalid, "%s version %s is a single file and has no path %q", h.name, rec.Label(), inner)
	case clean == "":
		return "", leaf.Errorf(ErrIsDir, "%s version %s is a directory", h.name, rec.Label())
	case strings.Contains("/"+inner+"/", "/../"):
		return "", leaf.Errorf(fs.ErrInvalid, `path %q: ".." is not allowed`, inner)
	}
	return clean, nil
}

// Cat writes the contents of a version to w. When they prove damaged in the
// middle, what was written is a true prefix.
func (h *Archive) Cat(ctx context.Context, w io.Writer, opts *OpenOptions) error {
	f, err := h.Open(ctx, opts)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteTo(w)
	return err
}

// Entries lists the contents of a version; a single file is one entry with an
// empty path.
func (h *Archive) Entries(ctx context.Context, version string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		rec, err := h.resolve(ctx, version)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		t, err := h.tree(ctx, rec)
		if err != nil {
			yield(Entry{}, err)
			return
		}
		for e, err := range t.Entries(ctx) {
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// Info describes a version's contents.
type Info struct {
	Path     string // as VersionPath
	Dir      bool
	Size     int64
	Files    int64
	Modified time.Time // when it was written to the repository
	Hash     Hash
	Tree     string
	Sums     map[string]string // further checksums, by algorithm
}

// Info describes a version's contents.
func (h *Archive) Info(ctx context.Context, version string) (Info, error) {
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return Info{}, err
	}
	at, err := h.VersionPath(ctx, version)
	info := Info{
		Path: at, Dir: rec.Dir, Size: rec.Size, Files: rec.Files,
		Hash: Hash{"blake3", rec.Hash.String()}, Tree: rec.Tree.String(), Sums: rec.Checksums,
	}
	if len(rec.Updates) > 0 {
		info.Modified = rec.Updates[0].Time
	}
	return info, err
}

// Exists says whether there is such a version.
func (h *Archive) Exists(ctx context.Context, version string) (bool, error) {
	_, err := h.resolve(ctx, version)
	return present(err)
}

// IsFile says whether there is such a version and it is a single file.
func (h *Archive) IsFile(ctx context.Context, version string) (bool, error) {
	rec, err := h.resolve(ctx, version)
	ok, err := present(err)
	return ok && !rec.Dir, err
}

// Description returns a short text about a version's contents.
func (h *Archive) Description(ctx context.Context, version string) (string, error) {
	info, err := h.Info(ctx, version)
	if err != nil {
		return "", err
	}
	if info.Dir {
		return fmt.Sprintf("directory of %d files, %d bytes, at %s://%s", info.Files, info.Size, h.authority, info.Path), nil
	}
	return fmt.Sprintf("file of %d bytes at %s://%s", info.Size, h.authority, info.Path), nil
}

// Meta returns a property of a version's contents by its name: "path", "size",
// "files", "modified", "blake3", "tree", "md5" or "sha256". Where there is no
// such property the error wraps fs.ErrNotExist.
func (h *Archive) Meta(ctx context.Context, version, name string) (string, error) {
	info, err := h.Info(ctx, version)
	if err != nil {
		return "", err
	}
	switch name {
	case "path":
		return info.Path, nil
	case "size":
		return fmt.Sprint(info.Size), nil
	case "files":
		return fmt.Sprint(info.Files), nil
	case "modified":
		return info.Modified.Format(time.RFC3339Nano), nil
	case "blake3":
		return info.Hash.Checksum, nil
	case "tree":
		return info.Tree, nil
	}
	if v, ok := info.Sums[name]; ok {
		return v, nil
	}
	return "", leaf.Errorf(fs.ErrNotExist, "%s has no property %q", info.Path, name)
}

// HasMeta says whether Meta knows a property.
func (h *Archive) HasMeta(ctx context.Context, version, name string) (bool, error) {
	_, err := h.Meta(ctx, version, name)
	return present(err)
}
