package datafs

import (
	"context"
	"maps"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
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
	list, err := requirementsOf(deps)
	if err != nil {
		return err
	}
	s, err := h.api.settleAll(ctx, h.name, list, false, strict)
	if err != nil {
		return err
	}
	if err := h.api.refs.SetDependencies(ctx, h.name, s.deps, s.resolved, h.api.UserConfig()); err != nil {
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
		r, err := refs.ParseRequirement(s)
		if err != nil {
			return nil, err
		}
		deps[r.Name] = askedFor(r)
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
func (h *Archive) newDependencies(ctx context.Context, opts *UpdateOptions) (settled, error) {
	if opts.Dependencies != nil && opts.Unchecked {
		return settled{deps: maps.Clone(opts.Dependencies)}, nil
	}
	if opts.Dependencies != nil {
		list, err := requirementsOf(opts.Dependencies)
		if err != nil {
			return settled{}, err
		}
		return h.api.settleAll(ctx, h.name, list, false, opts.Strict)
	}
	list, err := h.api.required(opts.Requirements)
	if err != nil {
		return settled{}, err
	}
	list = slices.DeleteFunc(slices.Clone(list), func(r refs.Requirement) bool { return r.Name == h.name })
	if len(list) == 0 {
		return settled{}, nil
	}
	return h.api.settleAll(ctx, h.name, list, opts.Requirements == "", opts.Strict)
}

// required reads requirements; "" are the API's.
func (a *API) required(fileOrText string) ([]refs.Requirement, error) {
	if fileOrText != "" {
		return a.readRequirements(fileOrText)
	}
	return a.pins()
}
