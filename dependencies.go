package datafs

import (
	"context"
	"maps"

	"github.com/datafs/datafs/refs"
)

// Dependencies returns what a version depends on: "" is the default version.
// Nothing of it is validated.
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
// them. Later versions inherit them.
func (h *Archive) SetDependencies(ctx context.Context, deps Dependencies) error {
	rec, err := h.latestOrNil(ctx)
	if err != nil {
		return err
	}
	if rec == nil {
		return errorf(ErrEmpty, "Cannot set dependencies on an empty archive")
	}
	if err := h.api.refs.SetDependencies(ctx, h.name, deps, h.api.UserConfig()); err != nil {
		return err
	}
	return h.api.tellTeam(ctx, h.name)
}

// ParseDependencies reads dependencies as the command takes them: NAME==VERSION
// or NAME.
func ParseDependencies(list []string) (Dependencies, error) {
	var reqs []refs.Requirement
	for _, s := range list {
		r, err := refs.ParseRequirement(s)
		if err != nil {
			return nil, err
		}
		reqs = append(reqs, r)
	}
	return refs.DependenciesOf(reqs, ""), nil
}
