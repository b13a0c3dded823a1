package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// Whoever can put a directory .datafs above the working directory could make a
// command of this user's work for them. So a repository that is found upwards
// must belong to the user, and a repository's own configuration, however found,
// reaches nothing that the user's own would, until the user trusts it. A record
// of that trust is a repository's path, id and owner (trustfile.go).

// isOwn reports whether a file belongs to the user, to root or, under sudo, to
// who called it.
func (o *Search) isOwn(fi fs.FileInfo) bool {
	owner, me := ownerOf(fi), thisUser()
	switch owner {
	case "", me, "0":
		return true
	}
	return me == "0" && owner == o.env("SUDO_UID")
}

// checkOwner refuses a repository that was found upwards and is somebody else's,
// unless the user trusts it. Directories above the one that holds it are not
// looked at.
func (o *Search) checkOwner(repo string) error {
	for _, f := range []struct {
		name string
		stat func(string) (fs.FileInfo, error)
	}{
		{filepath.Dir(repo), os.Stat}, {repo, os.Lstat}, {repo, os.Stat}, {filepath.Join(repo, FileName), os.Lstat},
	} {
		fi, err := f.stat(f.name)
		if errors.Is(err, fs.ErrNotExist) && filepath.Base(f.name) == FileName {
			continue
		}
		if err != nil {
			return fmt.Errorf("repository %s: %w", repo, err)
		}
		if !o.isOwn(fi) && o.distrust(repo) != nil {
			return foreignError(repo, f.name, ownerOf(fi))
		}
	}
	return nil
}

func foreignError(repo, name, owner string) error {
	dir := filepath.Dir(repo)
	return &leaf.HintError{
		Err: leaf.Errorf(fs.ErrPermission, "repository %s was found, but %s belongs to %s: it is not used", repo, name, userName(owner)),
		Hint: fmt.Sprintf(`"--repo %s" uses it all the same, "datafs configure --trust %s" trusts it and its configuration, "datafs init DIR" makes one in a directory of your own`,
			repo, dir),
	}
}

// userName writes a user's number with the name, if there is one.
func userName(uid string) string {
	if u, err := user.LookupId(uid); err == nil {
		return fmt.Sprintf("%s (uid %s)", u.Username, uid)
	}
	return "uid " + uid
}

// trustPath is what a record calls a repository: its absolute path without
// links, but for the last part, which may be one.
func trustPath(repo string) (string, error) {
	repo, err := filepath.Abs(repo)
	if err != nil {
		return "", err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(repo))
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.Base(repo)), nil
}

// trustRecord makes the record of a repository as it is now.
func newTrustRecord(repo string) (r trustRecord, err error) {
	if r.path, err = trustPath(repo); err != nil {
		return r, err
	}
	fi, err := os.Stat(repo)
	if err != nil {
		return r, err
	}
	format, err := objects.ReadFormat(repo)
	r.id, r.owner = format.ID, ownerOf(fi)
	return r, err
}

// distrust says why a repository's own configuration is not trusted; nil: it is.
func (o *Search) distrust(repo string) error {
	if o.named(repo) {
		return nil
	}
	now, err := newTrustRecord(repo)
	if err != nil {
		return err
	}
	records, err := o.readTrusted()
	if err != nil {
		return err
	}
	then, ok := findTrust(records, now.path)
	switch {
	case !ok:
		return errors.New("nobody has recorded that it is")
	case then.id != now.id:
		return errors.New("another repository lay there when it was trusted")
	case then.owner != now.owner:
		return fmt.Errorf("it belonged to %s when it was trusted, and belongs to %s now", userName(then.owner), userName(now.owner))
	}
	return o.writableByOthers(repo, now.owner)
}

// named reports whether the environment names the repository as trusted.
func (o *Search) named(repo string) bool {
	list := o.env("DATAFS_TRUST")
	if list == "" {
		return false
	}
	path, err := trustPath(repo)
	if err != nil {
		return false
	}
	for _, dir := range filepath.SplitList(list) {
		if dir == "" {
			continue
		}
		one, err := repoOrInside(JoinPath(o.Dir, o.ExpandHome(dir)))
		if err != nil {
			continue
		}
		if one, err = trustPath(one); err == nil && one == path {
			return true
		}
	}
	return false
}

// writableByOthers says who else than the user, or the repository's owner, could
// have written its configuration; nil: nobody.
func (o *Search) writableByOthers(repo, owner string) error {
	config := filepath.Join(repo, FileName)
	for _, f := range []struct {
		name string
		stat func(string) (fs.FileInfo, error)
	}{{repo, os.Stat}, {config, os.Lstat}} {
		fi, err := f.stat(f.name)
		if errors.Is(err, fs.ErrNotExist) && f.name == config {
			return nil
		}
		if err != nil {
			return err
		}
		if !o.isOwn(fi) && ownerOf(fi) != owner {
			return fmt.Errorf("%s belongs to %s", f.name, userName(ownerOf(fi)))
		}
		if othersWrite(fi) {
			return &leaf.HintError{Err: fmt.Errorf("others can write %s", f.name), Hint: "chmod go-w " + f.name}
		}
	}
	return nil
}

// DistrustHint says how to trust a repository.
func DistrustHint(repo string, why error) string {
	var own *leaf.HintError
	if errors.As(why, &own) {
		return own.Hint
	}
	dir := repo
	if filepath.Base(repo) == RepoName {
		dir = filepath.Dir(repo)
	}
	return fmt.Sprintf(`read %s, then "datafs configure --trust %s"`, filepath.Join(repo, FileName), dir)
}

// Inside returns the repository that a directory is or holds.
func (o *Search) Inside(dir string) (repo string, err error) {
	return repoOrInside(JoinPath(o.Dir, o.ExpandHome(dir)))
}

// Trust records that a repository's own configuration is to be trusted. That ends when
// the repository's path, id or owner changes, or somebody else can write the configuration.
// Where there is no repository the error wraps fs.ErrNotExist.
func (o *Search) Trust(ctx context.Context, repo string) error {
	r, err := newTrustRecord(repo)
	if err != nil {
		return err
	}
	if err := o.writableByOthers(repo, r.owner); err != nil {
		return &leaf.HintError{Err: leaf.Errorf(fs.ErrPermission, "%s cannot be trusted: %v", repo, err), Hint: leaf.HintIn(err)}
	}
	return o.addTrust(ctx, r)
}

// TrustNew trusts a repository that has just been made, unless others can write
// what it will be configured by.
func (o *Search) TrustNew(ctx context.Context, repo string) error {
	r, err := newTrustRecord(repo)
	if err != nil {
		return err
	}
	for _, stat := range []func(string) (fs.FileInfo, error){os.Lstat, os.Stat} {
		fi, err := stat(repo)
		if err != nil {
			return err
		}
		if !o.isOwn(fi) {
			return fmt.Errorf("%s belongs to %s", repo, userName(ownerOf(fi)))
		}
	}
	if err := o.writableByOthers(repo, r.owner); err != nil {
		return err
	}
	return o.addTrust(ctx, r)
}
