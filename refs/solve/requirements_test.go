package solve_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/datafs/datafs/refs/solve"
)

func TestParseRequirement(t *testing.T) {
	cases := []struct{ in, want string }{
		{"a", "a"}, {"a==1.0", "a==1.0"}, {"  a  ==  1.0.0 ", "a==1.0"}, {"/a/b==1.2b3", "a/b==1.2b3"}, {"auth://a/b==0.1", "auth://a/b==0.1"}, {"auth:///a", "auth://a"},
		{"a==latest", "a==latest"}, {"a b.nc==1.0", "a b.nc==1.0"}, {"x===1.0", "x===1.0"}, {"x=y==1.0", "x=y==1.0"}, {"a>b", "a>b"}, {"a~1", "a~1"}, {"x/../y", "y"},
		{"a@latest", "a==latest"}, {"auth://a/b @ latest ", "auth://a/b==latest"}, {"a >= 1.0 , < 2", "a>=1.0,<2.0"}, {"a>2,<1", "a>2.0,<1.0"}, {"a!=1.0,==1.2", "a!=1.0,==1.2"},
		{"a~=1.0.0", "a~=1.0.0"}, {"a~=1.0", "a~=1.0"}, {"a~=1.0.0b2", "a~=1.0.0b2"}, {"a~=1.0.3", "a~=1.0.3"}, {"year=2020/m=01>=1.0", "year=2020/m=01>=1.0"},
		{"year=2020", "year=2020"}, {"rate=0.5==latest", "rate=0.5==latest"}, {"a@1.0", "a@1.0"}, {"x==1.0,<2", "x==1.0,<2.0"},
	}
	for _, c := range cases {
		r, err := solve.ParseRequirement(c.in)
		if err != nil || r.String() != c.want {
			t.Errorf("ParseRequirement(%q) = %q, %v, want %q", c.in, r, err, c.want)
			continue
		}
		if again, err := solve.ParseRequirement(r.String()); err != nil || again.String() != r.String() {
			t.Errorf("%q parsed again is %q, %v", r, again, err)
		}
	}
	r, err := solve.ParseRequirement("auth://a==1.2")
	if err != nil || r.Authority != "auth" || r.Name != "a" || *r.Version != parse(t, "1.2") || r.Latest {
		t.Errorf("parts are %+v, %v", r, err)
	}
	if r, err := solve.ParseRequirement("a"); err != nil || r.Version != nil || r.VersionText() != nil {
		t.Errorf("unpinned is %+v, %v", r, err)
	}
	if r, err := solve.ParseRequirement("a == latest"); err != nil || r.Version != nil || !r.Latest || *r.VersionText() != "latest" {
		t.Errorf("latest is %+v, %v", r, err)
	}
}

func TestParseRequirementRefuses(t *testing.T) {
	cases := []struct{ in, want string }{
		{"a==1", "invalid version number '1'"},
		{"a==", "invalid version number ''"},
		{"a==x", "invalid version number 'x'"},
		{"==1.0", `Archive name missing in ""`},
		{"", `Archive name missing in ""`},
		{"../a==1.0", "Too many backrefs in '../a'"},
		{`a\b`, `Path contains invalid characters: a\b`},
		{"a==1.0==2.0", `more than one "==" in "==1.0==2.0"`},
		{"a==1.0;b==2.0", `more than one "==" in "==1.0;b==2.0"`},
		{"a=1.0", `"=" is no comparison`},
		{"a=>1.0", `"=>" is no comparison`},
		{"a=", `"=" is no comparison`},
		{"a<>1.0", `"<>" is no comparison`},
		{"a>=", `a version is missing behind ">="`},
		{"a>=1.0,", `a comparison is missing in ">=1.0,"`},
		{"a~1.0", `"~" is no comparison`},
		{"a^1", `"^" is no comparison`},
		{"a==1.*", `"==1.*" is not understood: write ~=1.0 for all of 1.x`},
		{"a > 1.0 < 2.0", `a comma is missing between the comparisons ">1.0 < 2.0"`},
		{"a>=1.0,2.0", `"2.0" does not begin with a comparison`},
		{"a~=1", `"~=1" says too little: write ~=1.0`},
		{"a>=1.x", "invalid version number '1.x'"},
		{"a@latest>=1.0", `"@latest" goes with no other comparison`},
		{"a>=1.0@latest", `"@latest" goes with no other comparison`},
		{"a==latest,>=1.0", `"latest" goes with no other comparison`},
	}
	for _, c := range cases {
		r, err := solve.ParseRequirement(c.in)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ParseRequirement(%q) = %q, error %v, want %s", c.in, r, err, c.want)
		}
	}
}

func TestParseRequirements(t *testing.T) {
	cases := []struct {
		name, text, file string
		want             []string // "line requirement"
	}{
		{"nothing requires nothing", "", "r.txt", nil},
		{"blank lines and comments do not count", "\n  \n# a==1.0\n\t# b\n a==1.0 # why\n", "r.txt", []string{"5 a==1.0"}},
		{"a hash within a name is part of it", "a#b==1.0\n#c\nd #e", "r.txt", []string{"1 a#b==1.0", "3 d"}},
		{"lines keep their order", "b==1.0\na\nc==latest\n", "r.txt", []string{"1 b==1.0", "2 a", "3 c==latest"}},
		{"the last line needs no end", "a==1.0\nb", "r.txt", []string{"1 a==1.0", "2 b"}},
		{"lines may end as on windows", "a==1.0\r\nb==2.0\r\n", "r.txt", []string{"1 a==1.0", "2 b==2.0"}},
		{"a byte order mark does not count", "\uFEFFa==1.0\n", "r.txt", []string{"1 a==1.0"}},
		{"three forms of a name are one", "/a/b==1.0\na/b==1.0\nauth://a/b==1.0.0\n", "r.txt", []string{"1 a/b==1.0"}},
		{"a file keeps a semicolon in a name", "a;b==1.0\n", "r.txt", []string{"1 a;b==1.0"}},
		{"text is split at semicolons too", "a==1.0;b==2.0 ; c;\nd", "", []string{"1 a==1.0", "1 b==2.0", "1 c", "2 d"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			list, err := solve.ParseRequirements(c.text, c.file)
			var got []string
			for _, r := range list {
				got = append(got, fmt.Sprint(r.Line, " ", r))
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestParseRequirementsRefuses(t *testing.T) {
	cases := []struct{ text, file, want string }{
		{"a==1.0\n\nb==x\n", "pins.txt", "pins.txt:3: invalid version number 'x'"},
		{"a==1.0\na==2.0\n", "pins.txt", `pins.txt:2: "a==2.0" is already required as "a==1.0" on line 1`},
		{"a==1.0\n/a\n", "pins.txt", `pins.txt:2: "a" is already required as "a==1.0" on line 1`},
		{"a\na==latest\n", "pins.txt", `pins.txt:2: "a==latest" is already required as "a" on line 1`},
		{"x://a\ny://a\n", "pins.txt", `pins.txt:2: "y://a" is already required as "x://a" on line 1`},
		{"# x\na>=1.z\n", "dir/pins.txt", "dir/pins.txt:2: invalid version number '1.z'"},
		{"a>=1.0\na>=1.0,<2.0\n", "pins.txt", `pins.txt:2: "a>=1.0,<2.0" is already required as "a>=1.0" on line 1`},
		{"a==1.0;b==2.0\n", "pins.txt", `pins.txt:1: more than one "==" in "==1.0;b==2.0"`},
		{"a==1.0;b==", "", "requirements:1: invalid version number ''"},
	}
	for _, c := range cases {
		list, err := solve.ParseRequirements(c.text, c.file)
		if err == nil || err.Error() != c.want || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ParseRequirements(%q) = %v, error %v, want %s", c.text, list, err, c.want)
		}
	}
}

func TestDependenciesOf(t *testing.T) {
	list, err := solve.ParseRequirements("a==1.0\nb\nme==2.0\nc==latest", "r.txt")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for name, v := range solve.DependenciesOf(list, "me") {
		got[name] = "None"
		if v != nil {
			got[name] = *v
		}
	}
	if want := map[string]string{"a": "1.0", "b": "None", "c": "latest"}; !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func FuzzParseRequirements(f *testing.F) {
	for _, s := range []string{"a==1.0\nb", "a==1.0;b==2.0", "# c\n\na # d", "a>=1", "x://a==latest", "a==1.0\r\n", "a===1.0", "\xff==1.0", "a>=1.0,<2", "a~=1.0.0b1", "a@latest", "a^1;b=1.0", `"a #b"==1.0`, `"\"`, "\uFEFF\uFEFFa", "a\u3000#b"} {
		f.Add(s, "")
		f.Add(s, "f")
	}
	f.Fuzz(func(t *testing.T, text, file string) {
		list, err := solve.ParseRequirements(text, file)
		if err != nil {
			return
		}
		lines := []string{}
		seen := map[string]bool{}
		for _, r := range list {
			if seen[r.Name] || r.Line < 1 || r.Name == "" {
				t.Errorf("%q gave %+v", text, r)
			}
			seen[r.Name] = true
			lines = append(lines, r.String())
		}
		if len(lines) == 0 {
			return
		}
		again, err := solve.ParseRequirements(strings.Join(lines, "\n"), "f")
		if err != nil || len(again) != len(list) {
			t.Fatalf("%q gave %q, and again %v, %v", text, lines, again, err)
		}
		for i := range list {
			if list[i].String() != again[i].String() || list[i].Name != again[i].Name {
				t.Errorf("%q gave %q, and again %q", text, list[i], again[i])
			}
		}
	})
}
