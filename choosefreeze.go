package datafs

import (
	"context"
	"io/fs"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/solve"
)

// FreezeOptions say what to freeze.
type FreezeOptions struct {
	Requirements string   // a file, or text with requirements; "": those of the API
	Archives     []string // requirements instead of those
	All          bool     // all archives that have contents, also where there are requirements
	Deps         bool     // also what they depend on
}

// Freeze returns requirements that pin exactly what is chosen now: of the
// archives that are named, else of the requirements, else of all archives. What
// the lock beside the requirements has is kept while it satisfies.
func (a *API) Freeze(ctx context.Context, opts *FreezeOptions) ([]solve.Requirement, error) {
	if opts == nil {
		opts = &FreezeOptions{}
	}
	chosen, err := a.toFreeze(ctx, opts)
	if err != nil {
		return nil, err
	}
	list := make([]solve.Requirement, len(chosen))
	for i := range chosen {
		if list[i], err = frozen(&chosen[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func (a *API) toFreeze(ctx context.Context, opts *FreezeOptions) ([]Chosen, error) {
	if !opts.All {
		list, _, err := a.requirementsOr(opts.Requirements)
		if err != nil {
			return nil, err
		}
		// An empty file is none: the shell makes one before "datafs freeze > FILE" runs.
		if len(list) > 0 || len(opts.Archives) > 0 {
			return a.Choose(ctx, &ChooseOptions{
				Requirements: opts.Requirements, Archives: opts.Archives, Deps: opts.Deps, Lock: a.LockFile(opts.Requirements),
			})
		}
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, err
	}
	var chosen []solve.Chosen
	err := a.refs.Read(ctx, func(db *refs.DB) error {
		list, err := withContents(ctx, db)
		if err != nil {
			return err
		}
		u, err := a.records(ctx, db, list, opts.Deps)
		if err == nil {
			chosen, err = u.Choose(ctx, list, nil)
		}
		return err
	})
	return a.chosen(chosen), err
}

// withContents requires any version of all archives that have one which is not
// yanked.
func withContents(ctx context.Context, db *refs.DB) ([]solve.Requirement, error) {
	good := map[string]bool{}
	for v, err := range db.AllVersions(ctx) {
		if err != nil {
			return nil, err
		}
		if v.Yanked() == nil {
			good[v.Archive] = true
		}
	}
	var list []solve.Requirement
	for name, err := range db.Names(ctx, "") {
		if err != nil {
			return nil, err
		}
		if good[name] {
			list = append(list, solve.Requirement{Name: name})
		}
	}
	return list, nil
}

// frozen is the requirement that pins a version.
func frozen(c *Chosen) (solve.Requirement, error) {
	r := solve.Requirement{Name: c.Archive.name}
	if c.Archive.versioned {
		r.Version = &c.Record.Version
	}
	back, err := solve.ParseRequirements(r.String(), "x")
	if err != nil || len(back) != 1 || back[0].Name != r.Name || back[0].String() != r.String() {
		return r, leaf.Errorf(fs.ErrInvalid, "%q cannot be written as a line of requirements", r.String())
	}
	return r, nil
}
