package datafs

import (
	"errors"
	"io/fs"
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
	l, err := readLock(file, false)
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
	return file, append(problems, l.Unsatisfied(w.list)...), nil
}
