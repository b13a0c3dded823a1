package datafs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
)

// downloadFile writes a single file: into a stream, or by a temporary name
// beside the target.
func (h *Archive) downloadFile(ctx context.Context, f *File, target string, force bool) error {
	out, err := openStream(ctx, target)
	if err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	if out == nil {
		return h.writeFile(ctx, f, target, force)
	}
	_, err = f.WriteTo(h.api.counted(out, h.name, f.Size()))
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	return nil
}

// openStream opens what is written into and must not be replaced: a file that
// the process was given open, a pipe, a terminal or the null device. Of anything
// else it returns nil.
func openStream(ctx context.Context, target string) (*os.File, error) {
	if fd, ok := leaf.Descriptor(target); ok {
		return leaf.OpenDescriptor(fd, target)
	}
	fi, err := os.Stat(target)
	if err != nil || fi.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		return nil, nil
	}
	return openWaiting(ctx, target, os.O_WRONLY)
}

// openWaiting opens a file that may have to be waited for, as a pipe whose other
// end nobody has opened. It gives up when ctx ends.
func openWaiting(ctx context.Context, name string, flag int) (*os.File, error) {
	type result struct {
		f   *os.File
		err error
	}
	opened := make(chan result, 1)
	go func() {
		f, err := os.OpenFile(name, flag, 0)
		opened <- result{f, err}
	}()
	select {
	case r := <-opened:
		return r.f, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// writeFile writes contents to a file, by a temporary name beside it.
func (h *Archive) writeFile(ctx context.Context, f *File, target string, force bool) (err error) {
	old, err := oldFile(target)
	if err != nil {
		return err
	}
	if old != nil {
		if target, err = filepath.EvalSymlinks(target); err != nil {
			return err
		}
		if err := h.mayReplace(ctx, target, old, f.Entry(), force); err != nil {
			return err
		}
	}
	mode := fs.FileMode(0o666)
	if f.Entry().Kind == objects.KindExec {
		mode = 0o777
	}
	tmp, err := tempBeside(target, mode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if err := h.fill(f, tmp, old); err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	if now, err := oldFile(target); err != nil || !sameState(old, now) {
		if err = errors.Join(err, h.mayReplace(ctx, target, now, f.Entry(), force)); err != nil {
			return err
		}
	}
	return os.Rename(tmp.Name(), target)
}

// oldFile looks at the file that is to be replaced, nil if there is none.
func oldFile(target string) (fs.FileInfo, error) {
	fi, err := os.Stat(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err == nil && fi.IsDir():
		return nil, leaf.Errorf(fs.ErrInvalid, "%s is a directory", target)
	case err == nil && !fi.Mode().IsRegular():
		return nil, leaf.Errorf(fs.ErrInvalid, "%s is not a regular file", target)
	}
	return fi, err
}

func sameState(x, y fs.FileInfo) bool {
	if x == nil || y == nil {
		return x == y
	}
	return index.StatOf(x) == index.StatOf(y)
}

// mayReplace refuses to destroy the only copy of something: of a file that is
// neither what is to be written nor stored. old is nil where there is no file.
func (h *Archive) mayReplace(ctx context.Context, target string, old fs.FileInfo, e Entry, force bool) error {
	if force || old == nil {
		return nil
	}
	if old.Size() == e.Size {
		if id, err := hashOf(ctx, target); err != nil || id == e.Hash {
			return err
		}
	}
	found, err := h.api.stored(ctx, target, h.name)
	if err != nil || found {
		return err
	}
	return leaf.Errorf(ErrUnstored, "%s is there already, and its bytes are in no version here", target)
}

// fill writes the contents into tmp. What takes the place of an old file is
// compared with its hash, and must be on disk before the old one is gone.
func (h *Archive) fill(f *File, tmp *os.File, old fs.FileInfo) error {
	sum := blake3.New()
	err := codec.WriteSparse(tmp, func(w io.Writer) error {
		if w = h.api.counted(w, h.name, f.Size()); old != nil {
			w = io.MultiWriter(w, sum)
		}
		_, err := f.WriteTo(w)
		return err
	})
	if err != nil || old == nil {
		return errors.Join(err, tmp.Close())
	}
	if sumOf(sum) != f.Entry().Hash {
		return leaf.Errorf(ErrCorrupt, "its bytes have the BLAKE3 %s, not %s", sumOf(sum), f.Entry().Hash)
	}
	return errors.Join(tmp.Chmod(old.Mode().Perm()), tmp.Sync(), tmp.Close())
}
