package checkout

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
)

// settle gives a file its name, if that still is as it was seen, and takes its
// state.
func (co *checkout) settle(tmp, full string, f *checkedFile, a act) (placed bool, err error) {
	if a == actNew {
		placed, err = co.settleNew(tmp, full)
	} else {
		placed, err = co.settleOver(tmp, full, f)
	}
	if err != nil || !placed {
		co.root.Remove(tmp)
		return false, err
	}
	fi, err := co.root.Lstat(full)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil // it went at once
	}
	if err != nil {
		return false, err
	}
	f.stat, f.was, f.found = index.StatOf(fi), nil, false
	if f.stat.Size == f.size || f.kind == objects.KindSymlink {
		f.at = settledAt(f.stat)
	}
	return true, nil
}

// settleNew never replaces what has come meanwhile. Where the filesystem has no
// hard links there is a moment in which it could.
func (co *checkout) settleNew(tmp, full string) (bool, error) {
	err := co.root.Link(tmp, full)
	if err == nil {
		return true, co.root.Remove(tmp)
	}
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if _, err := co.root.Lstat(full); err == nil {
		return false, nil
	}
	return true, co.root.Rename(tmp, full)
}

func (co *checkout) settleOver(tmp, full string, f *checkedFile) (bool, error) {
	fi, err := co.root.Lstat(full)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return co.settleNew(tmp, full)
	case err != nil:
		return false, err
	case index.StatOf(fi) != f.stat:
		return false, nil
	case fi.IsDir():
		if err := co.root.Remove(full); err != nil {
			return false, nil // something has come into it
		}
	}
	return true, co.root.Rename(tmp, full)
}

// wrote counts a file that was written, or that had to be kept after all.
func (co *checkout) wrote(t *target, i int, placed bool) {
	f := &t.next.files[i]
	if !placed {
		co.keep(t.full(f), t.next.name, "it changed meanwhile")
	}
	co.mu.Lock()
	defer co.mu.Unlock()
	if placed {
		co.rep.Written++
		co.rep.Bytes += f.size
		return
	}
	if t.out.Kept++; t.acts[i] == actNew {
		t.out.New--
	} else {
		t.out.Replaced--
	}
	t.acts[i], f.at = actKeep, 0
}

// save writes the manifest as it is now.
func (co *checkout) save() error { return saveManifest(co.root, co.allDirs(), co.archives()) }

// finish puts away the temporary files and writes the manifest.
func (co *checkout) finish(ctx context.Context) error {
	err := co.root.RemoveAll(tempDir)
	if co.copies != nil {
		err = errors.Join(err, co.copies.close(context.WithoutCancel(ctx)))
		co.restat()
	}
	slices.SortFunc(co.rep.Kept, func(x, y KeptFile) int { return objects.ComparePaths(x.Path, y.Path) })
	return errors.Join(err, co.save())
}

// restat takes the states of files that share one inode again: each further
// name changed it.
func (co *checkout) restat() {
	if co.rep.Way != WayHardlink {
		return
	}
	for _, t := range co.targets {
		for i := range t.next.files {
			f := &t.next.files[i]
			if !t.toWrite(i) || f.at == 0 || !f.kind.IsFile() {
				continue
			}
			fi, err := co.root.Lstat(t.full(f))
			if err != nil {
				continue
			}
			now := index.StatOf(fi)
			if f.stat.CTime = now.CTime; f.stat == now {
				f.at = settledAt(now)
			}
		}
	}
}

// allDirs are the directories that checkouts made.
func (co *checkout) allDirs() []string {
	dirs := append(slices.Clone(co.old.dirs), co.newDirs...)
	slices.SortFunc(dirs, objects.ComparePaths)
	return slices.Compact(dirs)
}

// archives are what the directory holds, or will hold.
func (co *checkout) archives() []*checkedArchive {
	list := make([]*checkedArchive, 0, len(co.others)+len(co.targets))
	for i := range co.others {
		list = append(list, &co.others[i])
	}
	for _, t := range co.targets {
		a := &t.next
		if len(t.left) > 0 {
			all := t.next
			all.files = append(slices.Clone(a.files), t.left...)
			slices.SortFunc(all.files, func(x, y checkedFile) int { return objects.ComparePaths(x.path, y.path) })
			a = &all
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(x, y *checkedArchive) int { return strings.Compare(x.name, y.name) })
	return list
}
