package refs_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// clock gives a time that goes on by a second with each look.
func clock() func() time.Time {
	var mu sync.Mutex
	now := time.Date(2017, 1, 1, 0, 0, 0, 0, time.UTC)
	return func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(time.Second)
		return now
	}
}

// eachDB runs a test on a manager with compare-and-swap alone, and on one that
// can do several things at once.
func eachDB(t *testing.T, run func(t *testing.T, d *refs.DB)) {
	t.Parallel()
	t.Run("mem", func(t *testing.T) { run(t, refs.New(&refs.Mem{}, &refs.Options{Now: clock()})) })
	t.Run("bolt", func(t *testing.T) { run(t, refs.New(openBolt(t, t.TempDir(), nil), &refs.Options{Now: clock()})) })
}

func mustCreate(t *testing.T, d *refs.DB, a refs.Archive) refs.Archive {
	t.Helper()
	made, err := d.Create(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func versioned(names ...string) []refs.Archive {
	var list []refs.Archive
	for _, name := range names {
		list = append(list, refs.Archive{Name: name, Authority: "local", Versioned: true})
	}
	return list
}

// content stands for the hash of some contents.
func content(s string) index.ID {
	var id index.ID
	copy(id[:], s)
	return id
}

// add adds a version with these contents and gives its label, "" when nothing
// was made.
func add(t *testing.T, d *refs.DB, archive, contents string, more ...func(*refs.NewVersion)) string {
	t.Helper()
	nv := refs.NewVersion{Archive: archive, Tree: content("tree " + contents), Hash: content(contents), Size: 7, Files: 1, Bump: "patch"}
	for _, m := range more {
		m(&nv)
	}
	rec, _, created, err := d.AddVersion(t.Context(), nv)
	if err != nil {
		t.Fatal(err)
	}
	if !created {
		return ""
	}
	return rec.Label()
}

func bump(kind, pre string) func(*refs.NewVersion) {
	return func(nv *refs.NewVersion) { nv.Bump, nv.Prerelease = kind, pre }
}

func labels(t *testing.T, d *refs.DB, archive string) []string {
	t.Helper()
	list, err := d.Versions(t.Context(), archive)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, v := range list {
		got = append(got, v.Label())
	}
	return got
}

func names(t *testing.T, seq iter.Seq2[string, error]) []string {
	t.Helper()
	list := []string{}
	for name, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, name)
	}
	return list
}

func wantText(t *testing.T, err error, text string, kind error) {
	t.Helper()
	if err == nil || err.Error() != text {
		t.Errorf("error is %v, want %s", err, text)
	}
	if !errors.Is(err, kind) {
		t.Errorf("error %v is not %v", err, kind)
	}
}

func wantList(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestCreate(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		given := refs.Archive{
			Name: "/x//y/../a b.nc", Authority: "local", Versioned: true, Metadata: map[string]string{"k": "v", "empty": ""},
			Tags: []string{"Foo", "bar", "foo", "BAR"}, UserConfig: map[string]string{"username": "Me"},
		}
		made := mustCreate(t, d, given)
		got, err := d.Archive(t.Context(), "x/a b.nc")
		if err != nil {
			t.Fatal(err)
		}
		if want := time.Date(2017, 1, 1, 0, 0, 1, 0, time.UTC); !got.Created.Equal(want) || got.Created.Location() != time.UTC {
			t.Errorf("created at %v, want %v", got.Created, want)
		}
		wantList(t, "tags", got.Tags, []string{"foo", "bar"})
		if !maps.Equal(got.Metadata, given.Metadata) || !maps.Equal(got.UserConfig, given.UserConfig) || got.Authority != "local" || !got.Versioned {
			t.Errorf("archive is %+v", got)
		}
		if got.String() != "<DataArchive local://x/a b.nc>" || made.String() != got.String() {
			t.Errorf("archive prints as %s and %s", got, made)
		}
	})
}

func TestCreateTwice(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, refs.Archive{Name: "a", Authority: "one", Metadata: map[string]string{"k": "v"}})
		second := refs.Archive{Name: "two://a", Versioned: true}
		_, err := d.Create(t.Context(), second, nil)
		wantText(t, err, `Archive "a" already exists`, fs.ErrExist)
		got, err := d.Create(t.Context(), second, &refs.CreateOptions{ExistOK: true})
		if err != nil || got.Authority != "one" || got.Versioned || got.Metadata["k"] != "v" {
			t.Errorf("ExistOK gave %+v, %v", got, err)
		}
	})
}

func TestCreateRefuses(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		cases := []struct {
			a    refs.Archive
			want string
		}{
			{refs.Archive{Name: `a\b`}, `Path contains invalid characters: a\b`},
			{refs.Archive{Name: "../a"}, "Too many backrefs in '../a'"},
			{refs.Archive{Name: "a", Authority: "no way"}, `"no way" not a valid authority name`},
			{refs.Archive{Name: "a", Tags: []string{"\xff"}}, `tag is not valid UTF-8: "\xff"`},
			{refs.Archive{Name: "a", Metadata: map[string]string{"\xff": ""}}, `metadata is not valid UTF-8: "\xff"`},
			{refs.Archive{Name: "a", UserConfig: map[string]string{"k": "\xff"}}, `user config is not valid UTF-8: "\xff"`},
		}
		for _, c := range cases {
			_, err := d.Create(t.Context(), c.a, nil)
			wantText(t, err, c.want, fs.ErrInvalid)
		}
		wantList(t, "names", names(t, d.Names(t.Context(), "")), []string{})
	})
}

func TestSpec(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		empty, err := d.Spec(t.Context())
		if err != nil || len(empty.UserConfig)+len(empty.Metadata)+len(empty.Patterns) != 0 {
			t.Errorf("at first %+v is required, %v", empty, err)
		}
		mustCreate(t, d, refs.Archive{Name: "before", Versioned: true})
		err = d.SetSpec(t.Context(), refs.Spec{
			UserConfig: map[string]string{"username": "Your name", "contact": "Your mail"},
			Metadata:   map[string]string{"description": "What is it"},
			Patterns:   []string{`^team/`, `\.nc$`},
		})
		if err != nil {
			t.Fatal(err)
		}
		who := map[string]string{"username": "Me", "contact": ""}
		what := map[string]string{"description": "x"}
		required := func(key string) string {
			return `Required value "` + key + `" not found. Use helper=True or the --helper flag for assistance.`
		}
		cases := []struct {
			name string
			a    refs.Archive
			want string
		}{
			{"metadata is missing", refs.Archive{Name: "team/a.nc", UserConfig: who}, required("description")},
			{"a key of the user config is missing", refs.Archive{Name: "team/a.nc", Metadata: what, UserConfig: map[string]string{"username": "Me"}}, required("contact")},
			{"the name lacks the first pattern", refs.Archive{Name: "a.nc", Metadata: what, UserConfig: who}, `archive name does not match pattern '^team/'`},
			{"the name lacks the second pattern", refs.Archive{Name: "/team/a", Metadata: what, UserConfig: who}, `archive name does not match pattern '\.nc$'`},
		}
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				_, err := d.Create(t.Context(), c.a, nil)
				wantText(t, err, c.want, fs.ErrInvalid)
			})
		}
		mustCreate(t, d, refs.Archive{Name: "/team/a.nc", Metadata: what, UserConfig: who})
		nv := refs.NewVersion{Archive: "before", Hash: content("x"), Size: 1, UserConfig: map[string]string{"contact": "me"}}
		_, _, _, err = d.AddVersion(t.Context(), nv)
		wantText(t, err, required("username"), fs.ErrInvalid)
		wantText(t, d.CheckUserConfig(t.Context(), nv.UserConfig), required("username"), fs.ErrInvalid)
		wantText(t, d.UpdateMetadata(t.Context(), "team/a.nc", map[string]*string{"description": nil}),
			`Cannot remove required metadata attribute "description"`, fs.ErrInvalid)
	})
}

func TestSpecMissing(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		err := d.EditSpec(t.Context(), func(s *refs.Spec) error {
			s.UserConfig["b"], s.UserConfig["a"] = "B?", "A?"
			s.Metadata["m"] = "M?"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := d.Missing(t.Context(), refs.RequiredUserConfig, map[string]string{"c": ""})
		if want := []refs.Prompt{{Key: "a", Text: "A?"}, {Key: "b", Text: "B?"}}; err != nil || !slices.Equal(got, want) {
			t.Errorf("missing are %v, %v, want %v", got, err, want)
		}
		got, err = d.Missing(t.Context(), refs.RequiredMetadata, map[string]string{"m": ""})
		if err != nil || len(got) != 0 {
			t.Errorf("missing are %v, %v, want none", got, err)
		}
		if _, err := d.Missing(t.Context(), "else", nil); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("an unknown kind gave %v", err)
		}
	})
}

func TestEditSpec(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				err := d.EditSpec(t.Context(), func(s *refs.Spec) error {
					s.Metadata[fmt.Sprint(i)] = "?"
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		s, err := d.Spec(t.Context())
		if got := slices.Sorted(maps.Keys(s.Metadata)); err != nil || len(got) != 8 {
			t.Errorf("required are %v, %v", got, err)
		}
		err = d.EditSpec(t.Context(), func(s *refs.Spec) error { s.Patterns = []string{"("}; return nil })
		if !errors.Is(err, fs.ErrInvalid) || !strings.HasPrefix(err.Error(), "archive pattern '(' is not a regular expression") {
			t.Errorf("a broken pattern gave %v", err)
		}
		no := errors.New("no")
		if err := d.EditSpec(t.Context(), func(*refs.Spec) error { return no }); !errors.Is(err, no) {
			t.Errorf("the editor's error became %v", err)
		}
	})
}

func TestNamesAndArchives(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		for _, a := range versioned("b", "a/c", "a", "ab") {
			mustCreate(t, d, a)
		}
		add(t, d, "a", "x")
		wantList(t, "all", names(t, d.Names(t.Context(), "")), []string{"a", "a/c", "ab", "b"})
		wantList(t, "with a prefix", names(t, d.Names(t.Context(), "a/")), []string{"a/c"})
		got := []string{}
		for a, err := range d.Archives(t.Context(), "a") {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a.Name)
		}
		wantList(t, "archives", got, []string{"a", "a/c", "ab"})
	})
}

func TestSimilar(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		for _, a := range versioned("Data/A", "data/b", "ä", "c") {
			mustCreate(t, d, a)
		}
		got, err := d.Similar(t.Context(), "data/a", "data/b", "a\u0308", "X", "x", "c")
		if err != nil {
			t.Fatal(err)
		}
		want := map[string][]string{"data/a": {"Data/A"}, "a\u0308": {"ä"}, "X": {"x"}, "x": {"X"}}
		if !maps.EqualFunc(got, want, slices.Equal[[]string]) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestNotFound(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		ctx := t.Context()
		calls := map[string]func() error{
			"Archive": func() error { _, err := d.Archive(ctx, "no/such"); return err },
			"AddVersion": func() error {
				_, _, _, err := d.AddVersion(ctx, refs.NewVersion{Archive: "no/such", Size: 1})
				return err
			},
			"CheckBump":       func() error { return d.CheckBump(ctx, "no/such", "", "") },
			"Versions":        func() error { _, err := d.Versions(ctx, "no/such"); return err },
			"Version":         func() error { _, err := d.Version(ctx, "no/such", refs.Version{Minor: 1}); return err },
			"Latest":          func() error { _, err := d.Latest(ctx, "no/such"); return err },
			"SetDependencies": func() error { return d.SetDependencies(ctx, "no/such", nil, nil, nil) },
			"UpdateMetadata":  func() error { return d.UpdateMetadata(ctx, "no/such", nil) },
			"AddTags":         func() error { return d.AddTags(ctx, "no/such", "x") },
			"DeleteTags":      func() error { return d.DeleteTags(ctx, "no/such", "x") },
			"Delete":          func() error { return d.Delete(ctx, "no/such") },
			"History":         func() error { _, err := d.History(ctx, "no/such"); return err },
		}
		for name, call := range calls {
			t.Run(name, func(t *testing.T) { wantText(t, call(), `Archive "no/such" not found`, fs.ErrNotExist) })
		}
	})
}

func TestUpdateMetadata(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, refs.Archive{Name: "a", Metadata: map[string]string{"keep": "1", "change": "2", "drop": "3"}})
		set := map[string]*string{"change": new("x"), "drop": nil, "never": nil, "my-key": new("y"), "my_key": new("")}
		if err := d.UpdateMetadata(t.Context(), "a", set); err != nil {
			t.Fatal(err)
		}
		a, err := d.Archive(t.Context(), "a")
		if want := map[string]string{"keep": "1", "change": "x", "my-key": "y", "my_key": ""}; err != nil || !maps.Equal(a.Metadata, want) {
			t.Errorf("metadata are %v, %v, want %v", a.Metadata, err, want)
		}
	})
}

func TestConcurrentEdits(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, refs.Archive{Name: "a"})
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				key := fmt.Sprint(i)
				if err := errors.Join(d.UpdateMetadata(t.Context(), "a", map[string]*string{key: &key}), d.AddTags(t.Context(), "a", key)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		a, err := d.Archive(t.Context(), "a")
		if err != nil || len(a.Metadata) != 8 || len(a.Tags) != 8 {
			t.Errorf("of 8 keys and tags there are %v and %v, %v", a.Metadata, a.Tags, err)
		}
	})
}

func TestTags(t *testing.T) {
	eachDB(t, func(t *testing.T, d *refs.DB) {
		mustCreate(t, d, refs.Archive{Name: "a", Tags: []string{"one"}})
		steps := []struct {
			name string
			do   func(context.Context, string, ...string) error
			tags []string
			want []string
		}{
			{"added in order, lowered", d.AddTags, []string{"Two", "three"}, []string{"one", "two", "three"}},
			{"what is there keeps its place", d.AddTags, []string{"ONE", "four", "four"}, []string{"one", "two", "three", "four"}},
			{"removed whatever the case", d.DeleteTags, []string{"TWO", "One"}, []string{"three", "four"}},
			{"removing what is not there is no error", d.DeleteTags, []string{"two", "x"}, []string{"three", "four"}},
			{"added again at the end", d.AddTags, []string{"one"}, []string{"three", "four", "one"}},
			{"nothing changes nothing", d.DeleteTags, nil, []string{"three", "four", "one"}},
		}
		for _, s := range steps {
			if err := s.do(t.Context(), "a", s.tags...); err != nil {
				t.Fatal(err)
			}
			a, err := d.Archive(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			wantList(t, s.name, a.Tags, s.want)
		}
	})
}
