package objects

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects/names"
)

// ErrChanged says that a file changed while it was read.
var ErrChanged = errors.New("changed while it was read")

// Path adds the file or the directory at a path. Where the stat cache knows a
// file and before, the tree of an earlier version (or nil), has it at its
// place, the file is not read.
//
// Links below a directory are stored as links if they cannot lead out of it;
// other links, and what is neither file nor directory, are refused by name. The
// store itself is left out, and so is what has a reserved name (Left).
func (w *Writer) Path(name string, before *Tree) (*Result, error) {
	fi, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	switch {
	case fi.Mode().IsRegular():
		return w.onePath(name, abs, before)
	case fi.IsDir():
		return w.dirPath(name, abs, before)
	}
	return nil, fmt.Errorf("%s is a %s, neither a file nor a directory", name, leaf.KindOf(fi.Mode()))
}

func (w *Writer) onePath(name, abs string, before *Tree) (*Result, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	cached, err := w.s.index.Cached(w.ctx, []string{abs})
	if err != nil {
		return nil, err
	}
	if c := &cached[0]; c.Fresh(index.StatOf(fi)) {
		if r, err := w.known(c, before); r != nil || err != nil {
			w.progress(c.Size)
			return r, err
		}
	}
	var earlier *Entry
	if before != nil {
		if e, ok := before.Single(); ok {
			earlier = &e
		}
	}
	t := w.newTree()
	if err := w.readFile(t, Entry{Kind: KindFile}, opened{f, fi, name, abs}, earlier); err != nil {
		return nil, err
	}
	return t.finish()
}

// known returns the result for a file that has not changed since it was cached,
// if its content is in the store.
func (w *Writer) known(c *index.Cached, before *Tree) (*Result, error) {
	r := &Result{Tree: c.Tree, Hash: c.Hash, Files: 1, Size: c.Size, Cached: true}
	if before != nil {
		if e, ok := before.Single(); ok && e.Hash == c.Hash {
			r.Tree = before.id
			return w.unlessSpoilt(r, &e)
		}
	}
	if c.Tree.IsZero() {
		return nil, nil
	}
	// gc may have left the tree's root and removed what it needs.
	err := w.s.CheckTree(w.ctx, c.Tree, &Marks{})
	if err != nil {
		return nil, damageOnly(err)
	}
	t, err := w.s.Tree(w.ctx, c.Tree)
	if err != nil {
		return nil, damageOnly(err)
	}
	if e, ok := t.Single(); ok {
		return w.unlessSpoilt(r, &e)
	}
	return nil, nil
}

// unlessSpoilt returns r unless the file is known to be damaged.
func (w *Writer) unlessSpoilt(r *Result, e *Entry) (*Result, error) {
	ok, err := w.intact(e)
	if !ok || err != nil {
		return nil, err
	}
	return r, nil
}

// walk is the walk over one directory on its way in.
type walk struct {
	w       *Writer
	t       *treeWriter
	root    *os.Root
	name    string // of the directory, as the user gave it
	abs     string
	earlier func() (Entry, error, bool) // entries of an earlier version, in order
	at      Entry                       // the next of them
	have    bool
	own     fs.FileInfo // of the store's directory, which is left out
}

func (w *Writer) dirPath(name, abs string, before *Tree) (*Result, error) {
	root, err := os.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	own, err := os.Stat(w.s.dir)
	if err != nil {
		return nil, err
	}
	k := &walk{w: w, t: w.newTree(), root: root, name: name, abs: abs, own: own}
	k.t.res.Dir = true
	if before != nil {
		next, stop := iter.Pull2(before.Entries(w.ctx))
		defer stop()
		k.earlier = next
		if err := k.advance(); err != nil {
			return nil, err
		}
	}
	if err := k.dir("."); err != nil {
		return nil, err
	}
	return k.t.finish()
}

// advance goes on to the next entry of the earlier version, as far as that is not
// damaged.
func (k *walk) advance() error {
	e, err, ok := k.earlier()
	k.at, k.have = e, ok && err == nil
	return damageOnly(err)
}

// unchanged returns the earlier version's entry at a path if it has one.
func (k *walk) unchanged(rel string) (*Entry, error) {
	for k.have && ComparePaths(k.at.Path, rel) < 0 {
		if err := k.advance(); err != nil {
			return nil, err
		}
	}
	if k.have && k.at.Path == rel {
		return &k.at, nil
	}
	return nil, nil
}

func (k *walk) dir(rel string) error {
	infos, err := k.list(rel)
	if err != nil {
		return err
	}
	if len(infos) == 0 && rel != "." {
		return k.t.entry(Entry{Path: rel, Kind: KindDir})
	}
	cached, err := k.cached(rel, infos)
	if err != nil {
		return err
	}
	for i, fi := range infos {
		if err := k.one(path.Join(rel, fi.Name()), fi, &cached[i]); err != nil {
			return err
		}
	}
	return nil
}

// list returns what is in a directory, in the order of the names.
func (k *walk) list(rel string) ([]fs.FileInfo, error) {
	d, err := k.root.Open(rel) // not k.root.FS(): it refuses names that are not UTF-8
	if err != nil {
		return nil, k.named(err)
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil {
		return nil, k.named(err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	infos := make([]fs.FileInfo, 0, len(entries))
	for _, e := range entries {
		fi, err := e.Info()
		if err != nil {
			return nil, k.named(err)
		}
		switch {
		case k.isStore(fi):
		case names.Reserved(fi.Name()):
			k.w.left = append(k.w.left, path.Join(rel, fi.Name()))
		default:
			infos = append(infos, fi)
		}
	}
	return infos, nil
}

// isStore recognises this very store, which must not swallow itself, whatever its
// name is.
func (k *walk) isStore(fi fs.FileInfo) bool { return fi.IsDir() && os.SameFile(fi, k.own) }

func (k *walk) cached(rel string, infos []fs.FileInfo) ([]index.Cached, error) {
	if k.earlier == nil {
		return make([]index.Cached, len(infos)), nil
	}
	paths := make([]string, len(infos))
	for i, fi := range infos {
		paths[i] = k.absolute(path.Join(rel, fi.Name()))
	}
	return k.w.s.index.Cached(k.w.ctx, paths)
}

func (k *walk) absolute(rel string) string { return filepath.Join(k.abs, filepath.FromSlash(rel)) }
func (k *walk) shown(rel string) string    { return filepath.Join(k.name, filepath.FromSlash(rel)) }
func (k *walk) named(err error) error      { return fmt.Errorf("%s: %w", k.name, err) }

func (k *walk) one(rel string, fi fs.FileInfo, c *index.Cached) error {
	if err := k.w.ctx.Err(); err != nil {
		return context.Cause(k.w.ctx)
	}
	switch mode := fi.Mode(); {
	case mode.IsDir():
		return k.dir(rel)
	case mode&fs.ModeSymlink != 0:
		return k.link(rel)
	case mode.IsRegular():
		return k.file(rel, fi, c)
	default:
		return fmt.Errorf("%s is a %s: a tree holds files, directories and links", k.shown(rel), leaf.KindOf(mode))
	}
}

func (k *walk) link(rel string) error {
	target, err := k.root.Readlink(rel)
	if err != nil {
		return k.named(err)
	}
	target = filepath.ToSlash(target)
	if err := CheckLink(rel, target); err != nil {
		return k.named(err)
	}
	if names.ReservedIn(target) != "" {
		k.w.left = append(k.w.left, rel)
		return nil
	}
	return k.t.entry(Entry{Path: rel, Kind: KindSymlink, Link: target})
}

func (k *walk) file(rel string, fi fs.FileInfo, c *index.Cached) error {
	kind := KindFile
	if fi.Mode()&0o111 != 0 {
		kind = KindExec
	}
	old, err := k.unchanged(rel)
	if err != nil {
		return err
	}
	if old != nil && old.Kind.IsFile() && old.Hash == c.Hash && c.Fresh(index.StatOf(fi)) {
		ok, err := k.w.intact(old)
		if err != nil {
			return err
		}
		if ok {
			e := *old
			e.Kind = kind
			k.w.progress(e.Size)
			return k.t.entry(e)
		}
	}
	f, err := k.root.Open(rel)
	if err != nil {
		return k.named(err)
	}
	defer f.Close()
	now, err := f.Stat()
	if err != nil {
		return k.named(err)
	}
	if !os.SameFile(fi, now) {
		return fmt.Errorf("%s: %w", k.shown(rel), ErrChanged)
	}
	return k.w.readFile(k.t, Entry{Path: rel, Kind: kind}, opened{f, now, k.shown(rel), k.absolute(rel)}, old)
}
