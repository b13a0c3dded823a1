package lockfile

import (
	"fmt"
	"slices"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/solve"
)

// Unsatisfied says, in sentences, in what the lock does not satisfy requirements; it
// returns nil if it does.
func (l *Lock) Unsatisfied(list []solve.Requirement) (problems []string) {
	at := l.byName()
	required := map[string]bool{}
	for _, r := range list {
		required[r.Name] = true
		if text := at[r.Name].lacks(r); text != "" {
			problems = append(problems, text)
		}
	}
	for _, text := range l.Requirements {
		r, err := solve.ParseRequirement(text)
		if err == nil && !required[r.Name] {
			problems = append(problems, fmt.Sprintf("%s is not required any more", r.Name))
		}
		required[r.Name] = true
	}
	if l.Deps {
		return problems
	}
	for i := range l.Archives {
		if name := l.Archives[i].Archive; !required[name] {
			problems = append(problems, fmt.Sprintf("%s is not required", name))
		}
	}
	return slices.Compact(problems)
}

// lacks says in what an entry, or its absence, does not satisfy.
func (l *Archive) lacks(r solve.Requirement) string {
	switch {
	case l == nil:
		return fmt.Sprintf("%s is not in the lock", r.Name)
	case r.Authority != "" && r.Authority != l.Authority:
		return fmt.Sprintf("%s is required, the lock has it at %s", r, l.Authority)
	case l.Version == "":
		if r.Version != nil || len(r.Range) > 0 {
			return fmt.Sprintf("%s is required, the lock has no version of it", r)
		}
		return ""
	}
	if v, err := refs.ParseVersion(l.Version); err != nil || !r.Allows(v) {
		return fmt.Sprintf("%s is required, the lock has %s", r, l.Version)
	}
	return ""
}
