package remote

import (
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// DirFromService reads the arguments of the service OSFS: the root (positional
// or root_path), create, and dir_mode, which is octal if it begins with 0. "~"
// and variables have been expanded before.
func DirFromService(args []any, kwargs map[string]any) (*DirOptions, error) {
	a := OneArgument("OSFS", "root_path", args, kwargs)
	o := &DirOptions{Root: a.Text("root_path"), Create: a.Flag("create", false)}
	if mode := a.Text("dir_mode"); mode != "" {
		bits, err := strconv.ParseUint(mode, 0, 16)
		if err != nil || bits == 0 || bits > 0o7777 {
			a.Fail("dir_mode must be a mode such as 0775, not %.40q", mode)
		}
		o.DirMode = fs.FileMode(bits & 0o777)
	}
	if o.Root == "" {
		a.Fail("needs a directory")
	}
	return o, a.Done()
}

// DirFromURL reads file:///path; create and dir_mode may stand in the query.
func DirFromURL(u *url.URL) (*DirOptions, error) {
	path, kwargs, err := fileURL(u)
	if err != nil {
		return nil, err
	}
	return DirFromService([]any{path}, kwargs)
}

// TempFromService reads the arguments of the service TempFS, identifier
// (positional or by name) and temp_dir, for OpenTemp.
func TempFromService(args []any, kwargs map[string]any) (dir, identifier string, err error) {
	a := OneArgument("TempFS", "identifier", args, kwargs)
	identifier, dir = a.Text("identifier"), a.Text("temp_dir")
	return dir, identifier, a.Done()
}

// ZipFromService reads the arguments of the service ZipFS: the file (positional
// or zip_file), create, and mode: "r" only reads, "a" and "w" make the file if
// it is missing and keep what is in it. compression, allow_zip_64 and encoding
// are taken and change nothing: entries are stored, of any size, with names in
// ASCII.
func ZipFromService(args []any, kwargs map[string]any) (*ZipOptions, error) {
	a := OneArgument("ZipFS", "zip_file", args, kwargs)
	o := &ZipOptions{Path: a.Text("zip_file"), Create: a.Flag("create", false)}
	switch mode := a.Text("mode"); mode {
	case "":
	case "r":
		o.ReadOnly = true
	case "a", "w":
		o.Create = true
	default:
		a.Fail("mode must be r, w or a, not %.40q", mode)
	}
	a.Text("compression", "allow_zip_64", "encoding")
	if o.Path == "" {
		a.Fail("needs a zip file")
	}
	return o, a.Done()
}

// ZipFromURL reads zip:///path/file.zip; create and mode may stand in the
// query.
func ZipFromURL(u *url.URL) (*ZipOptions, error) {
	path, kwargs, err := fileURL(u)
	if err != nil {
		return nil, err
	}
	return ZipFromService([]any{path}, kwargs)
}

// fileURL takes the URL of a file of this machine apart.
func fileURL(u *url.URL) (path string, kwargs map[string]any, err error) {
	if u.Host != "" && u.Host != "localhost" || u.User != nil || u.Path == "" {
		return "", nil, fmt.Errorf("%s: such an address has three slashes and a path, as %s:///mnt/data", u.Scheme, u.Scheme)
	}
	kwargs = map[string]any{}
	for key, values := range u.Query() {
		kwargs[key] = values[len(values)-1]
	}
	path = u.Path
	if runtime.GOOS == "windows" && len(path) > 2 && path[2] == ':' {
		path = strings.TrimPrefix(path, "/")
	}
	return filepath.FromSlash(path), kwargs, nil
}
