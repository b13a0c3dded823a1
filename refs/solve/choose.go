package solve

import (
	"context"

	"github.com/datafs/datafs/refs"
)

// Choose resolves requirements, by name of the archive. What pins has is kept while it
// satisfies. Errors are those of Resolve, and wrap fs.ErrNotExist for what was deleted
// meanwhile.
func (u *Records) Choose(ctx context.Context, list []Requirement, pins map[string]Pin) ([]Chosen, error) {
	prefer := map[string]refs.Version{}
	for name, p := range pins {
		if p.Versioned {
			prefer[name] = p.Version
		}
	}
	choices, err := Resolve(ctx, u, list, &Options{Deps: u.deps, Prefer: prefer})
	if err != nil {
		return nil, err
	}
	return u.records(ctx, choices, pins)
}

// Texts returns reasons as sentences. They name no lines, so that a lock does
// not change when a comment is added to the requirements.
func Texts(reasons []Reason) []string {
	var list []string
	for _, r := range reasons {
		text := "required as " + r.Requirement.String()
		if r.From != "" {
			text = reasonFrom(r) + " depends on " + r.Requirement.String()
		}
		list = append(list, text)
	}
	return list
}

// reasonFrom is the version that has the dependency.
func reasonFrom(r Reason) string {
	if r.FromVersion.IsZero() {
		return r.From
	}
	return r.From + " " + r.FromVersion.String()
}
