package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// Archive is a named thing with versions, metadata, tags, dependencies and a
// history. A handle holds no state of the archive but its name: each method
// sees what is so when it is called.
type Archive struct {
	api       *API
	name      string
	authority string
	versioned bool
	pin       string // default version of this handle; "": none
}

// CreateOptions describe a new archive.
type CreateOptions struct {
	Authority   string // name of the authority; "": the one in the name's prefix, or the only one
	Unversioned bool   // contents are replaced in place
	ExistOK     bool   // an archive that is there already is returned instead of an error
	Metadata    map[string]string
	Tags        []string

	// Helper, if set, is asked for each required value that is missing.
	Helper func(key, prompt string) (string, error)
}

// Create makes an archive. The name may begin with "authority://". Where there
// is one of that name the error wraps fs.ErrExist.
func (a *API) Create(ctx context.Context, name string, opts *CreateOptions) (*Archive, error) {
	if opts == nil {
		opts = &CreateOptions{}
	}
	prefix, normal, err := refs.ParseName(name)
	if err != nil {
		return nil, err
	}
	authority, err := a.chooseAuthority(name, prefix, opts.Authority)
	if err != nil {
		return nil, err
	}
	rec := refs.Archive{
		Name: normal, Authority: authority, Versioned: !opts.Unversioned,
		Metadata: maps.Clone(opts.Metadata), Tags: opts.Tags, UserConfig: a.UserConfig(),
	}
	if err := a.ask(ctx, refs.RequiredUserConfig, &rec.UserConfig, opts.Helper); err != nil {
		return nil, err
	}
	if err := a.ask(ctx, refs.RequiredMetadata, &rec.Metadata, opts.Helper); err != nil {
		return nil, err
	}
	fault, err := a.windowsFault(ctx, normal)
	if err != nil {
		return nil, err
	}
	if rec, err = a.refs.Create(ctx, rec, &refs.CreateOptions{ExistOK: opts.ExistOK}); err != nil {
		return nil, err
	}
	if fault != "" {
		a.opts.Warn(fmt.Sprintf("archive %q cannot be checked out on Windows: %s", normal, fault))
	}
	a.warnSimilar(ctx, normal)
	return a.handle(rec), a.tellTeam(ctx, normal)
}

// ask fills in required values that are missing, where there is a helper.
func (a *API) ask(ctx context.Context, kind refs.SpecKind, have *map[string]string, helper func(key, prompt string) (string, error)) error {
	if helper == nil {
		return nil
	}
	missing, err := a.refs.Missing(ctx, kind, *have)
	if err != nil {
		return err
	}
	for _, p := range missing {
		v, err := helper(p.Key, p.Text)
		if err != nil {
			return err
		}
		if *have == nil {
			*have = map[string]string{}
		}
		(*have)[p.Key] = v
	}
	return nil
}

func (a *API) warnSimilar(ctx context.Context, name string) {
	similar, err := a.refs.Similar(ctx, name)
	if err != nil {
		return // a warning is not worth an error
	}
	for _, other := range similar[name] {
		a.opts.Warn(fmt.Sprintf("%q differs from the archive %q only in case or in Unicode form", name, other))
	}
}

func (a *API) handle(r refs.Archive) *Archive {
	return &Archive{api: a, name: r.Name, authority: r.Authority, versioned: r.Versioned}
}

// ArchiveOptions say how to use an archive.
type ArchiveOptions struct {
	DefaultVersion string // for reads that name none; "": the requirements' pin, else the latest
}

// Archive finds an archive. The name may begin with "authority://", which must
// then be the archive's own. Where there is none the error wraps
// fs.ErrNotExist.
func (a *API) Archive(ctx context.Context, name string, opts *ArchiveOptions) (*Archive, error) {
	prefix, normal, err := refs.ParseName(name)
	if err != nil {
		return nil, err
	}
	if err := a.knownAuthority(prefix); err != nil {
		return nil, err
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, err
	}
	rec, err := a.refs.Archive(ctx, normal)
	if err != nil {
		return nil, err
	}
	if prefix != "" && prefix != rec.Authority {
		return nil, leaf.Errorf(fs.ErrNotExist, `Archive "%s" not found on %s. Did you mean "%s://%s"?`, normal, prefix, rec.Authority, normal)
	}
	h := a.handle(rec)
	if opts != nil && opts.DefaultVersion != "" {
		if h.pin, err = checkVersion(opts.DefaultVersion); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// Archives finds several archives, by the names as given. Names without an
// archive are left out. versions may hold a default version for some of them.
func (a *API) Archives(ctx context.Context, names []string, versions map[string]string) (map[string]*Archive, error) {
	found := map[string]*Archive{}
	for _, name := range names {
		h, err := a.Archive(ctx, name, &ArchiveOptions{DefaultVersion: versions[name]})
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		found[name] = h
	}
	return found, nil
}

// Delete removes an archive with all its versions. Until the grace of GC ends it can
// be brought back.
func (a *API) Delete(ctx context.Context, name string) error {
	h, err := a.Archive(ctx, name, nil)
	if err != nil {
		return err
	}
	return h.Delete(ctx)
}

// Delete removes the archive with all its versions. Until the grace of GC ends it can
// be brought back.
func (h *Archive) Delete(ctx context.Context) error {
	if err := h.api.withReserve(func() error { return h.api.refs.Delete(ctx, h.name) }); err != nil {
		return err
	}
	return h.api.tellTeam(ctx, h.name)
}

// Name returns the archive's normalised name.
func (h *Archive) Name() string { return h.name }

// Authority returns the name of the authority that the archive belongs to.
func (h *Archive) Authority() string { return h.authority }

// Versioned says whether each change makes a new, permanent version.
func (h *Archive) Versioned() bool { return h.versioned }

// String returns the form in which archives are printed everywhere.
func (h *Archive) String() string {
	return refs.Archive{Name: h.name, Authority: h.authority}.String()
}

// Metadata returns the archive's metadata.
func (h *Archive) Metadata(ctx context.Context) (map[string]string, error) {
	rec, err := h.api.refs.Archive(ctx, h.name)
	return rec.Metadata, err
}

// UpdateMetadata sets keys, keeps the others, and removes those set to nil
// unless they are required.
func (h *Archive) UpdateMetadata(ctx context.Context, set map[string]*string) error {
	if err := h.api.refs.UpdateMetadata(ctx, h.name, set); err != nil {
		return err
	}
	return h.api.tellTeam(ctx, h.name)
}

// Tags returns the archive's tags in the order in which they were added.
func (h *Archive) Tags(ctx context.Context) ([]string, error) {
	rec, err := h.api.refs.Archive(ctx, h.name)
	return rec.Tags, err
}

// AddTags adds tags, in lower case; those that are there stay where they are.
func (h *Archive) AddTags(ctx context.Context, tags ...string) error {
	if err := h.api.refs.AddTags(ctx, h.name, tags...); err != nil {
		return err
	}
	return h.api.tellTeam(ctx, h.name)
}

// DeleteTags removes tags; those that are not there are no error.
func (h *Archive) DeleteTags(ctx context.Context, tags ...string) error {
	if err := h.api.refs.DeleteTags(ctx, h.name, tags...); err != nil {
		return err
	}
	return h.api.tellTeam(ctx, h.name)
}

// Record returns all that is recorded of the archive itself.
func (h *Archive) Record(ctx context.Context) (refs.Archive, error) {
	return h.api.refs.Archive(ctx, h.name)
}

// tree opens the content of a version, which is fetched where it is not here.
func (h *Archive) tree(ctx context.Context, v *refs.VersionRecord) (*objects.Tree, error) {
	t, err := h.content(v).Tree(ctx, v.Tree)
	if err != nil {
		return nil, fmt.Errorf("%s version %s: %w", h.name, v.Label(), err)
	}
	return t, nil
}
