package solve_test

import (
	"testing"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/solve"
)

func TestRangeAllows(t *testing.T) {
	cases := []struct{ text, yes, no string }{
		{">=1.0,<2", "1.0", "2.0"},
		{">1.0", "1.0.1", "1.0"},
		{"<=1.0", "1.0", "1.0.1"},
		{"!=1.0", "1.1", "1.0"},
		{"==1.0,<2.0", "1.0", "1.1"},
		{"~=1.0.0", "1.0.9", "1.1"},
		{"~=1.0", "1.9", "2.0"},
		{"~=1.2", "1.2", "1.1.9"},
		{"~=1.0.0b2", "1.0.4", "1.1"},
		{"~=1.0.0b2", "1.0b3", "1.0b1"},
		{">=1.0b1", "1.1b1", "1.0a1"},
		{">=1.0", "1.1", "1.1b1"},
		{"!=1.1b1", "1.1", "1.1b2"},
		{">=0.5a1,<1.0", "0.9b1", "1.0b1"},
		{">=0.5,<1.0b2", "1.0b1", "1.0b2"},
		{">2,<1", "", "1.5"},
	}
	for _, c := range cases {
		r, err := solve.ParseRange(c.text)
		if err != nil {
			t.Errorf("ParseRange(%q): %v", c.text, err)
			continue
		}
		if c.yes != "" && !r.Allows(parse(t, c.yes)) {
			t.Errorf("%s does not allow %s", c.text, c.yes)
		}
		if r.Allows(parse(t, c.no)) {
			t.Errorf("%s allows %s", c.text, c.no)
		}
	}
}

func TestLooksLikeRequirements(t *testing.T) {
	for _, s := range []string{"a==1.0", "a>=1", "a<2", "a@latest", "a;b", "a\nb", "a~=1.0", "a!=1.0"} {
		if !solve.LooksLikeRequirements(s) {
			t.Errorf("%q is taken for a file", s)
		}
	}
	for _, s := range []string{"requirements_data.txt", "/a/b=c/r.txt", "~/r.txt", "r@home.txt"} {
		if solve.LooksLikeRequirements(s) {
			t.Errorf("%q is not taken for a file", s)
		}
	}
}

func FuzzParseRange(f *testing.F) {
	for _, s := range []string{">=1.0,<2", "~=1.0.0b1", "==1.0", "!=1, >0.0.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := solve.ParseRange(s)
		if err != nil {
			return
		}
		again, err := solve.ParseRange(r.String())
		if err != nil || again.String() != r.String() {
			t.Errorf("%q is %q, and again %q, %v", s, r, again, err)
		}
	})
}

func parse(t *testing.T, s string) refs.Version {
	t.Helper()
	v, err := refs.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
