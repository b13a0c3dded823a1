package datafs

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
)

const threeAuthorities = "authorities: {one: {service: OSFS, args: [/one]}, two: {service: OSFS, args: [/two]}, three: {service: MemoryFS}}"

func TestWhichAuthorityANewArchiveHas(t *testing.T) {
	const single = "authorities: {only: {service: OSFS, args: [/data]}}"
	for _, c := range []struct {
		name, config  string
		archive, auth string
		want          string
		err           string
		kind          error
	}{
		{"without a configuration", "", "x", "", "<DataArchive local://x>", "", nil},
		{"the only one", single, "x", "", "<DataArchive only://x>", "", nil},
		{"by option", threeAuthorities, "x", "two", "<DataArchive two://x>", "", nil},
		{"by prefix", threeAuthorities, "three://a/x", "", "<DataArchive three://a/x>", "", nil},
		{"by both", threeAuthorities, "two://x", "two", "<DataArchive two://x>", "", nil},
		{"by the configuration's default", threeAuthorities + "\ndefault-authority: two", "x", "", "<DataArchive two://x>", "", nil},
		{"a prefix against the default", threeAuthorities + "\ndefault-authority: two", "one://x", "", "<DataArchive one://x>", "", nil},
		{"ambiguous", threeAuthorities, "x", "", "", "Authority ambiguous. Set authority or DefaultAuthorityName.", fs.ErrInvalid},
		{"unknown by option", threeAuthorities, "x", "four", "", `Authority "four" not found`, fs.ErrNotExist},
		{"unknown by prefix", threeAuthorities, "four://x", "", "", `Authority "four" not found`, fs.ErrNotExist},
		{"two opinions", threeAuthorities, "/one://x", "two", "<DataArchive two://one:/x>", "", nil}, // no prefix: the slash is in front
		{"prefix and option differ", threeAuthorities, "one://a//x", "two", "", `authority name "two" not found in archive: "one://a//x"`, fs.ErrInvalid},
		{"a name that leaves the root", "", "a/../../x", "", "", "Too many backrefs in 'a/../../x'", fs.ErrInvalid},
		{"a backslash", "", `a\x`, "", "", `Path contains invalid characters: a\x`, fs.ErrInvalid},
		{"a line feed", "", "a\nx", "", "", `Path contains invalid characters: a\nx`, fs.ErrInvalid},
		{"no name", "", "local:///", "", "", `Archive name missing in "local:///"`, fs.ErrInvalid},
		{"almost anything else", "", "Größe, 50 % = [a] + b@c~!", "", "<DataArchive local://Größe, 50 % = [a] + b@c~!>", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			api := openChecked(t, configured(t.TempDir(), c.config))
			h, err := api.Create(t.Context(), c.archive, &CreateOptions{Authority: c.auth})
			if c.err != "" {
				wantError(t, err, c.err, c.kind)
				equal(t, "names after it", len(collect(t, api.Filter(t.Context(), nil))), 0)
				return
			}
			noError(t, err)
			equal(t, "archive", h.String(), c.want)
			equal(t, "again", must(api.Archive(t.Context(), c.archive, nil))(t).String(), c.want)
		})
	}
}

func TestCreateTwice(t *testing.T) {
	api := newAPI(t)
	first := &CreateOptions{Metadata: map[string]string{"a": "1"}, Tags: []string{"t"}}
	h := must(api.Create(t.Context(), "x", first))(t)
	put(t, h, "text")
	second := &CreateOptions{Metadata: map[string]string{"a": "2"}, Tags: []string{"u"}, Unversioned: true}
	_, err := api.Create(t.Context(), "/x", second)
	wantError(t, err, `Archive "x" already exists`, fs.ErrExist)
	second.ExistOK = true
	again := must(api.Create(t.Context(), "local://x", second))(t)
	equal(t, "versioned", again.Versioned(), true)
	equal(t, "metadata", must(again.Metadata(t.Context()))(t), map[string]string{"a": "1"})
	equal(t, "tags", must(again.Tags(t.Context()))(t), []string{"t"})
	equal(t, "contents", text(t, again, ""), "text")
	rec := must(again.Record(t.Context()))(t)
	equal(t, "created", rec.Created.Equal(someTime), true)
}

func TestArchiveIsFoundByAnyFormOfItsName(t *testing.T) {
	api := openChecked(t, configured(t.TempDir(), threeAuthorities))
	must(api.Create(t.Context(), "two://a/b", nil))(t)
	for _, name := range []string{"a/b", "/a/b", "two://a/b", "two:///a//b/", "a/./c/../b"} {
		h := must(api.Archive(t.Context(), name, nil))(t)
		equal(t, name, h.String(), "<DataArchive two://a/b>")
		equal(t, name, h.Name()+" "+h.Authority(), "a/b two")
	}
	for name, want := range map[string]string{
		"one://a/b":  `Archive "a/b" not found on one. Did you mean "two://a/b"?`,
		"four://a/b": `Authority "four" not found`,
		"a/c":        `Archive "a/c" not found`,
		"a":          `Archive "a" not found`,
		"A/b":        `Archive "A/b" not found`,
	} {
		_, err := api.Archive(t.Context(), name, nil)
		wantError(t, err, want, fs.ErrNotExist)
		wantError(t, api.Delete(t.Context(), name), want, fs.ErrNotExist)
	}
	_, err := api.Archive(t.Context(), "a/b", &ArchiveOptions{DefaultVersion: "one"})
	wantError(t, err, "invalid version number 'one'", fs.ErrInvalid)
}

func TestArchivesLeavesOutWhatIsNotThere(t *testing.T) {
	api := newAPI(t)
	newArchive(t, api, "a")
	newArchive(t, api, "b")
	found := must(api.Archives(t.Context(), []string{"/a", "b", "c", "elsewhere://a"}, map[string]string{"b": "1.0"}))(t)
	equal(t, "found", sorted(found), "/a b")
	equal(t, "default of a", must(found["/a"].DefaultVersion())(t), "")
	equal(t, "default of b", must(found["b"].DefaultVersion())(t), "1.0")
	for _, c := range []struct{ name, version, want string }{
		{"..", "", "Too many backrefs in '..'"}, {"a", "x", "invalid version number 'x'"},
	} {
		_, err := api.Archives(t.Context(), []string{c.name}, map[string]string{c.name: c.version})
		wantError(t, err, c.want, fs.ErrInvalid)
	}
}

func sorted[V any](m map[string]V) string {
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}

func TestASimilarNameIsWarnedAbout(t *testing.T) {
	opts := testOptions(t.TempDir())
	var warnings []string
	opts.Warn = func(text string) { warnings = append(warnings, text) }
	api := openChecked(t, opts)
	newArchive(t, api, "Tas/data")
	newArchive(t, api, "other")
	equal(t, "warnings at first", len(warnings), 0)
	newArchive(t, api, "tas/DATA")
	newArchive(t, api, "caf\u00e9")
	newArchive(t, api, "cafe\u0301")
	equal(t, "warnings", warnings, []string{
		`"tas/DATA" differs from the archive "Tas/data" only in case or in Unicode form`,
		"\"cafe\u0301\" differs from the archive \"caf\u00e9\" only in case or in Unicode form",
	})
	equal(t, "archives", len(collect(t, api.Filter(t.Context(), nil))), 5)
}

func TestTags(t *testing.T) {
	api := newAPI(t)
	h := must(api.Create(t.Context(), "x", &CreateOptions{Tags: []string{"Foo", "bar", "FOO"}}))(t)
	tags := func() string { return strings.Join(must(h.Tags(t.Context()))(t), " ") }
	equal(t, "at first", tags(), "foo bar")
	noError(t, h.AddTags(t.Context(), "Baz", "bar", "qux"))
	equal(t, "added", tags(), "foo bar baz qux")
	noError(t, h.AddTags(t.Context()))
	noError(t, h.DeleteTags(t.Context(), "BAR", "none"))
	equal(t, "deleted", tags(), "foo baz qux")
	noError(t, h.AddTags(t.Context(), "bar"))
	equal(t, "added again", tags(), "foo baz qux bar")
	noError(t, h.DeleteTags(t.Context(), "foo", "baz", "qux", "bar"))
	equal(t, "none", tags(), "")
}

func TestUpdateMetadata(t *testing.T) {
	api := newAPI(t)
	h := must(api.Create(t.Context(), "x", &CreateOptions{Metadata: map[string]string{"a": "1", "b": "2", "must": "3"}}))(t)
	metadata := func() map[string]string { return must(h.Metadata(t.Context()))(t) }
	noError(t, h.UpdateMetadata(t.Context(), map[string]*string{"b": new("two"), "c": new(""), "a": nil, "none": nil}))
	equal(t, "metadata", metadata(), map[string]string{"b": "two", "c": "", "must": "3"})
	noError(t, api.RequireMetadata(t.Context(), map[string]*string{"must": new("prompt")}))
	err := h.UpdateMetadata(t.Context(), map[string]*string{"b": new("three"), "must": nil})
	wantError(t, err, `Cannot remove required metadata attribute "must"`, fs.ErrInvalid)
	equal(t, "metadata after it", metadata(), map[string]string{"b": "two", "c": "", "must": "3"})
	noError(t, h.UpdateMetadata(t.Context(), map[string]*string{"must": new("4")}))
	equal(t, "a required key changed", metadata()["must"], "4")
}

func TestTheCallersMetadataStaysTheCallers(t *testing.T) {
	api := newAPI(t)
	noError(t, api.RequireMetadata(t.Context(), map[string]*string{"b": new("prompt")}))
	given := map[string]string{"a": "1"}
	helper := func(string, string) (string, error) { return "2", nil }
	h := must(api.Create(t.Context(), "x", &CreateOptions{Metadata: given, Helper: helper}))(t)
	equal(t, "given", given, map[string]string{"a": "1"})
	equal(t, "made", must(h.Metadata(t.Context()))(t), map[string]string{"a": "1", "b": "2"})
}

func TestDeleteStartsAnew(t *testing.T) {
	api := newAPI(t)
	h := must(api.Create(t.Context(), "dir/x", &CreateOptions{Tags: []string{"t"}, Metadata: map[string]string{"a": "1"}}))(t)
	put(t, h, "one")
	put(t, h, "two")
	sibling := newArchive(t, api, "dir/x.2")
	put(t, sibling, "stays")
	below := newArchive(t, api, "dir/x/below")
	put(t, below, "stays too")
	noError(t, api.Delete(t.Context(), "local:///dir/x"))

	_, err := api.Archive(t.Context(), "dir/x", nil)
	wantError(t, err, `Archive "dir/x" not found`, fs.ErrNotExist)
	equal(t, "names", collect(t, api.Filter(t.Context(), nil)), []string{"dir/x.2", "dir/x/below"})
	equal(t, "tagged", len(collect(t, api.Search(t.Context(), "", "t"))), 0)
	equal(t, "listed", must(api.ListDir(t.Context(), "dir", ""))(t), []string{"x", "x.2"})
	equal(t, "listed below", must(api.ListDir(t.Context(), "dir/x", ""))(t), []string{"below"})
	equal(t, "sibling", text(t, sibling, ""), "stays")

	again := newArchive(t, api, "dir/x")
	equal(t, "versions", versions(t, again), "")
	equal(t, "tags", len(must(again.Tags(t.Context()))(t)), 0)
	equal(t, "metadata", len(must(again.Metadata(t.Context()))(t)), 0)
	equal(t, "first version", put(t, again, "two").Version, "0.0.1")
	if _, err := h.Open(t.Context(), &OpenOptions{Version: "0.0.2"}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an old handle: got %v", err)
	}
}
