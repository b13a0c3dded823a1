package zip

import (
	"net/url"

	"github.com/datafs/datafs/remote"
)

// FromService reads the arguments of the service ZipFS: the file (positional
// or zip_file), create, and mode: "r" only reads, "a" and "w" make the file if
// it is missing and keep what is in it. compression, allow_zip_64 and encoding
// are taken and change nothing: entries are stored, of any size, with names in
// ASCII.
func FromService(args []any, kwargs map[string]any) (*Options, error) {
	a := remote.OneArgument("ZipFS", "zip_file", args, kwargs)
	o := &Options{Path: a.Text("zip_file"), Create: a.Flag("create", false)}
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

// FromURL reads zip:///path/file.zip; create and mode may stand in the
// query.
func FromURL(u *url.URL) (*Options, error) {
	path, kwargs, err := remote.FileURL(u)
	if err != nil {
		return nil, err
	}
	return FromService([]any{path}, kwargs)
}
