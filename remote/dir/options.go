package dir

import (
	"io/fs"
	"net/url"
	"strconv"

	"github.com/datafs/datafs/remote"
)

// FromService reads the arguments of the service OSFS: the root (positional
// or root_path), create, and dir_mode, which is octal if it begins with 0. "~"
// and variables have been expanded before.
func FromService(args []any, kwargs map[string]any) (*Options, error) {
	a := remote.OneArgument("OSFS", "root_path", args, kwargs)
	o := &Options{Root: a.Text("root_path"), Create: a.Flag("create", false)}
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

// FromURL reads file:///path; create and dir_mode may stand in the query.
func FromURL(u *url.URL) (*Options, error) {
	path, kwargs, err := remote.FileURL(u)
	if err != nil {
		return nil, err
	}
	return FromService([]any{path}, kwargs)
}

// TempFromService reads the arguments of the service TempFS, identifier
// (positional or by name) and temp_dir, for OpenTemp.
func TempFromService(args []any, kwargs map[string]any) (dir, identifier string, err error) {
	a := remote.OneArgument("TempFS", "identifier", args, kwargs)
	identifier, dir = a.Text("identifier"), a.Text("temp_dir")
	return dir, identifier, a.Done()
}
