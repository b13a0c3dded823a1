package datafs

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/remote/config"
)

// ConfigureTarget returns the configuration file and the profile that Configure
// would write to. The file need not exist.
func ConfigureTarget(opts *Options) (file, profile string, err error) {
	if opts == nil {
		opts = &Options{}
	}
	return config.Target(opts.places())
}

// Configure sets entries of the user configuration in the profile, which is
// made if needed with its file, and keeps everything else. Values that are
// required and missing are asked from helper; without one they are an error,
// and the file is left as it was.
func Configure(ctx context.Context, opts *Options, set map[string]string, helper func(key, prompt string) (string, error)) (err error) {
	file, profile, err := ConfigureTarget(opts)
	if err != nil {
		return err
	}
	old, err := config.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	isNew := err != nil
	if err := config.EditUserConfig(file, profile, set); err != nil {
		return err
	}
	defer func() {
		switch {
		case err == nil:
		case isNew:
			if e := os.Remove(file); !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		default:
			err = errors.Join(err, config.WriteFile(file, old))
		}
	}()
	api, err := Open(ctx, opts)
	if err != nil {
		return err
	}
	defer api.Close()
	if helper == nil {
		return api.refs.CheckUserConfig(ctx, api.UserConfig())
	}
	missing, err := api.MissingUserConfig(ctx, nil)
	if err != nil || len(missing) == 0 {
		return err
	}
	more := map[string]string{}
	for _, p := range missing {
		if more[p.Key], err = helper(p.Key, p.Text); err != nil {
			return err
		}
	}
	return config.EditUserConfig(file, profile, more)
}

// Trust records that a repository's own configuration is to be trusted, as one in
// the user's home directory is: dir is the directory that holds .datafs, or the
// repository. It holds until the repository's path, id or owner changes, and as
// long as nobody else can write the configuration. Trust returns the repository.
func Trust(ctx context.Context, dir string, opts *Options) (repo string, err error) {
	if opts == nil {
		opts = &Options{}
	}
	o := opts.places()
	if repo, err = o.Inside(dir); err != nil {
		return "", err
	}
	if err := checkLinks(repo); err != nil {
		return "", err
	}
	if err = o.Trust(ctx, repo); errors.Is(err, fs.ErrNotExist) {
		err = leaf.Errorf(fs.ErrNotExist, "there is no repository in %s", dir)
	}
	return repo, err
}
