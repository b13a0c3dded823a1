package datafs

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
)

// Dependencies map archive names to version numbers, or to nil where any
// version will do.
type Dependencies = refs.Dependencies

// UpdateOptions describe a new version.
type UpdateOptions struct {
	Bump       string // "patch", "minor", "major"; "": patch, or none with Prerelease
	Prerelease string // "alpha", "beta"; "": none

	// Dependencies are what the new version depends on; nil: what Requirements
	// name, else those of the version before. "latest" and ranges, such as
	// ">=1.0,<2", are recorded as the version that they stand for now. A range that
	// nothing here satisfies is an error; other archives and versions that are not
	// here, and versions that were yanked, are told to Options.Warn.
	Dependencies Dependencies
	Requirements string // file of requirements for this update; "": the API's
	Strict       bool   // what is told to Options.Warn of dependencies is an error that wraps fs.ErrNotExist
	Unchecked    bool   // Dependencies are exact, and known to be right: they are recorded as they are

	Metadata map[string]*string
	Message  *string

	AllowEmpty bool // contents of no bytes are meant
	Remove     bool // remove the source afterwards, also when nothing changed
}

// Result says what an update did.
type Result struct {
	Archive  *Archive
	Version  string // the version that is the latest now; "" for an unversioned archive
	Previous string // the one before; "" if there was none
	Created  bool   // false: the contents were those of the latest version
	Files    int64
	Size     int64 // bytes of the contents
	New      int64 // raw bytes that were not in the repository
	Stored   int64 // bytes that they take there
	Cached   bool  // recognised as unchanged without reading it

	// Left are paths below a directory that are not in the version, as version
	// control systems and DataFS keep their own files there. Options.Warn was told.
	Left []string
}

// Update makes a new version of the file or directory at a path, unless its
// contents are those of the latest version. Metadata is set in either case.
// After an error nothing has changed.
func (h *Archive) Update(ctx context.Context, path string, opts *UpdateOptions) (Result, error) {
	res, err := h.update(ctx, opts, path, func(w *objects.Writer, before *objects.Tree) (*objects.Result, error) {
		return w.Path(path, before)
	})
	if err != nil || opts == nil || !opts.Remove {
		return res, err
	}
	if len(res.Left) > 0 {
		return res, leaf.Errorf(fs.ErrExist, "%s is not removed: %s below it is in no version", path, res.Left[0])
	}
	return res, os.RemoveAll(path)
}

// UpdateFrom is Update with the contents read from r.
func (h *Archive) UpdateFrom(ctx context.Context, r io.Reader, opts *UpdateOptions) (Result, error) {
	return h.update(ctx, opts, h.name, func(w *objects.Writer, _ *objects.Tree) (*objects.Result, error) {
		return w.File(leaf.ContextReader(ctx, r))
	})
}

type takeIn func(*objects.Writer, *objects.Tree) (*objects.Result, error)

func (h *Archive) update(ctx context.Context, opts *UpdateOptions, label string, take takeIn) (Result, error) {
	if opts == nil {
		opts = &UpdateOptions{}
	}
	res, err := h.store(ctx, opts, label, take)
	if err != nil {
		return res, err
	}
	return res, h.api.tellTeam(ctx, h.name)
}

// store is the part of an update that gc must wait for.
func (h *Archive) store(ctx context.Context, opts *UpdateOptions, label string, take takeIn) (Result, error) {
	nv, last, err := h.prepare(ctx, opts)
	if err != nil {
		return Result{}, err
	}
	w, err := h.api.writer(ctx, label)
	if err != nil {
		return Result{}, err
	}
	defer w.Close() // it keeps gc away until the version is registered
	before, err := h.api.contentOf(ctx, last)
	if err != nil {
		return Result{}, err
	}
	content, err := take(w, before)
	if err == nil {
		err = w.Finish()
	}
	if err != nil {
		return Result{}, fmt.Errorf("update %s: %w", h, err)
	}
	h.warnLeft(w.Left())
	res, err := h.register(ctx, nv, last, content, opts.Metadata)
	if err != nil {
		return Result{}, err
	}
	if res.New, res.Stored = w.Added(); res.Stored > 0 {
		h.api.keepReserve()
	}
	res.Left = w.Left()
	return res, nil
}

// prepare checks all arguments before anything is stored. last is the version that
// the new one comes after, nil if there is none.
func (h *Archive) prepare(ctx context.Context, opts *UpdateOptions) (nv refs.NewVersion, last *refs.VersionRecord, err error) {
	nv = refs.NewVersion{
		Archive: h.name, Bump: opts.Bump, Prerelease: opts.Prerelease,
		Message: opts.Message, UserConfig: h.api.UserConfig(), AllowEmpty: opts.AllowEmpty,
	}
	if nv.Bump == "" && nv.Prerelease == "" {
		nv.Bump = "patch"
	}
	t, err := h.api.known(ctx)
	if err != nil {
		return nv, nil, err
	}
	err = h.api.read(ctx, func(db *refs.DB, tx *index.Tx) (err error) {
		if last, err = highestOrNil(ctx, db, h.name); err != nil {
			return err
		}
		if nv.Min, err = t.floor(tx, h.name); err != nil {
			return err
		}
		if err := db.CheckBump(ctx, h.name, nv.Bump, nv.Prerelease); err != nil {
			return err
		}
		if err := db.CheckUserConfig(ctx, nv.UserConfig); err != nil {
			return err
		}
		return checkMetadata(ctx, db, opts.Metadata)
	})
	if err != nil {
		return nv, nil, err
	}
	deps, err := h.newDependencies(ctx, opts)
	nv.Dependencies, nv.Resolved = deps.Dependencies, deps.Resolved
	return nv, last, err
}

// read calls fn with the records, and the index, as they are at one moment. Both are
// for fn only, which must not write.
func (a *API) read(ctx context.Context, fn func(db *refs.DB, tx *index.Tx) error) error {
	return a.bolt.Look(ctx, a.bolt, func(j *bolt.Joint) error { return fn(refs.New(j.Own, &refs.Options{Now: a.opts.Now}), j.Index) })
}

// checkMetadata refuses, before there is a version, what UpdateMetadata would
// refuse afterwards.
func checkMetadata(ctx context.Context, db *refs.DB, set map[string]*string) error {
	if len(set) == 0 {
		return nil
	}
	spec, err := db.Spec(ctx)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(set)) {
		if _, required := spec.Metadata[key]; required && set[key] == nil {
			return leaf.Errorf(fs.ErrInvalid, `Cannot remove required metadata attribute "%s"`, key)
		}
	}
	return nil
}

// CheckUpdate finds out whether Update would refuse its options, before there
// are contents.
func (h *Archive) CheckUpdate(ctx context.Context, opts *UpdateOptions) error {
	if opts == nil {
		opts = &UpdateOptions{}
	}
	_, _, err := h.prepare(ctx, opts)
	return err
}

// contentOf opens the content of a version, nil if it is not here, or if there is none.
func (a *API) contentOf(ctx context.Context, rec *refs.VersionRecord) (*objects.Tree, error) {
	if rec == nil {
		return nil, nil
	}
	t, err := a.store.Tree(ctx, rec.Tree)
	if err == nil && rec.Dir && rec.Place != "" {
		// The new version takes over what the old one has of unchanged files.
		err = a.store.CheckTree(ctx, rec.Tree, &objects.Marks{})
	}
	if errors.Is(err, ErrCorrupt) {
		return nil, nil // the new version does not need the old one
	}
	return t, err
}

func (a *API) writer(ctx context.Context, label string) (*objects.Writer, error) {
	if _, err := os.Lstat(a.journalDir()); errors.Is(err, fs.ErrNotExist) { // content comes after the journal
		if err := a.bolt.Begin(ctx); err != nil {
			return nil, err
		}
	}
	opts := &objects.WriterOptions{Now: a.opts.Now}
	if a.opts.Progress != nil {
		opts.Progress = func(n int64) { a.opts.Progress(Progress{Label: label, Bytes: n}) }
	}
	return a.store.Writer(ctx, opts)
}

// register makes content that is in the store the next version, and sets metadata.
func (h *Archive) register(ctx context.Context, nv refs.NewVersion, last *refs.VersionRecord, c *objects.Result, set map[string]*string) (Result, error) {
	if c.Size == 0 && c.Files == 0 || c.Size == 0 && !c.Dir {
		if !nv.AllowEmpty {
			return Result{}, leaf.Errorf(ErrEmptyUpdate, "update %s: the contents are empty, no version is made", h)
		}
	}
	nv.Tree, nv.Hash, nv.Size, nv.Files, nv.Dir = c.Tree, c.Hash, c.Size, c.Files, c.Dir
	var err error
	if nv.Checksums, err = h.api.checksums(ctx, last, c); err != nil {
		return Result{}, err
	}
	var rec refs.VersionRecord
	var prev *refs.VersionRecord
	var created bool
	err = h.api.refs.Write(ctx, func(db *refs.DB) (err error) {
		rec, prev, created, err = db.AddVersion(ctx, nv)
		if err == nil && len(set) > 0 {
			err = db.UpdateMetadata(ctx, h.name, set)
		}
		return err
	})
	if err != nil {
		return Result{}, err
	}
	if !created {
		h.warnYanked(&rec)
	}
	res := Result{Archive: h, Created: created, Files: c.Files, Size: c.Size, Cached: c.Cached}
	if h.versioned {
		res.Version = rec.Version.String()
		if prev != nil {
			res.Previous = prev.Version.String()
		}
	}
	return res, nil
}

// checksums are what the profile wants recorded besides BLAKE3, of single files.
// Those of the same contents, in the version rec, are known.
func (a *API) checksums(ctx context.Context, rec *refs.VersionRecord, c *objects.Result) (map[string]string, error) {
	want := a.where.Profile.Checksums
	if len(want) == 0 || c.Dir {
		return nil, nil
	}
	if rec != nil && rec.Hash == c.Hash && !rec.Dir {
		unknown := func(name string) bool { return rec.Checksums[name] == "" }
		if !slices.ContainsFunc(want, unknown) {
			return rec.Checksums, nil
		}
	}
	return a.sum(ctx, c.Tree, want)
}

// sum reads a file in the repository.
func (a *API) sum(ctx context.Context, tree objects.ID, algorithms []string) (map[string]string, error) {
	sums := map[string]hash.Hash{}
	var all []io.Writer
	for _, name := range algorithms {
		switch name {
		case "md5":
			sums[name] = md5.New()
		case "sha256":
			sums[name] = sha256.New()
		default:
			return nil, leaf.Errorf(fs.ErrInvalid, "unknown checksum %q", name)
		}
		all = append(all, sums[name])
	}
	t, err := a.store.Tree(ctx, tree)
	if err != nil {
		return nil, err
	}
	f, err := t.Open(ctx, "")
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteTo(io.MultiWriter(all...)); err != nil {
		return nil, err
	}
	out := map[string]string{}
	for name, h := range sums {
		out[name] = fmt.Sprintf("%x", h.Sum(nil))
	}
	return out, nil
}
