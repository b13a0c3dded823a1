package datafs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// DownloadOptions say what to write to disk.
type DownloadOptions struct {
	Version string // "": the default version
	Path    string // a file inside a directory archive, alone
	Force   bool   // replace a file that is stored nowhere; write into a directory that is not empty, nothing in it is removed
}

// Download writes a version to a path and returns its number ("" for an
// unversioned archive). A file is written under a temporary name and renamed,
// so that an old file stays as it was on any failure; where the bytes of the old
// one are in no version here, and Force is not set, the error wraps ErrUnstored.
// A stream, such as /dev/stdout or a pipe, is written to. A directory archive wants
// a directory that is not there or is empty; it appears whole or not at all,
// but for Force.
func (h *Archive) Download(ctx context.Context, target string, opts *DownloadOptions) (string, error) {
	if opts == nil {
		opts = &DownloadOptions{}
	}
	rec, err := h.resolve(ctx, opts.Version)
	if err != nil {
		return "", err
	}
	target = h.api.opts.places().ExpandHome(target)
	if err := h.api.checkDestination(target); err != nil {
		return "", err
	}
	whole := rec.Dir && opts.Path == ""
	if whole {
		target = filepath.Clean(target)
	}
	if fi, err := os.Stat(filepath.Dir(target)); err != nil || !fi.IsDir() {
		return "", leaf.Errorf(fs.ErrNotExist, `Directory not found: "%s"`, filepath.Dir(target))
	}
	if whole {
		err = h.downloadDir(ctx, rec, target, opts.Force)
	} else {
		err = h.downloadOne(ctx, rec, target, opts)
	}
	if err != nil || !h.versioned {
		return "", err
	}
	return rec.Version.String(), nil
}

func (h *Archive) downloadOne(ctx context.Context, rec *refs.VersionRecord, target string, opts *DownloadOptions) error {
	f, err := h.open(ctx, rec, opts.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	return h.downloadFile(ctx, f, target, opts.Force)
}

// tempBeside makes a new file beside another one, with the mode that the
// process gives to new files.
func tempBeside(target string, mode fs.FileMode) (f *os.File, err error) {
	_, err = nameBeside(target, func(name string) error {
		f, err = os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
		return err
	})
	return f, err
}

// nameBeside makes something under a temporary name beside target. A killed
// process with this one's id may have left some of the names.
func nameBeside(target string, create func(name string) error) (name string, err error) {
	dir, base := filepath.Split(target)
	if len(base) > 100 {
		base = base[:100]
	}
	for i := 0; ; i++ {
		name = fmt.Sprintf("%s.%s.datafs-%d-%d", dir, base, os.Getpid(), i)
		if err = create(name); !errors.Is(err, fs.ErrExist) || i > 1000 {
			return name, err
		}
	}
}

// counted tells the progress of what is written to w.
func (a *API) counted(w io.Writer, label string, total int64) io.Writer {
	if a.opts.Progress == nil {
		return w
	}
	return writerFunc(func(p []byte) (int, error) {
		n, err := w.Write(p)
		a.opts.Progress(Progress{Label: label, Bytes: int64(n), Total: total})
		return n, err
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (h *Archive) downloadDir(ctx context.Context, rec *refs.VersionRecord, target string, force bool) error {
	t, err := h.tree(ctx, rec)
	if err != nil {
		return err
	}
	left, err := os.ReadDir(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return h.extractNew(ctx, t, target)
	case err != nil:
		return leaf.Errorf(fs.ErrInvalid, "%s is there and is not a directory", target)
	case len(left) == 0:
		return h.extractInto(ctx, t, target)
	case !force:
		return leaf.Errorf(ErrNotEmpty, "directory %s is not empty", target)
	}
	if err := h.extract(ctx, t, target, true); err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	return nil
}

// extractNew writes a tree beside its place and renames it.
func (h *Archive) extractNew(ctx context.Context, t *objects.Tree, target string) error {
	tmp, err := h.extractTemp(ctx, t, target)
	if err == nil {
		err = os.Rename(tmp, target)
	}
	return errors.Join(err, os.RemoveAll(tmp))
}

// extractInto writes a tree into an empty directory, which stays the same one:
// it may be the working directory, or somebody's mount point.
func (h *Archive) extractInto(ctx context.Context, t *objects.Tree, target string) error {
	tmp, err := h.extractTemp(ctx, t, filepath.Join(target, "tree"))
	if err == nil {
		err = moveAll(tmp, target)
	}
	return errors.Join(err, os.RemoveAll(tmp))
}

// extractTemp writes a tree to a temporary directory beside target.
func (h *Archive) extractTemp(ctx context.Context, t *objects.Tree, target string) (string, error) {
	tmp, err := nameBeside(target, func(name string) error { return os.Mkdir(name, 0o777) })
	if err != nil {
		return "", err
	}
	return tmp, h.extract(ctx, t, tmp, false)
}

// moveAll moves what is in one directory to another one, all or nothing.
func moveAll(from, to string) error {
	entries, err := os.ReadDir(from)
	for i := 0; i < len(entries) && err == nil; i++ {
		err = os.Rename(filepath.Join(from, entries[i].Name()), filepath.Join(to, entries[i].Name()))
		if err != nil {
			for _, e := range entries[:i] {
				err = errors.Join(err, os.RemoveAll(filepath.Join(to, e.Name())))
			}
		}
	}
	return err
}

func (h *Archive) extract(ctx context.Context, t *objects.Tree, dir string, replace bool) error {
	var left []string
	opts := &objects.ExtractOptions{Replace: replace, Left: func(path string) { left = append(left, path) }}
	if h.api.opts.Progress != nil {
		opts.Progress = func(n int64) {
			h.api.opts.Progress(Progress{Label: h.name, Bytes: n, Total: t.Size()})
		}
	}
	err := t.Extract(ctx, dir, opts)
	h.api.warnUnwritten(h.name, left)
	return err
}
