package solve

import (
	"testing"

	"github.com/datafs/datafs/refs"
)

var oddNames = []string{
	"a==1", "a>1", " lead", "trail ", "#c", "a #b", "x@latest", `"`, `"quoted"`, `a"b`, `"a`, "a;b", " ", "=", "~=1.0", "a<2", "rate=0.5", "a^1", "a =1.0", "a@ latest", `x" #y`, "a!",
}

func TestEveryNameReadsBackFromALineOfRequirements(t *testing.T) {
	t.Parallel()
	version, err := refs.ParseVersion("1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	ranges, err := ParseRange(">=1.0,<2")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range oddNames {
		for _, r := range []Requirement{{Name: name}, {Name: name, Version: &version}, {Name: name, Range: ranges}, {Name: name, Latest: true}, {Authority: "team", Name: name, Version: &version}} {
			checkReadsBack(t, r)
		}
	}
}

func checkReadsBack(t *testing.T, r Requirement) {
	t.Helper()
	got, err := ParseRequirements("first\n  "+r.String()+"  # comment\n", "file")
	if err != nil || len(got) != 2 || got[1].Name != r.Name || got[1].String() != r.String() || got[1].Latest != r.Latest {
		t.Errorf("%q is written as %s, and read as %q, %v", r.Name, r, got, err)
	}
}

func TestQuotedNames(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		`"a #b"==1.0`: `a #b 1.0`, ` "a" `: "a", `"a"@latest`: "a latest", `"a" @ latest # x`: "a latest", `"a" >=1,<2`: "a >=1.0,<2.0",
		`"a\"b"`: `a"b`, `"team://a;b"==1.0`: "a;b 1.0", `a"b"`: `a"b"`, `"a`: `"a`,
	} {
		got, err := ParseRequirements(line, "file")
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %q, %v", line, got, err)
			continue
		}
		text := got[0].Name
		if v := got[0].VersionText(); v != nil {
			text += " " + *v
		} else if got[0].Range != nil {
			text += " " + got[0].Range.String()
		}
		if text != want {
			t.Errorf("%s: got %q, want %q", line, text, want)
		}
	}
	if got, err := ParseRequirements(`"a;b"==1.0; c #d`, ""); err != nil || len(got) != 2 || got[0].Name != "a;b" || got[1].Name != "c" {
		t.Errorf("as text: %q, %v", got, err)
	}
	if got, err := ParseRequirements(`"a" b`, "file"); err == nil {
		t.Errorf("text behind a quoted name: %q", got)
	}
}
