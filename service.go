package datafs

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
)

// expand returns the service as it is to be opened: "env:NAME" stands for the
// value of a variable, so that no secret need be in the file, and the paths of
// directories and zip files may begin with "~" and hold variables.
func (a *API) expand(s Service) (Service, error) {
	out := s
	err := a.where.allowed(s)
	if err != nil {
		return s, err
	}
	if out.Args, out.Kwargs, err = a.expandArguments(s.Args, s.Kwargs); err != nil || !s.hasPath() {
		return out, err
	}
	if text, ok := first(out.Args).(string); ok && s.Service != "TempFS" {
		if out.Args[0], err = a.expandLocation(text); err != nil {
			return s, err
		}
	}
	for _, key := range []string{"root_path", "zip_file", "temp_dir"} {
		if text, ok := out.Kwargs[key].(string); ok {
			if out.Kwargs[key], err = a.expandLocation(text); err != nil {
				return s, err
			}
		}
	}
	return out, nil
}

// expandManager is expand for a manager.
func (a *API) expandManager(m *ManagerConfig) (out ManagerConfig, err error) {
	if err := a.where.allowedManager(m); err != nil {
		return *m, err
	}
	out = *m
	out.Args, out.Kwargs, err = a.expandArguments(m.Args, m.Kwargs)
	return out, err
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// expandArguments replaces "env:NAME" in all values, and returns copies.
func (a *API) expandArguments(args []any, kwargs map[string]any) ([]any, map[string]any, error) {
	list, err := a.expandValue(args)
	if err != nil {
		return nil, nil, err
	}
	m, err := a.expandValue(kwargs)
	if err != nil {
		return nil, nil, err
	}
	return list.([]any), m.(map[string]any), nil
}

// hasPath says that the service is named by a path on this machine.
func (s Service) hasPath() bool {
	return s.Service == "OSFS" || s.Service == "ZipFS" || s.Service == "TempFS"
}

func (a *API) expandValue(v any) (_ any, err error) {
	switch v := v.(type) {
	case string:
		name, env := strings.CutPrefix(v, "env:")
		if !env {
			return v, nil
		}
		value := a.opts.Getenv(name)
		if value == "" {
			return nil, leaf.Errorf(fs.ErrPermission, "the variable %s is not set", name)
		}
		a.secrets.add(name, value)
		return value, nil
	case []any:
		list := make([]any, len(v))
		for i := range v {
			if list[i], err = a.expandValue(v[i]); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		m := make(map[string]any, len(v))
		for key := range v {
			if m[key], err = a.expandValue(v[key]); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	return v, nil
}

func (a *API) expandLocation(path string) (_ string, err error) {
	defer func() { err = a.secrets.error(err) }()
	path, err = a.opts.places().expandPath(path)
	if err != nil {
		return "", err
	}
	return joinPath(a.opts.Dir, path), nil
}

// SeedProfile returns another profile of the configuration in use, such as the
// one with which the original DataFS was used, with the values of variables in
// the arguments of its manager and its authorities.
func (a *API) SeedProfile(name string) (Profile, error) {
	p, err := a.where.Config.Profile(name)
	if err != nil {
		return p, err
	}
	p.Authorities = slices.Clone(p.Authorities)
	if a.where.Distrust != nil {
		p.distrusted()
	}
	for i := range p.Authorities {
		if p.Authorities[i].Service, err = a.expand(p.Authorities[i].Service); err != nil {
			return p, fmt.Errorf("authority %q: %w", p.Authorities[i].Name, err)
		}
	}
	if p.Manager != nil {
		m, err := a.expandManager(p.Manager)
		if err != nil {
			return p, fmt.Errorf("manager: %w", err)
		}
		p.Manager = &m
	}
	return p, nil
}
