package datafs

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/refs"
)

// CheckLock says, in sentences, in what the lock does not satisfy the
// requirements any more; nothing where it does. Only the two files are read:
// neither a repository's records nor the network is needed.
func (a *API) CheckLock(opts *LockOptions) (file string, problems []string, err error) {
	if opts == nil {
		opts = &LockOptions{}
	}
	file = a.LockFile(opts.Requirements)
	w, err := a.wished(&ChooseOptions{Requirements: opts.Requirements})
	if err != nil {
		return file, nil, err
	}
	l, err := readLock(file, withoutFiles)
	if errors.Is(err, fs.ErrNotExist) {
		return file, []string{"there is no such lock"}, nil
	}
	if err != nil {
		return file, nil, err
	}
	if opts.Deps != nil && *opts.Deps != l.Deps {
		problems = append(problems, "it was made without the dependencies")
		if l.Deps {
			problems[0] = "it was made with the dependencies"
		}
	}
	return file, append(problems, l.unsatisfied(w.list)...), nil
}

// unsatisfied compares a lock with requirements.
func (l *Lock) unsatisfied(list []refs.Requirement) (problems []string) {
	at := map[string]*Locked{}
	for i := range l.Archives {
		at[l.Archives[i].Archive] = &l.Archives[i]
	}
	required := map[string]bool{}
	for _, r := range list {
		required[r.Name] = true
		if text := at[r.Name].lacks(r); text != "" {
			problems = append(problems, text)
		}
	}
	for _, text := range l.Requirements {
		r, err := refs.ParseRequirement(text)
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
func (l *Locked) lacks(r refs.Requirement) string {
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
