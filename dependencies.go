package datafs

import (
	"context"
	"maps"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs/solve"
)

// Dependencies returns what a version depends on: "" is the default version.
// They may name what is not here.
func (h *Archive) Dependencies(ctx context.Context, version string) (Dependencies, error) {
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return nil, err
	}
	deps := Dependencies{}
	maps.Copy(deps, rec.Last().Dependencies)
	return deps, nil
}

// SetDependencies replaces the dependencies of the latest version; nil clears
// them. Later versions inherit them. They are recorded as UpdateOptions says.
func (h *Archive) SetDependencies(ctx context.Context, deps Dependencies) error {
	return h.setDependencies(ctx, deps, false)
}

// SetDependenciesStrict is SetDependencies, but refuses what that warns of: the
// error wraps fs.ErrNotExist.
func (h *Archive) SetDependenciesStrict(ctx context.Context, deps Dependencies) error {
	return h.setDependencies(ctx, deps, true)
}

func (h *Archive) setDependencies(ctx context.Context, deps Dependencies, strict bool) error {
	versions, err := h.api.refs.Versions(ctx, h.name)
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return leaf.Errorf(ErrEmpty, "Cannot set dependencies on an empty archive")
	}
	list, err := solve.RequirementsOf(deps)
	if err != nil {
		return err
	}
	s, err := h.api.settle(ctx, h.name, list, false, strict)
	if err != nil {
		return err
	}
	if err := h.api.refs.SetDependencies(ctx, h.name, s.Dependencies, s.Resolved, h.api.UserConfig()); err != nil {
		return err
	}
	return h.api.tellTeam(ctx, h.name)
}

// ParseDependencies reads dependencies as the command takes them: NAME==VERSION,
// NAME==latest, NAME, or NAME with a range of versions such as NAME>=1.0,<2,
// whose value is then the range.
func ParseDependencies(list []string) (Dependencies, error) {
	deps := Dependencies{}
	for _, s := range list {
		r, err := solve.ParseRequirement(s)
		if err != nil {
			return nil, err
		}
		deps[r.Name] = solve.AskedFor(r)
	}
	return deps, nil
}

// DependenciesOn gives the dependencies of what is made with versions: exactly
// these. Archives that are not versioned are named without a number.
func DependenciesOn(list []Chosen) Dependencies {
	deps := Dependencies{}
	for _, c := range list {
		deps[c.Archive.name] = nil
		if c.Archive.versioned {
			deps[c.Archive.name] = new(c.Record.Version.String())
		}
	}
	return deps
}

// newDependencies returns what a new version depends on; nil inherits.
func (h *Archive) newDependencies(ctx context.Context, opts *UpdateOptions) (solve.Settled, error) {
	if opts.Dependencies != nil && opts.Unchecked {
		return solve.Settled{Dependencies: maps.Clone(opts.Dependencies)}, nil
	}
	if opts.Dependencies != nil {
		list, err := solve.RequirementsOf(opts.Dependencies)
		if err != nil {
			return solve.Settled{}, err
		}
		return h.api.settle(ctx, h.name, list, false, opts.Strict)
	}
	list, err := h.api.required(opts.Requirements)
	if err != nil {
		return solve.Settled{}, err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(r solve.Requirement) bool { return r.Name == h.name })
	if len(list) == 0 {
		return solve.Settled{}, nil
	}
	return h.api.settle(ctx, h.name, list, opts.Requirements == "", opts.Strict)
}

// required reads requirements; "" are the API's.
func (a *API) required(fileOrText string) ([]solve.Requirement, error) {
	if fileOrText != "" {
		return a.readRequirements(fileOrText)
	}
	return a.pins()
}

// settle finds what is recorded of the dependencies of an archive, and warns of what is
// strange about them, or with strict refuses it. With locked a range stands for the
// version in the lock beside the requirements, where it allows that.
func (a *API) settle(ctx context.Context, archive string, list []solve.Requirement, locked, strict bool) (s solve.Settled, err error) {
	var pins map[string]solve.Pin
	if locked && slices.ContainsFunc(list, func(r solve.Requirement) bool { return len(r.Range) > 0 }) {
		if pins, err = a.besideLock(); err != nil {
			return s, err
		}
	}
	u, err := solve.NewRecords(ctx, a.refs, list, false)
	if err != nil {
		return s, err
	}
	s, doubts, err := u.Settle(ctx, archive, list, pins, strict)
	for _, doubt := range doubts {
		a.opts.Warn(doubt)
	}
	return s, err
}
