package datafs

import (
	"context"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Spec is what an administrator requires: metadata at create, user
// configuration at create and update, and patterns of archive names.
type Spec = refs.Spec

// Prompt is a required key and the text that asks for it.
type Prompt = refs.Prompt

// Spec returns what is required.
func (a *API) Spec(ctx context.Context) (Spec, error) { return a.refs.Spec(ctx) }

// RequireMetadata requires keys of every new archive's metadata, with the texts
// that ask for them; nil takes a requirement back.
func (a *API) RequireMetadata(ctx context.Context, prompts map[string]*string) error {
	return a.editSpec(ctx, func(s *Spec) error {
		s.Metadata = merged(s.Metadata, prompts)
		return nil
	})
}

// RequireUserConfig requires keys of the user configuration, with the texts
// that ask for them; nil takes a requirement back.
func (a *API) RequireUserConfig(ctx context.Context, prompts map[string]*string) error {
	return a.editSpec(ctx, func(s *Spec) error {
		s.UserConfig = merged(s.UserConfig, prompts)
		return nil
	})
}

func merged(have map[string]string, set map[string]*string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, have)
	for k, v := range set {
		if v == nil {
			delete(out, k)
		} else {
			out[k] = *v
		}
	}
	return out
}

// RequirePatterns adds regular expressions that must be found in the name of
// every new archive, and takes others back.
func (a *API) RequirePatterns(ctx context.Context, add, remove []string) error {
	for _, p := range add {
		if _, err := regexp.Compile(p); err != nil {
			return leaf.Errorf(fs.ErrInvalid, "pattern %q: %v", p, err)
		}
	}
	return a.editSpec(ctx, func(s *Spec) error {
		s.Patterns = slices.DeleteFunc(slices.Clone(s.Patterns), func(p string) bool { return slices.Contains(remove, p) })
		for _, p := range add {
			if !slices.Contains(s.Patterns, p) {
				s.Patterns = append(s.Patterns, p)
			}
		}
		return nil
	})
}

// MissingUserConfig returns the required keys that the user's configuration
// lacks, given what else will be set.
func (a *API) MissingUserConfig(ctx context.Context, given map[string]string) ([]Prompt, error) {
	have := a.UserConfig()
	maps.Copy(have, given)
	return a.refs.Missing(ctx, refs.RequiredUserConfig, have)
}

// Table returns the name of the table in use.
func (a *API) Table() string {
	m := a.where.Profile.Manager
	if m == nil {
		return refs.DefaultTable
	}
	if name, ok := m.Kwargs["table_name"].(string); ok && name != "" {
		return name
	}
	if db, err := a.database(context.Background()); err == nil && db != nil && db.Table() != "" {
		return db.Table()
	}
	return refs.DefaultTable
}

// Tables returns the names of the manager's tables.
func (a *API) Tables(ctx context.Context) ([]string, error) {
	if db, err := a.networkDatabase(ctx); db != nil || err != nil {
		if err != nil {
			return nil, err
		}
		return db.Tables(ctx)
	}
	list, err := a.bolt.Tables(ctx)
	return slices.DeleteFunc(list, func(t string) bool { return strings.HasSuffix(t, asideSuffix) }), err
}

// CreateTable makes a table; the embedded manager makes its own when it is
// first used. Where there is one the error wraps fs.ErrExist.
func (a *API) CreateTable(ctx context.Context, name string) error {
	return a.createTable(ctx, name)
}

// DeleteTable deletes a table with all its archives. Where there is none the
// error wraps fs.ErrNotExist.
func (a *API) DeleteTable(ctx context.Context, name string) error {
	return a.deleteTable(ctx, name)
}
