package datafs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs/lockfile"
	"github.com/datafs/datafs/refs/solve"
	"github.com/datafs/datafs/remote/config"
)

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
	file := config.JoinPath(a.opts.Dir, fileOrText)
	if fileOrText == "" || solve.LooksLikeRequirements(fileOrText) && !config.FileThere(file) {
		return ""
	}
	if _, ok := leaf.Descriptor(file); ok || file == os.DevNull {
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
	Changes  []lockfile.Change // by archive
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
	old, err := readLock(rep.File, false)
	if errors.Is(err, fs.ErrNotExist) {
		old, err = &lockfile.Lock{}, nil
	}
	if err != nil {
		return rep, err
	}
	next, chosen, err := a.lockAnew(ctx, opts, old)
	if err != nil {
		return rep, err
	}
	entries := make([]*lockfile.Archive, len(chosen))
	for i := range chosen {
		entries[i] = lockEntry(&chosen[i])
	}
	rep.Archives, rep.Changes = len(chosen), old.Changes(entries)
	rep.Written, err = writeLock(rep.File, func(w *lockfile.Writer) error {
		w.Begin(next)
		for i, e := range entries {
			if err := writeLocked(ctx, w, e, &chosen[i]); err != nil {
				return err
			}
		}
		return nil
	})
	return rep, err
}

// lockAnew chooses the versions of a new lock.
func (a *API) lockAnew(ctx context.Context, opts *LockOptions, old *lockfile.Lock) (*lockfile.Lock, []Chosen, error) {
	w, err := a.wished(&ChooseOptions{Requirements: opts.Requirements})
	if err != nil {
		return nil, nil, err
	}
	next := &lockfile.Lock{Deps: old.Deps}
	if opts.Deps != nil {
		next.Deps = *opts.Deps
	}
	for _, r := range w.list {
		next.Requirements = append(next.Requirements, r.String())
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, nil, err
	}
	pins := old.Pins()
	if opts.Upgrade {
		if pins, err = without(pins, opts.Names, w.list); err != nil {
			return nil, nil, err
		}
	}
	chosen, err := a.solve(ctx, w.list, pins, next.Deps)
	return next, a.chosen(chosen), err
}

// without drops the archives that are upgraded.
func without(pins map[string]solve.Pin, names []string, list []solve.Requirement) (map[string]solve.Pin, error) {
	if len(names) == 0 {
		return nil, nil
	}
	names, err := normalNames(names)
	for _, name := range names {
		_, ok := pins[name]
		if !ok && !slices.ContainsFunc(list, func(r solve.Requirement) bool { return r.Name == name }) {
			return nil, leaf.Errorf(fs.ErrNotExist, `"%s" is neither in the lock nor required`, name)
		}
		delete(pins, name)
	}
	return pins, err
}

// writeLock writes a lock, unless the file has the same bytes already.
func writeLock(file string, write func(*lockfile.Writer) error) (written bool, err error) {
	tmp, err := tempBeside(file, 0o666)
	if err != nil {
		return false, fmt.Errorf("write lock: %w", err)
	}
	defer os.Remove(tmp.Name()) // in vain once it is renamed
	w := lockfile.NewWriter(tmp)
	if err := write(w); err != nil {
		tmp.Close()
		return false, err
	}
	if err = errors.Join(w.End(), tmp.Sync(), tmp.Close()); err != nil {
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
func writeLocked(ctx context.Context, w *lockfile.Writer, e *lockfile.Archive, c *Chosen) error {
	var entries iter.Seq2[lockfile.Entry, error]
	if e.Dir {
		t, err := c.content().Tree(ctx, c.Record.Tree)
		if err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		entries = lockfile.Entries(t.Entries(ctx))
	}
	if err := w.Archive(e, entries); err != nil {
		return fmt.Errorf("%s: %w", c, err)
	}
	return nil
}

// lockEntry is what a lock says of a version, but for the entries.
func lockEntry(c *Chosen) *lockfile.Archive {
	r := &c.Record
	e := &lockfile.Archive{
		Archive: c.Archive.name, Authority: c.Archive.authority, Tree: r.Tree.String(), Hash: r.Hash.String(),
		Size: r.Size, Count: r.Files, Dir: r.Dir, Place: r.Place, Why: c.Why,
	}
	if c.Archive.versioned {
		e.Version = r.Version.String()
	}
	return e
}

// ReadLock reads and checks a lock file. Errors wrap fs.ErrNotExist or
// fs.ErrInvalid.
func ReadLock(path string) (*lockfile.Lock, error) { return readLock(path, true) }

func readLock(path string, files bool) (*lockfile.Lock, error) {
	f, err := leaf.OpenRegular(path)
	if err != nil {
		return nil, fmt.Errorf("read lock: %w", err)
	}
	defer f.Close()
	l, err := lockfile.Decode(f, files)
	if err == nil {
		return l, nil
	}
	err = fmt.Errorf("lock %s: %w", path, err)
	if errors.Is(err, fs.ErrInvalid) {
		err = leaf.Mark(err, ErrBadLock)
	}
	return nil, err
}

// sameBytes compares two files; one that is not there is different.
func sameBytes(x, y string) (bool, error) {
	f, err := os.Open(x)
	if err != nil {
		return false, err
	}
	defer f.Close()
	g, err := os.Open(y)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer g.Close()
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(f, a)
		m, other := io.ReadFull(g, b)
		if !bytes.Equal(a[:n], b[:m]) {
			return false, nil
		}
		if err != nil || other != nil {
			ended := func(err error) bool { return err == io.EOF || err == io.ErrUnexpectedEOF }
			if ended(err) && ended(other) {
				return true, nil
			}
			return false, errors.Join(err, other)
		}
	}
}
