package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// Lock is the contents of a lock file.
type Lock struct {
	Requirements []string // the lines that it was made of
	Deps         bool     // whether dependencies were followed
	Archives     []Locked // by name
}

// Locked is one archive in a lock.
type Locked struct {
	Archive, Authority string
	Version            string // "" of an unversioned archive
	Tree, Hash         string // in hexadecimal
	Size               int64  // bytes
	Count              int64  // of files
	Dir                bool
	Place              string // where at the authority the tree begins; "": not known
	Why                []string
	Files              []LockedFile // of a directory, in the tree's order
}

// LockedFile is one entry of a directory.
type LockedFile struct {
	Path string
	Kind string // as in Entry
	Size int64
	Hash string
	Link string
}

// String is the archive's name and, of a versioned archive, the number.
func (l *Locked) String() string { return strings.TrimSpace(l.Archive + " " + l.Version) }

// entry finds the entry at a path; "" is the file that a single file is, whose
// kind the lock does not say.
func (l *Locked) entry(path string) (LockedFile, bool) {
	if !l.Dir {
		return LockedFile{Size: l.Size, Hash: l.Hash}, path == ""
	}
	i, ok := slices.BinarySearchFunc(l.Files, path, func(f LockedFile, p string) int { return objects.ComparePaths(f.Path, p) })
	if !ok {
		return LockedFile{}, false
	}
	return l.Files[i], true
}

// lockName is what a lock is called where the requirements have no file.
const lockName = "requirements_data.lock"

// LockFile returns where the lock of a file of requirements lies: beside it,
// with the extension .lock. "" stands for the requirements of the API. The lock
// of requirements that are not in a file lies in the working directory.
func (a *API) LockFile(requirements string) string {
	file := a.requirementsFile(requirements)
	if file == "" {
		return filepath.Join(a.opts.Dir, lockName)
	}
	if filepath.Base(file) == lockName { // it must not overwrite them
		return file + ".lock"
	}
	return strings.TrimSuffix(file, filepath.Ext(file)) + ".lock"
}

// requirementsFile is the path of a file of requirements, "" of what is text, or
// none; "" stands for the requirements of the API.
func (a *API) requirementsFile(fileOrText string) string {
	if fileOrText == "" {
		fileOrText = a.where.Requirements
	}
	file := joinPath(a.opts.Dir, fileOrText)
	if fileOrText == "" || refs.LooksLikeRequirements(fileOrText) && !fileThere(file) {
		return ""
	}
	if _, ok := Descriptor(file); ok || file == os.DevNull {
		return "" // there is nothing beside a pipe or a device
	}
	return file
}

// LockOptions say what to lock, and which of the versions in the old lock to
// give up.
type LockOptions struct {
	Requirements string   // a file, or text with requirements; "": those of the API
	Deps         *bool    // also lock what they depend on; nil: as the lock that is there
	Upgrade      bool     // choose anew instead of keeping what the lock that is there has
	Names        []string // of the archives to upgrade; none: all
}

// LockReport says what became of a lock.
type LockReport struct {
	File     string
	Archives int // in the lock
	Written  bool
	Changes  []LockChange // by archive
}

// LockChange is an archive that came, went or moved to another version.
type LockChange struct {
	Archive  string
	From, To string // "" of an unversioned archive, and where Came or Gone
	Came     bool
	Gone     bool
}

// Lock resolves requirements, and writes the versions with the hashes of their
// contents into the lock. Versions in the lock that is there are kept as long as
// they satisfy. The file appears whole or stays as it was; one that would not
// change is not touched.
func (a *API) Lock(ctx context.Context, opts *LockOptions) (rep LockReport, err error) {
	if opts == nil {
		opts = &LockOptions{}
	}
	rep.File = a.LockFile(opts.Requirements)
	old, err := readLock(rep.File, withoutFiles)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = &Lock{}, nil
	}
	if err != nil {
		return rep, err
	}
	next, chosen, err := a.lockAnew(ctx, opts, old)
	if err != nil {
		return rep, err
	}
	rep.Archives, rep.Changes = len(chosen), lockChanges(old, chosen)
	rep.Written, err = a.writeLock(ctx, rep.File, next, chosen)
	return rep, err
}

// lockAnew chooses the versions of a new lock.
func (a *API) lockAnew(ctx context.Context, opts *LockOptions, old *Lock) (*Lock, []Chosen, error) {
	w, err := a.wished(&ChooseOptions{Requirements: opts.Requirements})
	if err != nil {
		return nil, nil, err
	}
	next := &Lock{Deps: old.Deps}
	if opts.Deps != nil {
		next.Deps = *opts.Deps
	}
	for _, r := range w.list {
		next.Requirements = append(next.Requirements, r.String())
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, nil, err
	}
	pins := old.pins()
	if opts.Upgrade {
		if pins, err = without(pins, opts.Names, w.list); err != nil {
			return nil, nil, err
		}
	}
	u, err := a.universe(ctx, w.list, next.Deps)
	if err != nil {
		return nil, nil, err
	}
	chosen, err := u.choose(ctx, w.list, pins)
	return next, chosen, err
}

// without drops the archives that are upgraded.
func without(pins map[string]lockPin, names []string, list []refs.Requirement) (map[string]lockPin, error) {
	if len(names) == 0 {
		return nil, nil
	}
	names, err := normalNames(names)
	for _, name := range names {
		_, ok := pins[name]
		if !ok && !slices.ContainsFunc(list, func(r refs.Requirement) bool { return r.Name == name }) {
			return nil, leaf.Errorf(fs.ErrNotExist, `"%s" is neither in the lock nor required`, name)
		}
		delete(pins, name)
	}
	return pins, err
}

// lockChanges compares a lock with what was chosen.
func lockChanges(old *Lock, chosen []Chosen) (list []LockChange) {
	before := map[string]*Locked{}
	for i := range old.Archives {
		before[old.Archives[i].Archive] = &old.Archives[i]
	}
	for i := range chosen {
		c := &chosen[i]
		to := ""
		if c.Archive.versioned {
			to = c.Record.Version.String()
		}
		was, ok := before[c.Archive.name]
		delete(before, c.Archive.name)
		switch {
		case !ok:
			list = append(list, LockChange{Archive: c.Archive.name, To: to, Came: true})
		case was.Version != to || was.Tree != c.Record.Tree.String():
			list = append(list, LockChange{Archive: c.Archive.name, From: was.Version, To: to})
		}
	}
	for name, was := range before {
		list = append(list, LockChange{Archive: name, From: was.Version, Gone: true})
	}
	slices.SortFunc(list, func(x, y LockChange) int { return strings.Compare(x.Archive, y.Archive) })
	return list
}

// writeLock writes a lock, unless the file has the same bytes already.
func (a *API) writeLock(ctx context.Context, file string, l *Lock, chosen []Chosen) (written bool, err error) {
	tmp, err := tempBeside(file, 0o666)
	if err != nil {
		return false, fmt.Errorf("write lock: %w", err)
	}
	defer os.Remove(tmp.Name()) // in vain once it is renamed
	w := newLockWriter(tmp)
	w.begin(l)
	for i := range chosen {
		if err := a.writeLocked(ctx, w, &chosen[i]); err != nil {
			tmp.Close()
			return false, err
		}
	}
	err = w.end()
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return false, fmt.Errorf("write lock: %w", err)
	}
	same, err := sameBytes(tmp.Name(), file)
	if err != nil {
		return false, err
	}
	if !same {
		if err := os.Rename(tmp.Name(), file); err != nil {
			return false, fmt.Errorf("write lock: %w", err)
		}
	}
	_ = leaf.SyncDir(filepath.Dir(file)) // also for whoever wrote the same and was killed
	return !same, nil
}

// writeLocked writes what a lock says of a version. The tree of a directory is
// fetched where it is not here, but not the files.
func (a *API) writeLocked(ctx context.Context, w *lockWriter, c *Chosen) error {
	e := lockedOf(c)
	if !e.Dir {
		w.archive(e, nil)
		return nil
	}
	t, err := c.content().Tree(ctx, c.Record.Tree)
	if err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	if err := w.archive(e, treeFiles(t.Entries(ctx))); err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	return nil
}

func lockedOf(c *Chosen) *Locked {
	r := &c.Record
	e := &Locked{
		Archive: c.Archive.name, Authority: c.Archive.authority, Tree: r.Tree.String(), Hash: r.Hash.String(),
		Size: r.Size, Count: r.Files, Dir: r.Dir, Place: r.Place, Why: c.Why,
	}
	if c.Archive.versioned {
		e.Version = r.Version.String()
	}
	return e
}
