package datafs

import (
	"context"
	"errors"
	"io/fs"
	"os"
)

// ConfigureTarget returns the configuration file and the profile that Configure
// would write to. The file need not exist.
func ConfigureTarget(opts *Options) (file, profile string, err error) {
	if opts == nil {
		opts = &Options{}
	}
	return configureTarget(opts.places())
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
	old, err := readConfigFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	isNew := err != nil
	if err := EditUserConfig(file, profile, set); err != nil {
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
			err = errors.Join(err, writeConfigFile(file, old))
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
	return EditUserConfig(file, profile, more)
}
