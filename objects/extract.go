package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/codec"
)

const (
	extractGroup = 256     // small files that a worker writes at a time
	extractLarge = 4 << 20 // bytes from which on a file is decoded on all cores
	maxTempNames = 1000    // that killed runs may have left for one file
)

// ExtractOptions say how to write a tree to disk.
type ExtractOptions struct {
	Replace  bool          // replace files that are there already
	Progress func(n int64) // told of every n bytes written, from several goroutines

	// Left is told of each entry that is not written, because its name, or that of
	// the target of a link, is one of those that names.Unwritable finds.
	Left func(path string)
}

// Extract writes the tree, which must not be a single file, into a directory
// that exists. Nothing is ever written outside it, nor through a link to a
// directory with a reserved name, whatever links it holds.
// A file that is there already is an error, unless it may be replaced; nothing
// is removed. When Extract fails, what it wrote so far stays.
func (t *Tree) Extract(ctx context.Context, dir string, opts *ExtractOptions) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	x := &extraction{t: t, dir: dir, root: root, opts: opts, groups: make(chan []Entry)}
	g, gctx := errgroup.WithContext(ctx)
	for range runtime.GOMAXPROCS(0) {
		g.Go(func() error { return x.work(gctx) })
	}
	g.Go(func() error { return x.distribute(gctx) })
	if err := g.Wait(); err != nil {
		return t.s.named("", err)
	}
	return x.linkAll(ctx)
}

type extraction struct {
	t      *Tree
	dir    string
	root   *os.Root
	opts   *ExtractOptions
	groups chan []Entry
	links  bool // some entry is a link
}

// distribute makes the directories, in order, and hands the files out.
func (x *extraction) distribute(ctx context.Context) error {
	defer close(x.groups)
	var group []Entry
	made := ""
	for e, err := range x.t.Entries(ctx) {
		if err != nil {
			return err
		}
		if !e.Writable() {
			x.leave(e.Path)
			continue
		}
		dir := path.Dir(e.Path)
		if e.Kind == KindDir {
			dir = e.Path
		}
		if dir != made && dir != "." {
			if err := x.makeDir(dir); err != nil {
				return err
			}
			made = dir
		}
		switch {
		case e.Kind == KindSymlink:
			x.links = true
		case e.Kind.IsFile() && e.Size >= extractLarge:
			if err := x.large(ctx, e); err != nil {
				return err
			}
		case e.Kind.IsFile():
			group = append(group, e)
		}
		if len(group) == extractGroup {
			if err := x.send(ctx, group); err != nil {
				return err
			}
			group = nil
		}
	}
	return x.send(ctx, group)
}

func (x *extraction) leave(path string) {
	if x.opts.Left != nil {
		x.opts.Left(path)
	}
}

func (x *extraction) send(ctx context.Context, group []Entry) error {
	select {
	case x.groups <- group:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *extraction) work(ctx context.Context) error {
	f := fetcher{s: x.t.s}
	var buf []byte
	for group := range x.groups {
		for len(group) > 0 {
			n, refs := smallFiles(group)
			locs, err := x.t.s.locateRefs(ctx, refs)
			if err != nil {
				return err
			}
			for _, e := range group[:n] {
				if buf, err = x.small(ctx, &f, buf[:0], e, locs[:len(e.inline)]); err != nil {
					return err
				}
				locs = locs[len(e.inline):]
			}
			group = group[n:]
		}
	}
	return nil
}

// smallFiles returns how many files at the beginning of a group have their
// chunks in place, and these chunks; or 1 and none, for a file that has not.
func smallFiles(group []Entry) (n int, refs []refAt) {
	for _, e := range group {
		if e.level > 0 {
			return max(n, 1), refs
		}
		for _, r := range e.inline {
			refs = append(refs, refAt{ref: r})
		}
		n++
	}
	return n, refs
}

// small writes a file of few chunks.
func (x *extraction) small(ctx context.Context, f *fetcher, buf []byte, e Entry, locs []index.Loc) ([]byte, error) {
	if e.level > 0 {
		return buf, x.large(ctx, e)
	}
	return buf, x.write(e, func(out io.Writer) (err error) {
		for i := range locs {
			if buf, err = f.fetchMoved(ctx, buf, &locs[i]); err != nil {
				return err
			}
		}
		x.progress(int64(len(buf)))
		_, err = out.Write(buf)
		return err
	})
}

func (x *extraction) large(ctx context.Context, e Entry) error {
	return x.write(e, func(out io.Writer) error {
		_, err := x.t.s.stream(ctx, &e, 0, &progressWriter{out, x.opts.Progress})
		return err
	})
}

func (x *extraction) progress(n int64) {
	if x.opts.Progress != nil {
		x.opts.Progress(n)
	}
}

// write makes a file; where it may replace another one, by a temporary name.
func (x *extraction) write(e Entry, fill func(io.Writer) error) error {
	mode := fs.FileMode(0o666)
	if e.Kind == KindExec {
		mode = 0o777
	}
	out, name, err := x.create(e.Path, mode)
	if err != nil {
		return err
	}
	err = errors.Join(codec.WriteSparse(out, fill), out.Close())
	if err == nil && name != e.Path {
		err = x.root.Rename(name, e.Path)
	}
	if err != nil {
		x.root.Remove(name)
		return fmt.Errorf("write %s: %w", e.Path, err)
	}
	return nil
}

// create makes a new file, where it may replace another one by a name that is
// not in use: a run that was killed, or another one, may have made the first.
func (x *extraction) create(name string, mode fs.FileMode) (out *os.File, made string, err error) {
	const flags = os.O_WRONLY | os.O_CREATE | os.O_EXCL
	if !x.opts.Replace {
		out, err = x.root.OpenFile(name, flags, mode)
		return out, name, err
	}
	prefix := path.Join(path.Dir(name), ".datafs-"+Hash([]byte(name)).String()[:16])
	for i := 0; ; i++ {
		made = fmt.Sprintf("%s-%d", prefix, i)
		out, err = x.root.OpenFile(made, flags, mode)
		if i == maxTempNames || !errors.Is(err, fs.ErrExist) {
			return out, made, err
		}
	}
}

// linkAll makes the links, when all else is there: nothing is written through
// them.
func (x *extraction) linkAll(ctx context.Context) error {
	if !x.links {
		return nil
	}
	for e, err := range x.t.Entries(ctx) {
		if err != nil {
			return err
		}
		if e.Kind != KindSymlink || !e.Writable() {
			continue
		}
		if x.opts.Replace {
			if err := x.root.Remove(e.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if err := x.root.Symlink(e.Link, e.Path); err != nil {
			return err
		}
	}
	return nil
}

type progressWriter struct {
	w        io.Writer
	progress func(int64)
}

func (p *progressWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if p.progress != nil {
		p.progress(int64(n))
	}
	return n, err
}
