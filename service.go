package datafs

import (
	"io/fs"
	"strings"
)

// expand returns the service as it is to be opened: "env:NAME" stands for the
// value of a variable, so that no secret need be in the file, and the paths of
// directories and zip files may begin with "~" and hold variables.
func (a *API) expand(s Service) (Service, error) {
	out := s
	out.Args = make([]any, len(s.Args))
	for i, v := range s.Args {
		var err error
		if out.Args[i], err = a.expandValue(v); err != nil {
			return s, err
		}
		if text, ok := out.Args[i].(string); ok && i == 0 && s.hasPath() && s.Service != "TempFS" {
			if out.Args[i], err = a.expandLocation(text); err != nil {
				return s, err
			}
		}
	}
	out.Kwargs = make(map[string]any, len(s.Kwargs))
	for k, v := range s.Kwargs {
		var err error
		if out.Kwargs[k], err = a.expandValue(v); err != nil {
			return s, err
		}
		text, ok := out.Kwargs[k].(string)
		if ok && s.hasPath() && (k == "root_path" || k == "zip_file" || k == "temp_dir") {
			if out.Kwargs[k], err = a.expandLocation(text); err != nil {
				return s, err
			}
		}
	}
	return out, nil
}

// hasPath says that the service is named by a path on this machine.
func (s Service) hasPath() bool {
	return s.Service == "OSFS" || s.Service == "ZipFS" || s.Service == "TempFS"
}

func (a *API) expandValue(v any) (any, error) {
	text, ok := v.(string)
	name, env := strings.CutPrefix(text, "env:")
	if !ok || !env {
		return v, nil
	}
	value := a.opts.Getenv(name)
	if value == "" {
		return nil, errorf(fs.ErrPermission, "the variable %s is not set", name)
	}
	return value, nil
}

func (a *API) expandLocation(path string) (string, error) {
	path, err := a.opts.places().expandPath(path)
	if err != nil {
		return "", err
	}
	return joinPath(a.opts.Dir, path), nil
}
