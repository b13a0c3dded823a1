package config

import (
	"io/fs"
	"strings"

	"github.com/datafs/datafs/index/leaf"
)

// Expand returns the service as it is to be opened, and reports to used each variable: "env:NAME" stands for the
// value of a variable, so that no secret need be in the file, and the paths of
// directories and zip files may begin with "~" and hold variables.
func (o *Search) Expand(s Service, used func(name, value string)) (Service, error) {
	out := s
	var err error
	if out.Args, out.Kwargs, err = o.expandArguments(s.Args, s.Kwargs, used); err != nil {
		return out, err
	}
	if k, _ := o.kinds().find(s.URL, s.Service, false); !k.Path {
		return out, nil
	}
	if text, ok := first(out.Args).(string); ok && s.Service != "TempFS" {
		if out.Args[0], err = o.expandLocation(text); err != nil {
			return s, err
		}
	}
	for _, key := range []string{"root_path", "zip_file", "temp_dir"} {
		if text, ok := out.Kwargs[key].(string); ok {
			if out.Kwargs[key], err = o.expandLocation(text); err != nil {
				return s, err
			}
		}
	}
	return out, nil
}

// ExpandManager is Expand for a manager.
func (o *Search) ExpandManager(m Manager, used func(name, value string)) (_ Manager, err error) {
	m.Args, m.Kwargs, err = o.expandArguments(m.Args, m.Kwargs, used)
	return m, err
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// expandArguments replaces "env:NAME" in all values, and returns copies.
func (o *Search) expandArguments(args []any, kwargs map[string]any, used func(name, value string)) ([]any, map[string]any, error) {
	list, err := o.expandValue(args, used)
	if err != nil {
		return nil, nil, err
	}
	m, err := o.expandValue(kwargs, used)
	if err != nil {
		return nil, nil, err
	}
	return list.([]any), m.(map[string]any), nil
}

func (o *Search) expandValue(v any, used func(name, value string)) (_ any, err error) {
	switch v := v.(type) {
	case string:
		name, env := strings.CutPrefix(v, "env:")
		if !env {
			return v, nil
		}
		value := o.env(name)
		if value == "" {
			return nil, leaf.Errorf(fs.ErrPermission, "the variable %s is not set", name)
		}
		used(name, value)
		return value, nil
	case []any:
		list := make([]any, len(v))
		for i := range v {
			if list[i], err = o.expandValue(v[i], used); err != nil {
				return nil, err
			}
		}
		return list, nil
	case map[string]any:
		m := make(map[string]any, len(v))
		for key := range v {
			if m[key], err = o.expandValue(v[key], used); err != nil {
				return nil, err
			}
		}
		return m, nil
	}
	return v, nil
}

func (o *Search) expandLocation(path string) (string, error) {
	path, err := o.ExpandPath(path)
	if err != nil {
		return "", err
	}
	return JoinPath(o.Dir, path), nil
}
