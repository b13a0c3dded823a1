package datafs

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
)

// warned opens a repository and collects its warnings.
func warned(t *testing.T, opts *Options) (*API, *[]string) {
	t.Helper()
	var list []string
	opts.Warn = func(text string) { list = append(list, text) }
	return openChecked(t, opts), &list
}

// putVersions makes versions of an archive, one for each kind of bump.
func putVersions(t *testing.T, api *API, name string, bumps ...string) *Archive {
	t.Helper()
	h := newArchive(t, api, name)
	for i, bump := range bumps {
		kind, stage, _ := strings.Cut(bump, " ")
		must(h.UpdateFrom(t.Context(), strings.NewReader(fmt.Sprint(name, i)), &UpdateOptions{Bump: kind, Prerelease: stage}))(t)
	}
	return h
}

// yank marks a version.
func yank(t *testing.T, api *API, name, version string) {
	t.Helper()
	v := must(refs.ParseVersion(version))(t)
	noError(t, api.refs.Yank(t.Context(), name, v, refs.Yank{Reason: "wrong", Time: someTime}))
}

// settleFixture has archives with 1.0, 1.1 (yanked), 1.2, 2.0b1; one without
// versions; one that is not versioned; one all of whose versions are yanked.
func settleFixture(t *testing.T) (*API, *[]string) {
	api, warnings := warned(t, testOptions(t.TempDir()))
	putVersions(t, api, "y", "major", "minor", "minor", "major beta")
	yank(t, api, "y", "1.1")
	newArchive(t, api, "empty")
	put(t, must(api.Create(t.Context(), "plain", &CreateOptions{Unversioned: true}))(t), "text")
	putVersions(t, api, "bad", "major")
	yank(t, api, "bad", "1.0")
	*warnings = nil
	return api, warnings
}

func TestDependenciesAreRecordedAsWhatTheyStandFor(t *testing.T) {
	api, warnings := settleFixture(t)
	for _, c := range []struct {
		name, given    string
		want, resolved string
		doubt          string
	}{
		{"an exact version", "y==1.0.0", "y==1.0", "map[]", ""},
		{"latest is a number from now on, pre-releases included", "y==latest", "y==2.0b1", "map[]", ""},
		{"a bare name stays one, with what it stood for", "y", "y", "map[y:2.0b1]", ""},
		{"a range is its highest release", "y>=1.0,<3", "y==1.2", "map[]", ""},
		{"a range never takes what was yanked", "y>=1.0,<1.2", "y==1.0", "map[]", ""},
		{"a yanked version", "y==1.1", "y==1.1", "map[]", `dependency "y==1.1": version 1.1 was yanked: wrong`},
		{"a version that is not here", "y==9.0", "y==9.0", "map[]", `dependency "y==9.0": archive "y" has no version 9.0 here`},
		{"an archive that is not here", "z==1.0", "z==1.0", "map[]", `dependency "z==1.0": there is no archive "z" here`},
		{"a bare one that is not here", "z", "z", "map[]", `dependency "z": there is no archive "z" here`},
		{"the latest of one that is not here", "z==latest", "z==latest", "map[]", `dependency "z==latest": there is no archive "z" here`},
		{"a bare name without versions", "empty", "empty", "map[]", ""},
		{"the latest of no versions", "empty==latest", "empty==latest", "map[]", `dependency "empty==latest": archive "empty" has no versions here`},
		{"an archive that is not versioned", "plain", "plain", "map[]", ""},
		{"a version of one that has none", "plain==1.0", "plain==1.0", "map[]", `dependency "plain==1.0": archive "plain" is not versioned`},
		{"a bare name that has only yanked versions", "bad", "bad", "map[]", `dependency "bad": all versions of archive "bad" are yanked`},
	} {
		t.Run(c.name, func(t *testing.T) {
			*warnings = nil
			deps := must(ParseDependencies([]string{c.given}))(t)
			h := newArchive(t, api, strings.ReplaceAll(c.name, " ", "_"))
			must(h.UpdateFrom(t.Context(), strings.NewReader(c.name), &UpdateOptions{Dependencies: deps}))(t)
			for _, set := range []bool{false, true} {
				if set {
					noError(t, h.SetDependencies(t.Context(), deps))
				}
				last := must(h.Version(t.Context(), "latest"))(t).Last()
				equal(t, "dependencies", depends(last.Dependencies), c.want)
				equal(t, "resolved", fmt.Sprint(last.Resolved), c.resolved)
				equal(t, "warnings", strings.Join(*warnings, "; "), c.doubt)
				*warnings = nil
			}
			next, err := h.UpdateFrom(t.Context(), strings.NewReader(c.name+" strict"), &UpdateOptions{Dependencies: deps, Strict: true})
			set := h.SetDependenciesStrict(t.Context(), deps)
			if c.doubt == "" {
				noError(t, err)
				noError(t, set)
				return
			}
			wantError(t, err, c.doubt, fs.ErrNotExist)
			wantError(t, set, c.doubt, fs.ErrNotExist)
			equal(t, "a version that was refused", next.Version, "")
			equal(t, "versions", versions(t, h), "0.0.1")
		})
	}
}

func TestManyDependenciesAreSettledAsFewAre(t *testing.T) {
	api, warnings := settleFixture(t)
	given := []string{"y>=1.0,<3", "plain", "bad==1.0", "z", "empty==latest", "x"}
	alone := must(ParseDependencies(given))(t)
	many := must(ParseDependencies(given))(t)
	for i := range bulkFrom {
		many[fmt.Sprint("more", i)] = nil
	}
	h := newArchive(t, api, "x")
	put(t, h, "before")
	*warnings = nil
	var want string
	for _, deps := range []Dependencies{alone, many} {
		noError(t, h.SetDependencies(t.Context(), deps))
		last := must(h.Version(t.Context(), ""))(t).Last()
		for name := range many {
			if strings.HasPrefix(name, "more") {
				delete(last.Dependencies, name)
			}
		}
		got := depends(last.Dependencies) + fmt.Sprint(last.Resolved, slices.DeleteFunc(*warnings, func(text string) bool {
			return strings.Contains(text, "more")
		}))
		if want == "" {
			want = got
		}
		equal(t, "recorded", got, want)
		*warnings = nil
	}
}

func TestARangeThatNothingSatisfiesCannotBeRecorded(t *testing.T) {
	api, _ := settleFixture(t)
	h := newArchive(t, api, "x")
	put(t, h, "before")
	for given, want := range map[string]string{
		"y>=3.0": `dependency "y>=3.0": archive "y" has no such version here`,
		"z>=1.0": `dependency "z>=1.0": there is no archive "z" here`,
	} {
		deps := must(ParseDependencies([]string{given}))(t)
		_, err := h.UpdateFrom(t.Context(), strings.NewReader("now"), &UpdateOptions{Dependencies: deps})
		wantError(t, err, want, fs.ErrNotExist)
		wantError(t, h.SetDependencies(t.Context(), deps), want, fs.ErrNotExist)
		_, err = api.Import(t.Context(), t.TempDir(), &ImportOptions{Dependencies: deps})
		wantError(t, err, want, fs.ErrNotExist)
	}
	equal(t, "versions", versions(t, h), "0.0.1")
	err := h.SetDependencies(t.Context(), Dependencies{"y": new("one")})
	wantError(t, err, `dependency "y": invalid version number 'one'`, fs.ErrInvalid)
}

func TestInheritedDependenciesAreNotLookedAtAgain(t *testing.T) {
	api, warnings := settleFixture(t)
	h := newArchive(t, api, "x")
	must(h.UpdateFrom(t.Context(), strings.NewReader("1"), &UpdateOptions{Dependencies: Dependencies{"z": new("1.0"), "y": nil, "x": nil}}))(t)
	equal(t, "warnings", len(*warnings), 2)
	*warnings = nil
	must(h.UpdateFrom(t.Context(), strings.NewReader("2"), &UpdateOptions{Strict: true}))(t)
	last := must(h.Version(t.Context(), ""))(t).Last()
	equal(t, "inherited", depends(last.Dependencies)+fmt.Sprint(last.Resolved, *warnings), "x y z==1.0map[y:2.0b1] []")
}

func TestImportRecordsDependenciesToo(t *testing.T) {
	api, warnings := settleFixture(t)
	deps := Dependencies{"y": nil, "/z": new("1.0")}
	dir := writeTree(t, map[string]string{"a": "1", "b": "2"})
	_, err := api.Import(t.Context(), dir, &ImportOptions{Dependencies: deps, Strict: true})
	wantError(t, err, `dependency "z==1.0": there is no archive "z" here`, fs.ErrNotExist)
	must(api.Import(t.Context(), dir, &ImportOptions{Dependencies: deps}))(t)
	last := must(must(api.Archive(t.Context(), "b", nil))(t).Version(t.Context(), ""))(t).Last()
	equal(t, "recorded", depends(last.Dependencies)+fmt.Sprint(last.Resolved), "y z==1.0map[y:2.0b1]")
	equal(t, "warned once", len(*warnings), 1)
}

func TestDependenciesOnVersions(t *testing.T) {
	api, _ := settleFixture(t)
	var list []Chosen
	for _, name := range []string{"y", "plain"} {
		h := must(api.Archive(t.Context(), name, nil))(t)
		list = append(list, Chosen{Archive: h, Record: must(h.Version(t.Context(), ""))(t)})
	}
	equal(t, "dependencies", depends(DependenciesOn(list)), "plain y==2.0b1")
}

func TestAnUpdateDoesNotNeedWhatItMakes(t *testing.T) {
	api := newAPI(t)
	h := newArchive(t, api, "a")
	file := require(t, api, "a>=1.0\n")
	opts := testOptions(filepath.Dir(file))
	res, err := archive(t, openOnly(t, opts), "a").UpdateFrom(t.Context(), strings.NewReader("1"), &UpdateOptions{Bump: "major"})
	if err != nil || res.Version != "1.0" {
		t.Errorf("got %q, %v", res.Version, err)
	}
	equal(t, "it depends on", fmt.Sprint(must(h.Dependencies(t.Context(), ""))(t)), "map[]")
}
