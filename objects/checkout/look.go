package checkout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

// look finds what to do with each file, on all cores.
func (co *checkout) look(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, run := range co.runs() {
		g.Go(func() error {
			for _, s := range run {
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := co.lookAt(s.t, s.i); err != nil {
					return fmt.Errorf("look at %s: %w", s.t.full(&s.t.next.files[s.i]), err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// slot is one file of a target.
type slot struct {
	t *target
	i int
}

// runs cuts the files of all targets into runs for the workers.
func (co *checkout) runs() (runs [][]slot) {
	const size = 1024
	var run []slot
	for _, t := range co.targets {
		for i := range t.next.files {
			if run = append(run, slot{t, i}); len(run) == size {
				runs, run = append(runs, run), nil
			}
		}
	}
	return append(runs, run)
}

// lookAt finds what to do with a file.
func (co *checkout) lookAt(t *target, i int) error {
	f := &t.next.files[i]
	full := t.full(f)
	old := t.old.find(f.path)
	if f.kind == objects.KindDir {
		t.acts[i] = map[dirState]act{dirThere: actNothing, dirAbsent: actNew, dirBlocked: actKeep}[co.dirs[full]]
		return nil
	}
	switch co.parent(full) {
	case dirAbsent:
		t.acts[i] = actNew
		return nil
	case dirBlocked:
		t.acts[i] = actKeep
		f.remember(old)
		return nil
	}
	at := co.opts.Now().UnixNano()
	fi, err := co.lstat(full)
	if errors.Is(err, fs.ErrNotExist) {
		t.acts[i] = actNew
		return nil
	}
	if err != nil {
		return err
	}
	have, err := co.identify(full, fi, old)
	if errors.Is(err, fs.ErrNotExist) {
		t.acts[i] = actNew // it went meanwhile
		return nil
	}
	if errors.Is(err, fs.ErrPermission) && !co.opts.Force {
		f.remember(old)
		co.keep(full, t.next.name, "it cannot be read")
		t.acts[i] = actKeep
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	f.stat = index.StatOf(fi)
	co.decide(t, i, old, have, at)
	return nil
}

func (co *checkout) parent(full string) dirState {
	if dir := path.Dir(full); dir != "." {
		return co.dirs[dir]
	}
	return dirThere
}

// remember keeps what an earlier checkout may have written at the path.
func (f *checkedFile) remember(old *checkedFile) {
	switch {
	case old == nil:
	case old.at != 0 || old.was == nil && old.identity != f.identity:
		f.was = &old.identity
	default:
		f.was = old.was
	}
}

// decide compares what is there with what is wanted.
func (co *checkout) decide(t *target, i int, old *checkedFile, have identity, at int64) {
	f := &t.next.files[i]
	switch {
	case have == f.identity || co.sameUnread(f, have):
		f.identity.kind = have.kind
		f.at, f.found = at, old == nil
		t.acts[i] = actAdopt
		if old != nil {
			f.found = old.found
			if old.at != 0 && old.identity == have && old.cached().Fresh(f.stat) {
				f.at = old.at
				t.acts[i] = actNothing
			}
			if f.kind == objects.KindSymlink && old.identity == have && old.at != 0 {
				t.acts[i] = actNothing
				f.stat, f.at = old.stat, old.at
			}
		}
	case old != nil && (have == old.identity || old.was != nil && have == *old.was):
		f.was = &have
		t.acts[i] = actReplace
	default:
		f.remember(old)
		t.acts[i] = co.foreign(t, f, old, have)
	}
}

// sameUnread says, in a dry run that has not read the tree, that only the kind
// of file may differ.
func (co *checkout) sameUnread(f *checkedFile, have identity) bool {
	return co.opts.DryRun && f.path == "" && have.kind.IsFile() && have.hash == f.hash
}

// foreign is what to do with a file that no checkout wrote.
func (co *checkout) foreign(t *target, f, old *checkedFile, have identity) act {
	why := "it was not written by a checkout"
	if old != nil && (old.at != 0 || old.was != nil) {
		why = "it was edited"
	}
	if have.kind == objects.KindDir {
		why = "it is a directory"
		if co.emptyOwn(t.full(f)) {
			return actReplace
		}
	} else if co.opts.Force {
		return actReplace
	}
	co.keep(t.full(f), t.next.name, why)
	return actKeep
}

// emptyOwn says that a directory is empty and was made by a checkout.
func (co *checkout) emptyOwn(name string) bool {
	if _, found := slices.BinarySearchFunc(co.old.dirs, name, objects.ComparePaths); !found {
		return false
	}
	d, err := co.root.Open(name)
	if err != nil {
		return false
	}
	defer d.Close()
	left, _ := d.ReadDir(1)
	return len(left) == 0
}

// tally counts what will be done.
func (co *checkout) tally() {
	for _, t := range co.targets {
		for i := range t.next.files {
			if t.next.files[i].kind == objects.KindDir {
				continue
			}
			switch t.acts[i] {
			case actNew:
				t.out.New++
			case actReplace:
				t.out.Replaced++
			case actKeep:
				t.out.Kept++
			default:
				co.rep.Unchanged++
			}
			co.changed = co.changed || t.acts[i] != actNothing
			if co.opts.DryRun && (t.acts[i] == actNew || t.acts[i] == actReplace) {
				co.rep.Written++
				co.rep.Bytes += t.next.files[i].size
			}
		}
	}
	slices.SortFunc(co.rep.Kept, func(x, y KeptFile) int { return objects.ComparePaths(x.Path, y.Path) })
}
