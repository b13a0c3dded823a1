package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/names"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/solve"
)

// ImportOptions say how Import makes archives.
type ImportOptions struct {
	Prefix       string // in front of every name, with a slash between; may begin with "authority://"
	Authority    string
	Unversioned  bool
	Metadata     map[string]string // of the archives that are made
	Tags         []string          // of the archives that are made
	Message      *string
	Dependencies Dependencies     // as UpdateOptions has them
	Strict       bool             // as UpdateOptions has it
	DryRun       bool             // only tell Each what would be taken
	Each         func(ImportItem) // told of each file, in order
}

// ImportItem is a file that Import took, or left.
type ImportItem struct {
	Path    string
	Archive string
	Version string // "" in a dry run, for an unversioned archive, and when skipped
	Status  ImportStatus
	Why     string // it was skipped
}

// ImportStatus says what became of a file.
type ImportStatus string

// What becomes of a file.
const (
	ImportCreated   ImportStatus = "created"   // a new archive
	ImportUpdated   ImportStatus = "updated"   // a new version
	ImportUnchanged ImportStatus = "unchanged" // the latest version has the same contents
	ImportSkipped   ImportStatus = "skipped"
)

// ImportSummary adds up what Import did.
type ImportSummary struct {
	Created, Updated, Unchanged, Skipped int64
	Size                                 int64 // bytes of the files
	New, Stored                          int64 // raw bytes that were new, and what they take
}

// importBatch is how many files are registered in one go.
var importBatch = 4096

// Import makes an archive of each file below a directory, named like the file,
// or a new version where there is an archive of that name. Links, empty and
// special files are skipped, and so is what cannot be the name of an archive. What was registered before an error stays; running
// it again goes on.
func (a *API) Import(ctx context.Context, dir string, opts *ImportOptions) (ImportSummary, error) {
	if opts == nil {
		opts = &ImportOptions{}
	}
	im := &importer{api: a, opts: opts}
	if err := im.prepare(ctx); err != nil {
		return im.sum, err
	}
	if fi, err := os.Stat(dir); err != nil {
		return im.sum, err
	} else if !fi.IsDir() {
		return im.sum, leaf.Errorf(fs.ErrInvalid, "%s is not a directory", dir)
	}
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return im.visit(ctx, dir, name, d)
	})
	if err == nil {
		err = im.flush(ctx)
	}
	if err == nil && !opts.DryRun {
		err = a.tellTeam(ctx, "")
	}
	return im.sum, err
}

type importer struct {
	api       *API
	opts      *ImportOptions
	prefix    string
	authority string
	user      map[string]string
	deps      solve.Settled
	team      *members
	repo      fs.FileInfo
	batch     []ImportItem
	sum       ImportSummary
}

func (im *importer) prepare(ctx context.Context) (err error) {
	named, prefix := "", ""
	if im.opts.Prefix != "" {
		if named, prefix, err = refs.ParseName(im.opts.Prefix); err == nil {
			err = refs.CheckNewName(prefix)
		}
		if err != nil {
			return err
		}
	}
	im.prefix, im.user = prefix, im.api.UserConfig()
	if im.repo, err = os.Stat(im.api.Repo()); err != nil {
		return err
	}
	if im.authority, err = im.api.chooseAuthority(im.opts.Prefix, named, im.opts.Authority); err != nil {
		return err
	}
	if im.team, err = im.api.known(ctx); err != nil {
		return err
	}
	if err = im.settle(ctx); err != nil {
		return err
	}
	return im.api.refs.CheckUserConfig(ctx, im.user)
}

// settle finds what all archives depend on.
func (im *importer) settle(ctx context.Context) (err error) {
	if im.opts.Dependencies == nil {
		return nil
	}
	list, err := solve.RequirementsOf(im.opts.Dependencies)
	if err == nil {
		im.deps, err = im.api.settle(ctx, "", list, false, im.opts.Strict)
	}
	return err
}

func (im *importer) visit(ctx context.Context, dir, name string, d fs.DirEntry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.IsDir() && im.isRepo(d) {
		return fs.SkipDir
	}
	if name != dir && names.Reserved(d.Name()) {
		im.skip(ImportItem{Path: name}, whyReserved)
		if d.IsDir() {
			return fs.SkipDir
		}
		return nil
	}
	if d.IsDir() {
		return nil
	}
	rel, err := filepath.Rel(dir, name)
	if err != nil {
		return err
	}
	item := ImportItem{Path: name}
	if !d.Type().IsRegular() {
		im.skip(item, "not a regular file")
		return nil
	}
	if item.Archive, err = newName(path.Join(im.prefix, filepath.ToSlash(rel))); err != nil {
		im.skip(item, err.Error())
		return nil
	}
	if why := names.WindowsFault(item.Archive); why != "" && onWindows {
		im.skip(item, why)
		return nil
	}
	im.batch = append(im.batch, item)
	if len(im.batch) == importBatch {
		return im.flush(ctx)
	}
	return nil
}

// newName normalises a name, and refuses one that no archive may be given.
func newName(s string) (string, error) {
	_, name, err := refs.ParseName(s)
	if err == nil {
		err = refs.CheckNewName(name)
	}
	return name, err
}

// isRepo tells the repository itself, which may have any name.
func (im *importer) isRepo(d fs.DirEntry) bool {
	fi, err := d.Info()
	return err == nil && os.SameFile(fi, im.repo)
}

func (im *importer) skip(item ImportItem, why string) {
	item.Status, item.Why = ImportSkipped, why
	im.report(item)
}

func (im *importer) report(item ImportItem) {
	switch item.Status {
	case ImportCreated:
		im.sum.Created++
	case ImportUpdated:
		im.sum.Updated++
	case ImportUnchanged:
		im.sum.Unchanged++
	case ImportSkipped:
		im.sum.Skipped++
	}
	if im.opts.Each != nil {
		im.opts.Each(item)
	}
}

// flush takes the files of a batch in, and registers them.
func (im *importer) flush(ctx context.Context) error {
	items := im.batch
	im.batch = nil
	if len(items) == 0 {
		return nil
	}
	if im.opts.DryRun {
		return im.predict(ctx, items)
	}
	w, err := im.api.writer(ctx, "import")
	if err != nil {
		return err
	}
	defer w.Close() // it keeps gc away until the versions are registered
	last, floors, err := im.load(ctx, items)
	if err != nil {
		return err
	}
	contents, err := im.unchanged(w, items, last)
	if err != nil {
		return err
	}
	for i, item := range items {
		if contents[i] != nil {
			continue
		}
		before, err := im.api.contentOf(ctx, last[i])
		if err == nil {
			contents[i], err = w.Path(item.Path, before)
		}
		if err != nil {
			return fmt.Errorf("import %s: %w", item.Path, err)
		}
	}
	if err := w.Finish(); err != nil {
		return err
	}
	raw, stored := w.Added()
	im.sum.New += raw
	im.sum.Stored += stored
	return im.register(ctx, items, last, floors, contents)
}

// load finds, for each item, the version that the next one comes after, nil if there
// is none, and the highest number that the team has ever had.
func (im *importer) load(ctx context.Context, items []ImportItem) (last []*refs.VersionRecord, floors []*refs.Version, err error) {
	last, floors = make([]*refs.VersionRecord, len(items)), make([]*refs.Version, len(items))
	err = im.api.read(ctx, func(db *refs.DB, tx *index.Tx) error {
		for i, item := range items {
			rec, err := db.Highest(ctx, item.Archive)
			if err == nil {
				last[i] = &rec
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if floors[i], err = im.team.floor(tx, item.Archive); err != nil {
				return err
			}
		}
		return nil
	})
	return last, floors, err
}

// unchanged returns the contents of the files that are those of the last version, and
// nil for the others.
func (im *importer) unchanged(w *objects.Writer, items []ImportItem, last []*refs.VersionRecord) ([]*objects.Result, error) {
	contents := make([]*objects.Result, len(items))
	var files []objects.Earlier
	var slots []int
	for i, rec := range last {
		if rec != nil && !rec.Dir {
			files = append(files, objects.Earlier{Path: items[i].Path, Tree: rec.Tree, Hash: rec.Hash})
			slots = append(slots, i)
		}
	}
	if len(files) == 0 {
		return contents, nil
	}
	same, err := w.Unchanged(files)
	if err != nil {
		return nil, err
	}
	for n, slot := range slots {
		contents[slot] = same[n]
	}
	return contents, nil
}

// handle is one for an archive that may not be there yet.
func (im *importer) handle(item ImportItem) *Archive {
	return &Archive{api: im.api, name: item.Archive}
}

func (im *importer) predict(ctx context.Context, items []ImportItem) error {
	for _, item := range items {
		if fi, err := os.Stat(item.Path); err != nil {
			return err
		} else if fi.Size() == 0 {
			im.skip(item, "empty")
			continue
		}
		item.Status = ImportCreated
		if _, err := im.api.refs.Archive(ctx, item.Archive); err == nil {
			item.Status = ImportUpdated
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		im.report(item)
	}
	return nil
}

func (im *importer) register(ctx context.Context, items []ImportItem, last []*refs.VersionRecord, floors []*refs.Version, contents []*objects.Result) error {
	var list []refs.NewArchive
	var taken []ImportItem
	for i, c := range contents {
		if c.Size == 0 {
			im.skip(items[i], "empty")
			continue
		}
		im.sum.Size += c.Size
		rec := im.record(items[i], c)
		rec.Version.Min = floors[i]
		var err error
		if rec.Version.Checksums, err = im.api.checksums(ctx, last[i], c); err != nil {
			return fmt.Errorf("import %s: %w", items[i].Path, err)
		}
		list = append(list, rec)
		taken = append(taken, items[i])
	}
	errs, err := im.api.refs.ImportAll(ctx, list)
	if err != nil {
		return err
	}
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("import %s: %w", taken[i].Path, err)
		}
		if !list[i].Created {
			im.handle(taken[i]).warnYanked(&list[i].Record)
		}
		im.report(outcome(taken[i], &list[i]))
	}
	return nil
}

func (im *importer) record(item ImportItem, c *objects.Result) refs.NewArchive {
	return refs.NewArchive{
		Archive: refs.Archive{
			Name: item.Archive, Authority: im.authority, Versioned: !im.opts.Unversioned,
			Metadata: maps.Clone(im.opts.Metadata), Tags: im.opts.Tags, UserConfig: im.user,
		},
		Version: refs.NewVersion{
			Tree: c.Tree, Hash: c.Hash, Size: c.Size, Files: c.Files, Bump: "patch",
			Message: im.opts.Message, Dependencies: im.deps.Dependencies, Resolved: im.deps.Resolved, UserConfig: im.user,
		},
	}
}

func outcome(item ImportItem, n *refs.NewArchive) ImportItem {
	item.Status = ImportUnchanged
	switch {
	case n.Made:
		item.Status = ImportCreated
	case n.Created:
		item.Status = ImportUpdated
	}
	if n.Record.Number == 0 {
		item.Version = n.Record.Version.String()
	}
	return item
}
