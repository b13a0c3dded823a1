package refs_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs"
)

func TestSearch(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		for name, tags := range map[string][]string{"x/1": {"foo", "bar"}, "x/2": {"foo", "baz"}, "y/3": {"Foo", "bar", "baz"}, "y/4": nil, "y/5": {"foobar"}} {
			mustCreate(t, d, refs.Archive{Name: name, Tags: tags})
		}
		cases := []struct {
			name, prefix string
			tags         []string
			want         []string
		}{
			{"no tag is all archives", "", nil, []string{"x/1", "x/2", "y/3", "y/4", "y/5"}},
			{"no tag with a prefix", "y", nil, []string{"y/3", "y/4", "y/5"}},
			{"a whole tag", "", []string{"foo"}, []string{"x/1", "x/2", "y/3"}},
			{"case does not matter", "", []string{"BAR"}, []string{"x/1", "y/3"}},
			{"all of the tags", "", []string{"baz", "foo", "bar"}, []string{"y/3"}},
			{"with a prefix", "x/", []string{"foo"}, []string{"x/1", "x/2"}},
			{"leading slashes of the prefix do not count", "/x/", []string{"foo"}, []string{"x/1", "x/2"}},
			{"a part of a tag is none", "", []string{"fo"}, []string{}},
			{"tags not found together", "x/", []string{"bar", "baz"}, []string{}},
			{"an unknown tag", "", []string{"foo", "qux"}, []string{}},
		}
		for _, c := range cases {
			wantList(t, c.name, names(t, d.Search(t.Context(), c.prefix, c.tags)), c.want)
		}
	})
}

func TestFilter(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		all := []string{"A.nc", "[x]", "a.nc", "a/b.nc", "a/c/d.txt", "ab", "b!", "ä.nc"}
		for _, a := range versioned(all...) {
			mustCreate(t, d, a)
		}
		cases := []struct {
			name string
			opts refs.FilterOptions
			want []string
		}{
			{"nothing given is everything", refs.FilterOptions{}, all},
			{"a prefix", refs.FilterOptions{Prefix: "a"}, []string{"a.nc", "a/b.nc", "a/c/d.txt", "ab"}},
			{"leading slashes of a prefix", refs.FilterOptions{Prefix: "//a/"}, []string{"a/b.nc", "a/c/d.txt"}},
			{"a star matches slashes", refs.FilterOptions{Pattern: "a*"}, []string{"a.nc", "a/b.nc", "a/c/d.txt", "ab"}},
			{"the whole name", refs.FilterOptions{Pattern: "b.nc"}, []string{}},
			{"a star in front", refs.FilterOptions{Pattern: "*.nc"}, []string{"A.nc", "a.nc", "a/b.nc", "ä.nc"}},
			{"a question mark is one character", refs.FilterOptions{Pattern: "?.nc"}, []string{"A.nc", "a.nc", "ä.nc"}},
			{"a question mark matches a slash", refs.FilterOptions{Pattern: "a?b.nc"}, []string{"a/b.nc"}},
			{"a set", refs.FilterOptions{Pattern: "[ab]*"}, []string{"a.nc", "a/b.nc", "a/c/d.txt", "ab", "b!"}},
			{"a range", refs.FilterOptions{Pattern: "[A-C].nc"}, []string{"A.nc"}},
			{"a set negated", refs.FilterOptions{Pattern: "[!ab]*"}, []string{"A.nc", "[x]", "ä.nc"}},
			{"a bracket that never closes", refs.FilterOptions{Pattern: "[x*"}, []string{"[x]"}},
			{"a bracket in a set", refs.FilterOptions{Pattern: "[[]x[]]"}, []string{"[x]"}},
			{"case counts", refs.FilterOptions{Pattern: "A*"}, []string{"A.nc"}},
			{"leading slashes of a pattern", refs.FilterOptions{Pattern: "/a.nc"}, []string{"a.nc"}},
			{"prefix and pattern", refs.FilterOptions{Prefix: "a/", Pattern: "*.nc", Engine: "path"}, []string{"a/b.nc"}},
			{"an authority in the prefix", refs.FilterOptions{Prefix: "local://a"}, []string{}},
			{"an authority in the pattern", refs.FilterOptions{Pattern: "local://a*"}, []string{}},
			{"contained text", refs.FilterOptions{Pattern: ".nc", Engine: "str"}, []string{"A.nc", "a.nc", "a/b.nc", "ä.nc"}},
			{"contained text is no pattern", refs.FilterOptions{Pattern: "a*", Engine: "str"}, []string{}},
			{"an expression found anywhere", refs.FilterOptions{Pattern: `b`, Engine: "regex"}, []string{"a/b.nc", "ab", "b!"}},
			{"an expression anchored", refs.FilterOptions{Pattern: `^a.*/.*[a-c]$`, Engine: "regex"}, []string{"a/b.nc"}},
			{"an expression with a prefix", refs.FilterOptions{Prefix: "a/", Pattern: `d`, Engine: "regex"}, []string{"a/c/d.txt"}},
			{"text without a pattern", refs.FilterOptions{Prefix: "ab", Engine: "str"}, []string{"ab"}},
			{"an expression without a pattern", refs.FilterOptions{Prefix: "ab", Engine: "regex"}, []string{"ab"}},
		}
		for _, c := range cases {
			wantList(t, c.name, names(t, d.Filter(t.Context(), c.opts)), c.want)
		}
	})
}

func TestFilterRefuses(t *testing.T) {
	d := refs.New(&refs.Mem{}, nil)
	for _, opts := range []refs.FilterOptions{{Engine: "sql"}, {Engine: "sql", Pattern: "a"}, {Engine: "regex", Pattern: "("}, {Pattern: "[z-a]"}} {
		var got error
		for _, got = range d.Filter(t.Context(), opts) {
			break
		}
		if !errors.Is(got, fs.ErrInvalid) {
			t.Errorf("Filter(%+v): error is %v", opts, got)
		}
		if want := `search engine "sql" not recognized. `; opts.Engine == "sql" && !strings.HasPrefix(got.Error(), want) {
			t.Errorf("Filter(%+v): error is %v, want %s", opts, got, want)
		}
	}
}

// counting counts the records that are read from a manager.
type counting struct {
	refs.Mem
	prefixes []string
}

func (c *counting) List(ctx ctx, prefix string) records {
	c.prefixes = append(c.prefixes, prefix)
	return c.Mem.List(ctx, prefix)
}

func TestFilterReadsBelowItsPrefix(t *testing.T) {
	m := &counting{}
	d := refs.New(m, nil)
	mustCreate(t, d, refs.Archive{Name: "a/b"})
	m.prefixes = nil
	names(t, d.Filter(t.Context(), refs.FilterOptions{Prefix: "/a/", Pattern: "*"}))
	wantList(t, "prefixes read", m.prefixes, []string{"archive/a/"})
}

func TestNamesDoesNotDecode(t *testing.T) {
	m := &refs.Mem{}
	if _, err := m.Put(t.Context(), "archive/a", []byte("not JSON"), refs.Absent); err != nil {
		t.Fatal(err)
	}
	d := refs.New(m, nil)
	wantList(t, "names", names(t, d.Names(t.Context(), "")), []string{"a"})
	if _, err := d.Archive(t.Context(), "a"); !errors.Is(err, refs.ErrCorrupt) {
		t.Errorf("reading it gave %v", err)
	}
}

func TestListDir(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		for _, a := range versioned("a/b/x", "a/b", "a/c", "top", "empty/e", "a.b/z") {
			mustCreate(t, d, a)
		}
		mustCreate(t, d, refs.Archive{Name: "a/flat", Authority: "local"})
		mustCreate(t, d, refs.Archive{Name: "far/f", Authority: "remote", Versioned: true})
		for _, name := range []string{"a/b/x", "a/b", "a/c", "top", "a/flat", "far/f", "a.b/z"} {
			add(t, d, name, "1")
		}
		for i := range 10 {
			add(t, d, "a/b", strings.Repeat("x", i+1))
		}
		cases := []struct {
			name, authority, location string
			want                      []string
		}{
			{"the top", "local", "", []string{"a", "a.b", "top"}},
			{"a slash is the top", "local", "/", []string{"a", "a.b", "top"}},
			{"an authority is its top", "", "local://", []string{"a", "a.b", "top"}},
			{"another authority", "remote", "", []string{"far"}},
			{"all authorities", "", "", []string{"a", "a.b", "far", "top"}},
			{"a directory", "local", "a", []string{"b", "c", "flat"}},
			{"a trailing slash does not matter", "local", "/a/", []string{"b", "c", "flat"}},
			{"an authority in front", "local", "local://a", []string{"b", "c", "flat"}},
			{"an archive shows its versions, and what lies below", "local", "a/b", []string{"0.0.1", "0.0.2", "0.0.3", "0.0.4", "0.0.5", "0.0.6", "0.0.7", "0.0.8", "0.0.9", "0.0.10", "0.0.11", "x"}},
			{"an archive", "local", "top", []string{"0.0.1"}},
		}
		for _, c := range cases {
			got, err := d.ListDir(t.Context(), c.authority, c.location)
			if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			wantList(t, c.name, got, c.want)
		}
		refused := []struct {
			authority, location, want string
			kind                      error
		}{
			{"local", "nowhere", `"nowhere" not found`, fs.ErrNotExist},
			{"local", "a/", "", nil},
			{"local", "empty", `"empty" not found`, fs.ErrNotExist},
			{"local", "empty/e", `"empty/e" not found`, fs.ErrNotExist},
			{"local", "far", `"far" not found`, fs.ErrNotExist},
			{"local", "far/f", `"far/f" not found`, fs.ErrNotExist},
			{"local", "a/flat", `"a/flat" is not a directory`, fs.ErrInvalid},
			{"local", "remote://far", `authority name "local" not found in archive: "remote://far"`, fs.ErrNotExist},
			{"local", "..", "Too many backrefs in '..'", fs.ErrInvalid},
			{"local", `a\b`, `Path contains invalid characters: a\b`, fs.ErrInvalid},
		}
		for _, c := range refused {
			if _, err := d.ListDir(t.Context(), c.authority, c.location); c.want != "" {
				wantText(t, err, c.want, c.kind)
			}
		}
		got, err := refs.New(&refs.Mem{}, nil).ListDir(t.Context(), "", "")
		if err != nil || len(got) != 0 {
			t.Errorf("the top of nothing is %q, %v", got, err)
		}
	})
}

func TestListDirLeavesOutWhatHasLostItsVersions(t *testing.T) {
	for _, m := range []refs.Manager{&refs.Mem{}, openBolt(t, t.TempDir(), nil)} {
		d := refs.New(m, &refs.Options{Now: clock()})
		for _, a := range versioned("a/b", "a/c") {
			mustCreate(t, d, a)
			add(t, d, a.Name, "1")
		}
		r, err := m.Get(t.Context(), refs.VersionsPrefix("a/c")+"0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Delete(t.Context(), r.Key, r.Rev); err != nil {
			t.Fatal(err)
		}
		got, err := d.ListDir(t.Context(), "local", "a")
		if err != nil {
			t.Fatal(err)
		}
		wantList(t, "without the version", got, []string{"b"})
		if _, err := m.Put(t.Context(), r.Key, r.Value, refs.Absent); err != nil {
			t.Fatal(err)
		}
		if got, err = d.ListDir(t.Context(), "local", "a"); err != nil {
			t.Fatal(err)
		}
		wantList(t, "with it again", got, []string{"b", "c"})
	}
}
