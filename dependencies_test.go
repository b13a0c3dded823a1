package datafs

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// depends is the text of dependencies.
func depends(deps Dependencies) string {
	list := slices.Sorted(maps.Keys(deps))
	for i, name := range list {
		if v := deps[name]; v != nil {
			list[i] += "==" + *v
		}
	}
	return strings.Join(list, " ")
}

func dependenciesOf(t *testing.T, h *Archive, version string) string {
	t.Helper()
	return depends(must(h.Dependencies(t.Context(), version))(t))
}

func TestWhatANewVersionDependsOn(t *testing.T) {
	given := Dependencies{"given": new("9.9"), "free": nil}
	for _, c := range []struct {
		name         string
		requirements string // the API's
		before       Dependencies
		opts         UpdateOptions
		want         string
	}{
		{"nothing at first", "", nil, UpdateOptions{}, ""},
		{"what is given", "", nil, UpdateOptions{Dependencies: given}, "free given==9.9"},
		{"given ones beat a requirements file", "a==1.0", nil, UpdateOptions{Dependencies: given}, "free given==9.9"},
		{"given to be none", "a==1.0", given, UpdateOptions{Dependencies: Dependencies{}}, ""},
		{"a requirements file", "a==1.0\nb\n\n c == 0.02 \nd==latest", nil, UpdateOptions{}, "a==1.0 b c==0.2 d==latest"},
		{"a requirements file beats those before", "a==1.0", given, UpdateOptions{}, "a==1.0"},
		{"its line for the archive itself is left out", "x==1.0;a==1.0", nil, UpdateOptions{}, "a==1.0"},
		{"also in another form", "local:///x==1.0;/a==1.0", nil, UpdateOptions{}, "a==1.0"},
		{"a file with the archive alone is none", "x==0.0.1", given, UpdateOptions{}, "free given==9.9"},
		{"those before", "", given, UpdateOptions{}, "free given==9.9"},
		{"requirements of the update in place of the API's", "a==1.0", nil, UpdateOptions{Requirements: "b==1.0"}, "b==1.0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			opts := testOptions(t.TempDir())
			if c.requirements != "" {
				opts.Requirements = "pins.txt"
				noError(t, os.WriteFile(filepath.Join(opts.Dir, "pins.txt"), []byte(strings.ReplaceAll(c.requirements, ";", "\n")), 0o644))
			}
			api := openChecked(t, opts)
			h := newArchive(t, api, "x")
			if c.before != nil {
				must(h.UpdateFrom(t.Context(), strings.NewReader("before"), &UpdateOptions{Dependencies: c.before}))(t)
			}
			must(h.UpdateFrom(t.Context(), strings.NewReader("now"), &c.opts))(t)
			equal(t, "dependencies", dependenciesOf(t, h, "latest"), c.want)
		})
	}
}

func TestRequirementsMustBeSound(t *testing.T) {
	for _, c := range []struct {
		name         string
		requirements string // option; pins.txt is a file
		file         string
		want         string
		kind         error
	}{
		{"a file that is missing", "none.txt", "", "read requirements: open @/none.txt: no such file or directory", fs.ErrNotExist},
		{"a directory", ".", "", "read requirements: @ is a directory, not a file", fs.ErrInvalid},
		{"a version that is none", "pins.txt", "a==1.0\nb==x\n", "pins.txt:2: invalid version number 'x'", fs.ErrInvalid},
		{"a name that is none", "pins.txt", "# comment\n\n../b==1.0", "pins.txt:3: Too many backrefs in '../b'", fs.ErrInvalid},
		{"a range that is none", "pins.txt", "a>=one", "pins.txt:1: invalid version number 'one'", fs.ErrInvalid},
		{"a contradiction", "pins.txt", "a==1.0\n/a==2.0", `pins.txt:2: "a==2.0" is already required as "a==1.0" on line 1`, fs.ErrInvalid},
		{"a text", "a==1.0;b==x", "", "requirements:1: invalid version number 'x'", fs.ErrInvalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			noError(t, os.WriteFile(filepath.Join(dir, "pins.txt"), []byte(c.file), 0o644))
			plain := openChecked(t, testOptions(dir))
			h := newArchive(t, plain, "x")
			put(t, h, "text")

			opts := testOptions(dir)
			opts.Requirements = c.requirements
			api, err := Open(t.Context(), opts)
			noError(t, err)
			defer api.Close()
			h = must(api.Archive(t.Context(), "x", nil))(t)
			want := strings.ReplaceAll(c.want, "@", dir)
			for _, err := range []error{
				second(h.Open(t.Context(), nil)), second(h.UpdateFrom(t.Context(), strings.NewReader("new"), nil)),
				second(api.DefaultVersions()), second(h.DefaultVersion()), second(api.Requirements()),
			} {
				wantError(t, err, want, c.kind)
			}
			equal(t, "versions", versions(t, h), "0.0.1")
			equal(t, "a version that is named", text(t, h, "latest"), "text")
			_, err = must(plain.Archive(t.Context(), "x", nil))(t).UpdateFrom(t.Context(), strings.NewReader("new"), &UpdateOptions{Requirements: c.requirements})
			wantError(t, err, want, c.kind)
		})
	}
}

func TestWhereRequirementsAreFound(t *testing.T) {
	for _, c := range []struct {
		name  string
		files map[string]string
		opts  func(o *Options)
		want  map[string]string
	}{
		{"none", nil, func(*Options) {}, map[string]string{}},
		{"the usual file", map[string]string{"requirements_data.txt": "a==1.0"}, func(*Options) {}, map[string]string{"a": "1.0"}},
		{"a file by option", map[string]string{"p": "a==2.0", "requirements_data.txt": "a==1.0"},
			func(o *Options) { o.Requirements = "p" }, map[string]string{"a": "2.0"}},
		{"a file by the environment", map[string]string{"p": "a==2.0", "requirements_data.txt": "a==1.0"},
			func(o *Options) {
				o.Getenv = func(name string) string { return map[string]string{"DATAFS_REQUIREMENTS_FILE": "p"}[name] }
			}, map[string]string{"a": "2.0"}},
		{"a file by configuration", map[string]string{"p": "a==2.0"},
			func(o *Options) { o.Config = strings.NewReader("requirements: p") }, map[string]string{"a": "2.0"}},
		{"a text", nil, func(o *Options) { o.Requirements = "a==1.0;b" }, map[string]string{"a": "1.0"}},
		{"a file whose name has the sign", map[string]string{"x==1": "a==3.0"},
			func(o *Options) { o.Requirements = "x==1" }, map[string]string{"a": "3.0"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, relative := range []bool{false, true} {
				dir := writeTree(t, c.files)
				opts := testOptions(dir)
				if relative {
					t.Chdir(filepath.Dir(dir))
					opts.Dir = filepath.Base(dir)
				}
				c.opts(opts)
				api := openChecked(t, opts)
				equal(t, "pins", must(api.DefaultVersions())(t), c.want)
			}
		})
	}
}

func TestSetDependencies(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "x")
	wantError(t, h.SetDependencies(t.Context(), nil), "Cannot set dependencies on an empty archive", ErrEmpty)
	must(h.UpdateFrom(t.Context(), strings.NewReader("a"), &UpdateOptions{Dependencies: Dependencies{"d": new("1.0")}, Message: new("first")}))(t)
	put(t, h, "b")
	noError(t, h.SetDependencies(t.Context(), Dependencies{"e": nil}))
	equal(t, "of the latest", dependenciesOf(t, h, ""), "e")
	equal(t, "of the first", dependenciesOf(t, h, "0.0.1"), "d==1.0")
	put(t, h, "c")
	equal(t, "inherited", dependenciesOf(t, h, ""), "e")
	noError(t, h.SetDependencies(t.Context(), nil))
	equal(t, "cleared", dependenciesOf(t, h, ""), "")
	equal(t, "versions", versions(t, h), "0.0.1 0.0.2 0.0.3")
	equal(t, "records", len(must(h.History(t.Context()))(t)), 5)

	noError(t, api.SetDefaultVersions(map[string]string{"x": "0.0.1"}))
	equal(t, "of the pinned version", dependenciesOf(t, h, ""), "d==1.0")
	_, err := h.Dependencies(t.Context(), "4.0")
	wantError(t, err, `Version "4.0" not found in archive history`, fs.ErrNotExist)
}

func TestParseDependencies(t *testing.T) {
	deps := must(ParseDependencies([]string{" /a//b == 1.0.0 ", "local://c", "d==latest"}))(t)
	equal(t, "dependencies", depends(deps), "a/b==1.0 c d==latest")
	equal(t, "none", len(must(ParseDependencies(nil))(t)), 0)
	deps = must(ParseDependencies([]string{"a >= 1.0, <2"}))(t)
	equal(t, "a range", *deps["a"], ">=1.0,<2.0")
	_, err := ParseDependencies([]string{"a", "b==1"})
	wantError(t, err, "invalid version number '1'", fs.ErrInvalid)
}
