package datafs

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/solve"
)

// WhyOptions say among which versions reasons are looked for.
type WhyOptions struct {
	Requirements string // a file, or text with requirements; "": those of the API
}

// Reasons says why an archive is needed.
type Reasons struct {
	Archive, Version string     // "" of an unversioned archive
	Chains           [][]string // steps from the requirements to the archive, the shortest chain first
	More             bool       // there are more chains than these
}

// Why finds out why an archive is among what the requirements and the
// dependencies choose. Where nothing asks for it the error wraps fs.ErrNotExist.
func (a *API) Why(ctx context.Context, name string, opts *WhyOptions) (r Reasons, err error) {
	if opts == nil {
		opts = &WhyOptions{}
	}
	_, normal, err := refs.ParseName(name)
	if err != nil {
		return r, err
	}
	list, _, err := a.choose(ctx, &ChooseOptions{Requirements: opts.Requirements, Deps: true, Lock: a.LockFile(opts.Requirements)})
	if err != nil {
		return r, err
	}
	a.chosen(list) // warns
	i := slices.IndexFunc(list, func(c solve.Chosen) bool { return c.Archive.Name == normal })
	if i < 0 {
		return r, leaf.Errorf(fs.ErrNotExist, "nothing in the requirements asks for %q, nor do their dependencies", normal)
	}
	if r.Archive = normal; list[i].Archive.Versioned {
		r.Version = list[i].Record.Version.String()
	}
	r.Chains, r.More = solve.Chains(list, normal, a.requirementsLabel(opts.Requirements))
	return r, nil
}

// requirementsLabel is how messages call the requirements.
func (a *API) requirementsLabel(fileOrText string) string {
	if file := a.requirementsFile(fileOrText); file != "" {
		return filepath.Base(file)
	}
	return "requirements"
}
