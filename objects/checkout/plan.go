package checkout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// run does all, or says what it would do.
func (co *checkout) run(ctx context.Context) error {
	if err := co.split(); err != nil {
		return err
	}
	if err := co.list(ctx); err != nil {
		return err
	}
	if err := co.prune(ctx); err != nil {
		return err
	}
	for _, t := range co.targets {
		co.places(t)
	}
	if err := co.look(ctx); err != nil {
		return err
	}
	co.tally()
	if co.opts.DryRun {
		return nil
	}
	return co.write(ctx)
}

// split tells the targets in the old manifest from the rest, which stays.
func (co *checkout) split() error {
	names := map[string]*target{}
	for _, t := range co.targets {
		names[t.next.name] = t
	}
	for i := range co.old.archives {
		a := &co.old.archives[i]
		if t := names[a.name]; t != nil {
			t.old = a
			if a.version != t.next.version {
				t.out.Before = a.version
			}
			co.changed = co.changed || a.version != t.next.version || a.tree != t.next.tree
			continue
		}
		co.others = append(co.others, *a)
	}
	if co.opts.Prune && !co.opts.Some {
		return nil // they will go, or be named
	}
	return co.apartFromOthers(names)
}

// apartFromOthers refuses targets that would share a place with an archive that
// was checked out before and stays.
func (co *checkout) apartFromOthers(names map[string]*target) error {
	others := map[string]bool{}
	for _, a := range co.others {
		others[a.name] = true
		if other := ancestor(a.name, func(dir string) bool { return names[dir] != nil }); other != "" {
			return takenBy(other, a.name)
		}
	}
	for _, t := range co.targets {
		if other := ancestor(t.next.name, func(dir string) bool { return others[dir] }); other != "" {
			return takenBy(t.next.name, other)
		}
	}
	return nil
}

func takenBy(name, other string) error {
	return &leaf.HintError{
		Err:  leaf.Errorf(fs.ErrExist, "archive %q would share a place with %q, which was checked out here before", name, other),
		Hint: "use another directory, or check out all that is wanted with --prune, to remove what is not",
	}
}

// ancestor returns the directory above a path that has a property, or "".
func ancestor(name string, has func(dir string) bool) string {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if has(dir) {
			return dir
		}
	}
	return ""
}

// list finds the files of the targets: in the manifest where it has the same
// content, else in their trees, whose content is brought here before.
func (co *checkout) list(ctx context.Context) error {
	var unknown []*target
	for _, t := range co.targets {
		if t.old != nil && t.old.tree == t.next.tree && t.old.dir == t.next.dir {
			t.listOld()
			co.unwritten(t)
			continue
		}
		co.changed = true
		unknown = append(unknown, t)
	}
	for batch := range slices.Chunk(unknown, batchSize) {
		if err := co.listBatch(ctx, batch); err != nil {
			return err
		}
	}
	return nil
}

func (t *target) listOld() {
	t.next.files = make([]checkedFile, 0, len(t.old.files))
	for _, f := range t.old.files {
		e := objects.Entry{Path: f.path, Kind: f.kind, Link: f.link}
		if !f.left && !e.Writable() { // an older program wrote it
			t.unfit, f.left = append(t.unfit, f.path), true
		}
		if f.left {
			t.left = append(t.left, f)
			continue
		}
		t.next.files = append(t.next.files, checkedFile{path: f.path, size: f.size, identity: f.identity})
	}
	t.acts = make([]act, len(t.next.files))
}

func (co *checkout) listBatch(ctx context.Context, batch []*target) error {
	trees := make([]*objects.Tree, len(batch))
	if !co.opts.DryRun {
		if err := co.bring(ctx, batch); err != nil {
			return err
		}
		trees = co.trees(ctx, batch)
	}
	for i, t := range batch {
		if err := co.listTree(ctx, t, trees[i]); err != nil {
			return fmt.Errorf("%s %s: %w", t.next.name, t.next.version, err)
		}
	}
	return nil
}

// trees opens the trees of several targets at once, by slot. Where that fails
// they are nil, and opened one by one by who knows where they may be.
func (co *checkout) trees(ctx context.Context, batch []*target) []*objects.Tree {
	ids := make([]objects.ID, len(batch))
	for i, t := range batch {
		ids[i] = t.next.tree
	}
	trees, err := co.opts.Store.Trees(ctx, ids)
	if err != nil {
		return make([]*objects.Tree, len(batch))
	}
	return trees
}

// bring makes sure that contents are here.
func (co *checkout) bring(ctx context.Context, batch []*target) error {
	var away []int
	for _, t := range batch {
		if !t.here && t.want.Away {
			away = append(away, t.slot)
		}
		t.here = true
	}
	if len(away) == 0 {
		return nil
	}
	return co.opts.Source.Bring(ctx, away)
}

// content returns the store to read a target's content from.
func (co *checkout) content(t *target) *objects.Store { return co.opts.Source.Content(t.slot) }

func (co *checkout) unwritten(t *target) {
	if len(t.unfit) > 0 && co.opts.Unwritten != nil {
		co.opts.Unwritten(t.next.name, t.unfit)
	}
}

// listTree lists a tree. A dry run does not read that of a single file, which
// may have to be fetched: the record says enough.
func (co *checkout) listTree(ctx context.Context, t *target, tree *objects.Tree) (err error) {
	if tree == nil && co.opts.DryRun && !t.want.Dir {
		t.next.files = []checkedFile{{size: t.want.Size, identity: identity{kind: objects.KindFile, hash: t.want.Hash}}}
	} else {
		if tree == nil {
			if tree, err = co.content(t).Tree(ctx, t.want.Tree); err != nil {
				return err
			}
		}
		if err := t.listEntries(ctx, tree); err != nil {
			return err
		}
		co.unwritten(t)
		if !t.want.Dir {
			t.entries = nil // there may be very many: they are read again together
		}
	}
	if co.opts.Locked && !t.want.Dir && t.next.files[0].hash != t.want.Hash {
		return leaf.Errorf(index.ErrCorrupt, "the file is not the one that the lock names")
	}
	t.acts = make([]act, len(t.next.files))
	if t.old != nil {
		t.keepLeft()
	}
	return nil
}

func (t *target) listEntries(ctx context.Context, tree *objects.Tree) error {
	for e, err := range tree.Entries(ctx) {
		if err != nil {
			return err
		}
		if !e.Writable() {
			t.unfit = append(t.unfit, e.Path)
			continue
		}
		t.next.files = append(t.next.files, checkedFile{path: e.Path, size: e.Size, identity: identity{e.Kind, e.Hash, e.Link}})
		t.entries = append(t.entries, e)
	}
	if len(t.next.files) == 0 {
		t.next.files = []checkedFile{{identity: identity{kind: objects.KindDir}}}
		t.entries = []objects.Entry{{Kind: objects.KindDir}}
	}
	if single := len(t.entries) == 1 && t.entries[0].Path == "" && t.entries[0].Kind.IsFile(); single == t.next.dir {
		return leaf.Errorf(index.ErrCorrupt, "its tree is not what the record says: a file, or a directory")
	}
	return nil
}

// keepLeft finds the files of the version before that the new one has not.
func (t *target) keepLeft() {
	for _, f := range t.old.files {
		if t.next.find(f.path) == nil {
			f.left = true
			t.left = append(t.left, f)
		}
	}
}

// dirState is what is at the path of a directory that is wanted.
type dirState uint8

const (
	dirThere dirState = iota + 1
	dirAbsent
	dirBlocked // by what is not a directory
)

// places finds what directories a target needs, and whether they are there.
func (co *checkout) places(t *target) {
	last := ""
	for i := range t.next.files {
		full := t.full(&t.next.files[i])
		dir := path.Dir(full)
		if t.next.files[i].kind == objects.KindDir {
			dir = full
		}
		if dir != last {
			co.place(dir)
			last = dir
		}
	}
}

func (co *checkout) place(dir string) dirState {
	if dir == "." {
		return dirThere
	}
	state := co.dirs[dir]
	if state != 0 {
		return state
	}
	if state = co.place(path.Dir(dir)); state == dirThere {
		state = co.lookDir(dir)
	}
	if state == dirAbsent {
		co.newDirs = append(co.newDirs, dir)
		co.changed = true
	}
	co.dirs[dir] = state
	return state
}

func (co *checkout) lookDir(dir string) dirState {
	fi, err := co.lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return dirAbsent
	case err == nil && fi.IsDir():
		return dirThere
	}
	a, f := co.owner(dir)
	ours := err == nil && f != nil && !f.found && co.isOurs(dir, fi, f)
	if err == nil && (ours || co.opts.Force) {
		co.block = append(co.block, dir)
		return dirAbsent
	}
	co.keep(dir, a, "it is not a directory")
	return dirBlocked
}

// owner finds a path in the old manifest.
func (co *checkout) owner(name string) (archive string, f *checkedFile) {
	for dir := name; dir != "."; dir = path.Dir(dir) {
		if a := co.old.find(dir); a != nil {
			return a.name, a.find(strings.TrimPrefix(name[len(dir):], "/"))
		}
	}
	return "", nil
}

// isOurs says whether what is on disk is what an earlier checkout wrote.
func (co *checkout) isOurs(full string, fi fs.FileInfo, f *checkedFile) bool {
	have, err := co.identify(full, fi, f)
	return err == nil && (have == f.identity || (f.was != nil && have == *f.was))
}

func (co *checkout) keep(full, archive, why string) {
	co.mu.Lock()
	defer co.mu.Unlock()
	co.rep.Kept = append(co.rep.Kept, KeptFile{full, archive, why})
}

func (co *checkout) lstat(name string) (fs.FileInfo, error) {
	if co.root == nil || co.gone[name] {
		return nil, fs.ErrNotExist
	}
	fi, err := co.root.Lstat(name)
	if errors.Is(err, syscall.ENOTDIR) {
		err = fs.ErrNotExist
	}
	return fi, err
}

// identify reads what is on disk, unless its state says that it is still what
// the manifest says.
func (co *checkout) identify(full string, fi fs.FileInfo, f *checkedFile) (identity, error) {
	switch {
	case fi.Mode()&fs.ModeSymlink != 0:
		link, err := co.root.Readlink(full)
		return identity{kind: objects.KindSymlink, link: link}, err
	case fi.IsDir():
		return identity{kind: objects.KindDir}, nil
	case !fi.Mode().IsRegular():
		return identity{}, nil
	}
	if f != nil && f.at != 0 && f.kind.IsFile() && f.cached().Fresh(index.StatOf(fi)) {
		return f.identity, nil
	}
	hash, err := hashFile(co.root, full)
	return identity{kind: kindOnDisk(fi), hash: hash}, err
}

// kindOnDisk tells executable files from others, where the system does.
func kindOnDisk(fi fs.FileInfo) objects.Kind {
	if fi.Mode()&0o100 != 0 && runtime.GOOS != "windows" {
		return objects.KindExec
	}
	return objects.KindFile
}
