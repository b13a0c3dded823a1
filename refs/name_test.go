package refs_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"unicode"

	"github.com/datafs/datafs/refs"
)

func TestParseName(t *testing.T) {
	cases := []struct{ in, authority, name string }{
		{"a", "", "a"}, {"a/b/c", "", "a/b/c"}, {"local://a/b", "local", "a/b"}, {"A_z-9://a", "A_z-9", "a"}, {"local:///a", "local", "a"},
		{"/a/b", "", "a/b"}, {"///a", "", "a"}, {"a//b", "", "a/b"}, {"a/./b", "", "a/b"}, {"./a", "", "a"}, {"a/", "", "a"}, {"a/b/.", "", "a/b"},
		{"x/y/../z", "", "x/z"}, {"x/../y", "", "y"}, {"/x/y/../../z/", "", "z"}, {"local://x/../y", "local", "y"},
		{"a b", "", "a b"}, {" a ", "", " a "}, {"ä/日本/😀", "", "ä/日本/😀"}, {"a.b.nc", "", "a.b.nc"}, {"...", "", "..."}, {"+,=@[]~!", "", "+,=@[]~!"},
		{"a:b", "", "a:b"}, {"a.b://c", "", "a.b:/c"}, {"://a", "", ":/a"}, {"a/b://c", "", "a/b:/c"}, {"a://b://c", "a", "b:/c"}, {"#$%&*?'\"`|<>;", "", "#$%&*?'\"`|<>;"},
		{strings.Repeat("d/", 400) + "f", "", strings.Repeat("d/", 400) + "f"},
	}
	for _, c := range cases {
		authority, name, err := refs.ParseName(c.in)
		if err != nil || authority != c.authority || name != c.name {
			t.Errorf("ParseName(%q) = %q, %q, %v, want %q, %q", c.in, authority, name, err, c.authority, c.name)
		}
	}
}

func TestParseNameRefuses(t *testing.T) {
	cases := []struct{ in, want string }{
		{"../a", "Too many backrefs in '../a'"},
		{"a/../../b", "Too many backrefs in 'a/../../b'"},
		{"local://..", "Too many backrefs in 'local://..'"},
		{`a\b`, `Path contains invalid characters: a\b`},
		{"a\x00b", `Path contains invalid characters: a\x00b`},
		{"a\nb", `Path contains invalid characters: a\nb`},
		{"a\tb\r", `Path contains invalid characters: a\tb\r`},
		{"a\x1b[31m", `Path contains invalid characters: a\x1b[31m`},
		{"a\x7f", `Path contains invalid characters: a\x7f`},
		{"a\u0085", `Path contains invalid characters: a\x85`},
		{"a\xffb", `Path contains invalid characters: a\xffb`},
		{"local://a\\", `Path contains invalid characters: local://a\`},
		{"", `Archive name missing in ""`},
		{"/", `Archive name missing in "/"`},
		{"local://", `Archive name missing in "local://"`},
		{"a/..", `Archive name missing in "a/.."`},
		{strings.Repeat("x", refs.MaxName+1), "Archive name too long: 16385 bytes, at most 16384"},
	}
	for _, c := range cases {
		_, _, err := refs.ParseName(c.in)
		if err == nil || err.Error() != c.want || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ParseName(%q): error is %v, want %s", c.in, err, c.want)
		}
	}
}

func TestCheckAuthorityName(t *testing.T) {
	for _, s := range []string{"a", "local", "A-b_9", "-"} {
		if err := refs.CheckAuthorityName(s); err != nil {
			t.Errorf("CheckAuthorityName(%q): %v", s, err)
		}
	}
	for _, s := range []string{"", "a b", "a.b", "a/b", "ä", "a\n", "a:"} {
		err := refs.CheckAuthorityName(s)
		if want := `"` + strings.ReplaceAll(s, "\n", `\n`) + `" not a valid authority name`; err == nil || err.Error() != want {
			t.Errorf("CheckAuthorityName(%q): error is %v, want %s", s, err, want)
		}
	}
}

func TestSimilarName(t *testing.T) {
	cases := []struct {
		a, b string
		want bool
	}{
		{"a", "a", false}, {"a", "A", true}, {"data/File.nc", "data/file.NC", true}, {"a", "b", false}, {"ä", "a\u0308", true}, {"Ä", "a\u0308", true},
		{"straße", "STRASSE", true}, {"a", "ä", false}, {"a b", "a  b", false}, {"Σ", "ς", true}, {"ﬁ", "fi", true}, {"\u212b", "å", true},
	}
	for _, c := range cases {
		if got := refs.SimilarName(c.a, c.b); got != c.want {
			t.Errorf("SimilarName(%q, %q) is %v", c.a, c.b, got)
		}
		if got := refs.SimilarName(c.b, c.a); got != c.want {
			t.Errorf("SimilarName(%q, %q) is %v", c.b, c.a, got)
		}
	}
}

func FuzzParseName(f *testing.F) {
	for _, s := range []string{"a", "local://a/b", "a/../b", "../a", `a\b`, "a\x00", "/a//b/./c/", "x://y://z", "ä\u0308", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		authority, name, err := refs.ParseName(s)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("error for %q has control characters: %q", s, err)
			}
			return
		}
		for part := range strings.SplitSeq(name, "/") {
			if part == "" || part == "." || part == ".." || strings.ContainsFunc(part, unicode.IsControl) || strings.Contains(part, `\`) {
				t.Errorf("%q is %q", s, name)
			}
		}
		if authority != "" && refs.CheckAuthorityName(authority) != nil {
			t.Errorf("%q has authority %q", s, authority)
		}
		if a, again, err := refs.ParseName(name); a != "" || again != name || err != nil {
			t.Errorf("%q is %q, and again %q, %q, %v", s, name, a, again, err)
		}
	})
}
