package datafs

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"
	"testing"
)

// listed joins a listing, or gives its error.
func listed(list iter.Seq2[string, error]) string {
	var names []string
	for name, err := range list {
		if err != nil {
			return "error: " + err.Error()
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// openNamed has archives of these names, tagged with what stands behind a colon.
func openNamed(t *testing.T, config string, names ...string) *API {
	t.Helper()
	api := openChecked(t, configured(t.TempDir(), config))
	for _, name := range names {
		name, tags, _ := strings.Cut(name, "#")
		must(api.Create(t.Context(), name, &CreateOptions{Tags: strings.Fields(tags)}))(t)
	}
	return api
}

func TestFilter(t *testing.T) {
	api := openNamed(t, "", "a/x.nc", "a/y.nc", "a/b/x.csv", "A/x.nc", "ab", "c[1]")
	for _, c := range []struct {
		name string
		opts FilterOptions
		want string
	}{
		{"all", FilterOptions{}, "A/x.nc a/b/x.csv a/x.nc a/y.nc ab c[1]"},
		{"a prefix", FilterOptions{Prefix: "a/"}, "a/b/x.csv a/x.nc a/y.nc"},
		{"a prefix that ends in a name", FilterOptions{Prefix: "/a"}, "a/b/x.csv a/x.nc a/y.nc ab"},
		{"a glob crosses slashes", FilterOptions{Pattern: "a/*"}, "a/b/x.csv a/x.nc a/y.nc"},
		{"a glob with leading slashes", FilterOptions{Pattern: "//a/?.nc"}, "a/x.nc a/y.nc"},
		{"a glob is of the whole name", FilterOptions{Pattern: "x.nc"}, ""},
		{"a question mark is any character", FilterOptions{Pattern: "a?b?x*"}, "a/b/x.csv"},
		{"brackets", FilterOptions{Pattern: "[aA]/[!y]*.nc"}, "A/x.nc a/x.nc"},
		{"prefix and pattern", FilterOptions{Prefix: "a/", Pattern: "*x*"}, "a/b/x.csv a/x.nc"},
		{"a part of the name", FilterOptions{Pattern: "/x", Engine: "str"}, "A/x.nc a/b/x.csv a/x.nc"},
		{"a part with a star in it", FilterOptions{Pattern: "*", Engine: "str"}, ""},
		{"a regular expression", FilterOptions{Pattern: "x[.](nc|csv)$", Engine: "regex"}, "A/x.nc a/b/x.csv a/x.nc"},
		{"an anchored one", FilterOptions{Pattern: "^a.$", Engine: "regex"}, "ab"},
		{"an authority in the prefix", FilterOptions{Prefix: "local://a"}, ""},
		{"an authority in the pattern", FilterOptions{Pattern: "local://a*"}, ""},
		{"a broken expression", FilterOptions{Pattern: "(", Engine: "regex"}, "error: "},
		{"an engine that is not known", FilterOptions{Engine: "sql"}, `error: search engine "sql" not recognized. `},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := listed(api.Filter(t.Context(), &c.opts))
			if strings.HasPrefix(c.want, "error") && strings.HasPrefix(got, c.want) {
				return
			}
			equal(t, "names", got, c.want)
		})
	}
	equal(t, "without options", len(strings.Fields(listed(api.Filter(t.Context(), nil)))), 6)
}

func TestSearch(t *testing.T) {
	api := openNamed(t, "", "one#foo bar", "two#foo baz", "three#foo bar baz", "four")
	for _, c := range []struct {
		name, prefix, tags, want string
	}{
		{"no tag is all", "", "", "four one three two"},
		{"a tag", "", "bar", "one three"},
		{"all of the tags", "", "bar baz", "three"},
		{"in any case", "", "BAR Foo", "one three"},
		{"whole tags only", "", "ba", ""},
		{"tags that nothing has together", "", "foo qux", ""},
		{"a prefix", "t", "foo", "three two"},
		{"a prefix alone", "/t", "", "three two"},
		{"a prefix that nothing has", "x", "foo", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			equal(t, "names", listed(api.Search(t.Context(), c.prefix, strings.Fields(c.tags)...)), c.want)
		})
	}
}

func TestListDir(t *testing.T) {
	api := openNamed(t, threeAuthorities+"\ndefault-authority: one", "one://a/x", "one://a/b/y", "one://a/empty", "two://a/z", "one://v")
	for _, name := range []string{"a/x", "a/b/y", "a/z", "v", "v"} {
		h := must(api.Archive(t.Context(), name, nil))(t)
		put(t, h, "text "+versions(t, h))
	}
	for _, c := range []struct {
		name, location, authority string
		want                      string
	}{
		{"the top", "", "", "a v"},
		{"the top as a slash", "/", "", "a v"},
		{"the top with its authority", "two://", "", "a"},
		{"a directory, without archives that have no contents", "a", "", "b x"},
		{"a trailing slash", "/a/", "", "b x"},
		{"another authority", "a", "two", "z"},
		{"another authority in front", "two://a", "", "z"},
		{"the same twice", "two://a", "two", "z"},
		{"the versions of an archive", "v", "", "0.0.1 0.0.2"},
		{"what is not there", "none", "", `error: "none" not found`},
		{"what is at another authority", "a/z", "", `error: "a/z" not found`},
		{"an archive without contents", "a/empty", "", `error: "a/empty" not found`},
		{"a version", "v/0.0.1", "", `error: "v/0.0.1" not found`},
		{"two opinions", "two://a", "one", `error: authority name "one" not found in archive: "two://a"`},
		{"an unknown authority", "a", "four", `error: Authority "four" not found`},
		{"above the top", "..", "", `error: Too many backrefs in '..'`},
	} {
		t.Run(c.name, func(t *testing.T) {
			list, err := api.ListDir(t.Context(), c.location, c.authority)
			got := strings.Join(list, " ")
			if err != nil {
				got = "error: " + err.Error()
			}
			equal(t, "listing", got, c.want)
		})
	}
	noError(t, api.SetDefaultAuthority("three"))
	if _, err := api.ListDir(t.Context(), "a", ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in an authority without archives: got %v", err)
	}
}

func TestTheTopOfAnEmptyRepositoryIsEmpty(t *testing.T) {
	api := newAPI(t)
	for _, location := range []string{"", "/", "local://"} {
		equal(t, location, len(must(api.ListDir(t.Context(), location, ""))(t)), 0)
	}
	equal(t, "filter", listed(api.Filter(t.Context(), nil)), "")
}

func TestAListingCanBeLeftAndCancelled(t *testing.T) {
	api := openNamed(t, "", "a", "b", "c")
	for range api.Filter(t.Context(), nil) {
		break
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, list := range []iter.Seq2[string, error]{api.Filter(ctx, nil), api.Search(ctx, "", "t")} {
		equal(t, "cancelled", strings.HasSuffix(listed(list), context.Canceled.Error()), true)
	}
}

func TestHashFileRefusals(t *testing.T) {
	api := newAPI(t)
	dir := t.TempDir()
	if _, err := api.HashFile(t.Context(), dir+"/none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is missing: got %v", err)
	}
	if _, err := api.HashFile(t.Context(), dir); err == nil {
		t.Error("a directory was hashed")
	}
}
