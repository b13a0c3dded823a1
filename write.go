package datafs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/datafs/datafs/index/leaf"
)

// WriteOptions say which version a writer starts from and what it makes.
type WriteOptions struct {
	Version string // to start from, where the mode asks for it; "": the default version
	UpdateOptions
}

// Writer is a temporary file that becomes a new version when it is committed.
// It is for one goroutine.
type Writer struct {
	*os.File
	h    *Archive
	opts UpdateOptions
}

// OpenWriter opens the archive for writing, as the modes of C's fopen do: "w"
// and "w+" start empty, "a" and "a+" behind the contents of a version, "r+" at
// their beginning; "b" changes nothing. Commit makes the new version, Close
// discards. Empty and unchanged contents make none.
func (h *Archive) OpenWriter(ctx context.Context, mode string, opts *WriteOptions) (*Writer, error) {
	if opts == nil {
		opts = &WriteOptions{}
	}
	flags := 0
	switch strings.ReplaceAll(mode, "b", "") {
	case "w", "w+":
	case "a", "a+":
		flags = os.O_APPEND
	case "r+":
	default:
		return nil, leaf.Errorf(fs.ErrInvalid, "mode %q: want w, w+, a, a+ or r+", mode)
	}
	local, err := h.local(ctx, opts, !strings.HasPrefix(mode, "w"))
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(local.path, os.O_RDWR|os.O_CREATE|flags, 0o600)
	if err != nil {
		return nil, errors.Join(err, local.Close())
	}
	return &Writer{File: f, h: h, opts: opts.UpdateOptions}, nil
}

// Commit makes a new version of what was written, unless it is empty or that of
// the latest version, and closes the writer.
func (w *Writer) Commit(ctx context.Context) (Result, error) {
	defer w.Close()
	fi, err := w.Stat()
	if err != nil {
		return Result{}, err
	}
	if fi.Size() == 0 && !w.opts.AllowEmpty {
		return Result{Archive: w.h}, nil
	}
	if _, err := w.Seek(0, io.SeekStart); err != nil {
		return Result{}, err
	}
	return w.h.UpdateFrom(ctx, w.File, &w.opts)
}

// Close discards what was not committed. Closing again does nothing.
func (w *Writer) Close() error {
	err := w.File.Close()
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return errors.Join(err, os.RemoveAll(filepath.Dir(w.Name())))
}

// LocalFile is a temporary file or directory with an archive's contents, for
// programs that want a path. It is for one goroutine.
type LocalFile struct {
	h    *Archive
	opts UpdateOptions
	path string
}

// LocalPath writes a version to a temporary file, whose name ends like the
// archive's, or to a temporary directory. Where there is no version yet,
// nothing is at the path. Commit takes it back, Close discards.
func (h *Archive) LocalPath(ctx context.Context, opts *WriteOptions) (*LocalFile, error) {
	if opts == nil {
		opts = &WriteOptions{}
	}
	return h.local(ctx, opts, true)
}

func (h *Archive) local(ctx context.Context, opts *WriteOptions, fill bool) (*LocalFile, error) {
	dir, err := os.MkdirTemp("", "datafs-")
	if err != nil {
		return nil, err
	}
	l := &LocalFile{h: h, opts: opts.UpdateOptions, path: filepath.Join(dir, path.Base(h.name))}
	if fill {
		err = l.fill(ctx, opts.Version)
	}
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *LocalFile) fill(ctx context.Context, version string) error {
	rec, err := highestOrNil(ctx, l.h.api.refs, l.h.name)
	if err != nil || (rec == nil && version == "") {
		return err
	}
	_, err = l.h.Download(ctx, l.path, &DownloadOptions{Version: version})
	return err
}

// Path returns the path to read and write.
func (l *LocalFile) Path() string { return l.path }

// Commit makes a new version of what lies at the path, unless it is empty or
// that of the latest version, and closes. Nothing at the path is an error.
func (l *LocalFile) Commit(ctx context.Context) (Result, error) {
	defer l.Close()
	if _, err := os.Stat(l.path); err != nil {
		return Result{}, fmt.Errorf("update %s: the file is gone: %w", l.h, err)
	}
	res, err := l.h.Update(ctx, l.path, &l.opts)
	if errors.Is(err, ErrEmpty) {
		return Result{Archive: l.h}, nil
	}
	return res, err
}

// Close discards what was not committed.
func (l *LocalFile) Close() error { return os.RemoveAll(filepath.Dir(l.path)) }
