package checkout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/zeebo/blake3"
	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/codec"
)

const (
	tempDir   = manifestName + ".tmp" // where files are written before they get their names
	groupSize = 256                   // files that a worker writes at a time
)

// write writes what is planned. The manifest says so before, and at the end,
// however that comes about, how it went.
func (co *checkout) write(ctx context.Context) (err error) {
	if !co.changed {
		return nil
	}
	if err := co.save(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, co.finish(ctx)) }()
	if err := co.prepare(ctx); err != nil {
		return err
	}
	if err := co.writeFiles(ctx); err != nil {
		return err
	}
	return co.writeLinks(ctx)
}

// prepare makes the directories.
func (co *checkout) prepare(ctx context.Context) error {
	if err := co.root.RemoveAll(tempDir); err != nil {
		return fmt.Errorf("remove what an interrupted checkout left: %w", err)
	}
	if err := co.root.Mkdir(tempDir, 0o777); err != nil {
		return err
	}
	if co.some(objects.KindFile, objects.KindExec) {
		if err := co.chooseWay(ctx); err != nil {
			return err
		}
	}
	for _, name := range co.block {
		if err := co.root.Remove(name); err != nil {
			return fmt.Errorf("replace by a directory: %w", err)
		}
	}
	for _, dir := range co.newDirs {
		if err := co.root.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// some says that some entry of these kinds will be written.
func (co *checkout) some(kinds ...objects.Kind) bool {
	for _, t := range co.targets {
		for i, f := range t.next.files {
			if t.toWrite(i) && slices.Contains(kinds, f.kind) {
				return true
			}
		}
	}
	return false
}

func (t *target) toWrite(i int) bool { return t.acts[i] == actNew || t.acts[i] == actReplace }

// job is a file to write.
type job struct {
	t *target
	i int
	e objects.Entry
}

// writeFiles writes the files by several workers.
func (co *checkout) writeFiles(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	groups := make(chan []job)
	var names atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error {
			w := &worker{co: co, contents: co.opts.Store.Contents(), names: &names}
			for group := range groups {
				if err := w.group(gctx, group); err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		defer close(groups)
		w := &worker{co: co, contents: co.opts.Store.Contents(), names: &names}
		return co.distribute(gctx, groups, w)
	})
	return g.Wait()
}

// distribute hands the files to the workers in groups. It writes large ones
// itself, since those keep all cores busy one after another.
func (co *checkout) distribute(ctx context.Context, groups chan<- []job, w *worker) error {
	var group []job
	send := func() error {
		select {
		case groups <- group:
			group = nil
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for j, err := range co.jobs(ctx) {
		if err != nil {
			return err
		}
		if j.e.Large() {
			if err := w.group(ctx, []job{j}); err != nil {
				return err
			}
			continue
		}
		if group = append(group, j); len(group) == groupSize {
			if err := send(); err != nil {
				return err
			}
		}
	}
	return send()
}

// jobs lists the files to write.
func (co *checkout) jobs(ctx context.Context) func(yield func(job, error) bool) {
	return func(yield func(job, error) bool) {
		var missing []*target // whose entries have not been read
		for _, t := range co.targets {
			switch {
			case !slices.ContainsFunc(t.acts, func(a act) bool { return a == actNew || a == actReplace }):
			case t.entries == nil:
				missing = append(missing, t)
			default:
				if !t.jobs(yield) {
					return
				}
			}
		}
		for batch := range slices.Chunk(missing, batchSize) {
			if err := co.bring(ctx, batch); err != nil {
				yield(job{}, err)
				return
			}
			trees := co.trees(ctx, batch)
			for i, t := range batch {
				if err := co.read(ctx, t, trees[i]); err != nil {
					yield(job{}, fmt.Errorf("%s %s: %w", t.next.name, t.next.version, err))
					return
				}
				if !t.jobs(yield) {
					return
				}
			}
		}
	}
}

// read reads the entries of a target whose files are known; tree may be nil.
func (co *checkout) read(ctx context.Context, t *target, tree *objects.Tree) (err error) {
	if tree == nil {
		if tree, err = co.content(t).Tree(ctx, t.next.tree); err != nil {
			return err
		}
	}
	probe := &target{next: checkedArchive{dir: t.next.dir}}
	if err := probe.listEntries(ctx, tree); err != nil {
		return err
	}
	same := slices.EqualFunc(probe.next.files, t.next.files, func(x, y checkedFile) bool { return x.path == y.path && x.identity == y.identity })
	if !same {
		return &leaf.HintError{Err: leaf.Errorf(index.ErrCorrupt, "the manifest %s does not say what is in the tree", manifestName), Hint: manifestHint}
	}
	t.entries = probe.entries
	return nil
}

// jobs hands out the files to write, and lets go of the entries.
func (t *target) jobs(yield func(job, error) bool) bool {
	entries := t.entries
	t.entries = nil
	for i := range entries {
		if t.toWrite(i) && entries[i].Kind.IsFile() && !yield(job{t, i, entries[i]}, nil) {
			return false
		}
	}
	return true
}

// worker writes files, one after another.
type worker struct {
	co       *checkout
	contents *objects.Contents
	names    *atomic.Int64
}

func (w *worker) group(ctx context.Context, group []job) error {
	entries := make([]objects.Entry, len(group))
	for i := range group {
		entries[i] = group[i].e
	}
	done := 0
	err := w.contents.Each(ctx, entries, func(i int, content func(io.Writer) error) error {
		err := w.file(ctx, &group[i], content)
		if err == nil {
			done++
		}
		return err
	})
	if err == nil || ctx.Err() != nil || !errors.Is(err, index.ErrCorrupt) {
		return err
	}
	// Some content went since it was brought, or is damaged: it may be elsewhere.
	for i := range group[done:] {
		j := &group[done+i]
		one := func(_ int, content func(io.Writer) error) error { return w.file(ctx, j, content) }
		if err := w.co.content(j.t).Contents().Each(ctx, []objects.Entry{j.e}, one); err != nil {
			return err
		}
	}
	return nil
}

// file writes one file under a temporary name, and then gives it its own.
func (w *worker) file(ctx context.Context, j *job, content func(io.Writer) error) (err error) {
	f := &j.t.next.files[j.i]
	full := j.t.full(f)
	tmp := path.Join(tempDir, strconv.FormatInt(w.names.Add(1), 10))
	defer func() {
		if err != nil {
			w.co.root.Remove(tmp)
			err = fmt.Errorf("write %s of %s==%s: %w", full, j.t.next.name, j.t.next.version, err)
		}
	}()
	verified := func(out io.Writer) error { return w.co.verified(out, f, j.t, content) }
	if w.co.copies != nil {
		err = w.co.copies.share(ctx, f, verified, filepath.Join(w.co.dir, filepath.FromSlash(tmp)))
	} else {
		err = w.copy(tmp, f, verified)
	}
	if err != nil {
		return err
	}
	placed, err := w.co.settle(tmp, full, f, j.t.acts[j.i])
	if err != nil {
		return err
	}
	w.co.wrote(j.t, j.i, placed)
	return nil
}

// verified passes content on and checks it against what is wanted.
func (co *checkout) verified(out io.Writer, f *checkedFile, t *target, content func(io.Writer) error) error {
	h := blake3.New()
	if err := content(io.MultiWriter(h, &counted{out, co.opts.Progress, t.out})); err != nil {
		return err
	}
	var got objects.ID
	if h.Sum(got[:0]); got != f.hash {
		return leaf.Errorf(index.ErrCorrupt, "its bytes have the BLAKE3 %s, not %s", got, f.hash)
	}
	return nil
}

// counted passes bytes on and tells how many.
type counted struct {
	w        io.Writer
	progress func(a *Archive, n int64) // may be nil
	of       *Archive
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if c.progress != nil {
		c.progress(c.of, int64(n))
	}
	return n, err
}

func (w *worker) copy(tmp string, f *checkedFile, content func(io.Writer) error) error {
	mode := fs.FileMode(0o666)
	if f.kind == objects.KindExec {
		mode = 0o777
	}
	out, err := w.co.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	err = codec.WriteSparse(out, content)
	fi, statErr := out.Stat()
	if err := errors.Join(err, statErr, out.Close()); err != nil {
		return err
	}
	past := fi.ModTime().Add(-backdatedBy)
	return w.co.root.Chtimes(tmp, past, past)
}

// writeLinks makes the symbolic links, when all else is there: nothing is
// written through them.
func (co *checkout) writeLinks(ctx context.Context) error {
	tmp := path.Join(tempDir, "link")
	for _, t := range co.targets {
		for i := range t.next.files {
			f := &t.next.files[i]
			if f.kind != objects.KindSymlink || !t.toWrite(i) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			full := t.full(f)
			err := objects.CheckLink(f.path, f.link)
			if err == nil {
				err = co.root.Symlink(f.link, tmp)
			}
			if err != nil {
				return fmt.Errorf("make link %s: %w", full, err)
			}
			placed, err := co.settle(tmp, full, f, t.acts[i])
			if err != nil {
				return fmt.Errorf("make link %s: %w", full, err)
			}
			co.wrote(t, i, placed)
		}
	}
	return nil
}
