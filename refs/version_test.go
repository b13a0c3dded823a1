package refs_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"testing"

	"github.com/datafs/datafs/refs"
)

func parse(t *testing.T, s string) refs.Version {
	t.Helper()
	v, err := refs.ParseVersion(s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestParseVersion(t *testing.T) {
	cases := []struct{ in, want string }{
		{"0.0", "0.0"}, {"0.0.0", "0.0"}, {"0.1", "0.1"}, {"0.1.0", "0.1"}, {"1.0", "1.0"}, {"0.03", "0.3"}, {"00.0.01", "0.0.1"},
		{"0.0.1", "0.0.1"}, {"1.2b1", "1.2b1"}, {"1.2.0b1", "1.2b1"}, {"0.0.1a2", "0.0.1a2"}, {"1.0a0", "1.0a0"}, {"1.0a007", "1.0a7"},
		{"18446744073709551615.0", "18446744073709551615.0"},
	}
	for _, c := range cases {
		if got := parse(t, c.in).String(); got != c.want {
			t.Errorf("ParseVersion(%q) prints as %q, want %q", c.in, got, c.want)
		}
		if got, want := parse(t, c.in), parse(t, c.want); got != want {
			t.Errorf("%q and its printed form differ: %v, %v", c.in, got, want)
		}
	}
}

func TestParseVersionRefuses(t *testing.T) {
	for _, s := range []string{
		"", "1", "2.7.2.2", "1.3.a4", "1.3c4", "1.3a", "1.3ab1", "1.3a1b1", "a1", "1.", ".1", "1.2.", "1..2", " 1.2", "1.2 ", "1. 2", "1.2\n",
		"v1.2", "-1.2", "1.-2", "+1.2", "1.2A1", "1.2-a1", "1.2.3.4", "1,2", "latest", "１.２", "1.2a1 ", "0x1.2", "18446744073709551616.0", "1.2a99999999999999999999",
	} {
		_, err := refs.ParseVersion(s)
		if err == nil || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("ParseVersion(%q): error is %v", s, err)
			continue
		}
		if want := "invalid version number '" + s + "'"; err.Error() != want && s != "1.2\n" {
			t.Errorf("ParseVersion(%q): %q, want %q", s, err, want)
		}
	}
}

func TestVersionOrder(t *testing.T) {
	ascending := []string{"0.0", "0.0.1a1", "0.0.1", "0.0.9", "0.0.10", "0.1a1", "0.1", "1.0", "1.1a1", "1.1a2", "1.1a10", "1.1b1", "1.1", "1.1.1", "1.2", "1.10", "2.0", "10.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			got, want := parse(t, a).Compare(parse(t, b)), 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got != want {
				t.Errorf("%s compared with %s is %d, want %d", a, b, got, want)
			}
		}
	}
	if !(refs.Alpha < refs.Beta && refs.Beta < refs.Release) {
		t.Error("the stages are out of order")
	}
	if !parse(t, "0.0").IsZero() || parse(t, "0.0a1").IsZero() || parse(t, "0.0.1").IsZero() {
		t.Error("only 0.0 is zero")
	}
}

func TestVersionText(t *testing.T) {
	b, err := json.Marshal(map[string]any{"v": parse(t, "1.2.0b3")})
	if got, want := string(b), `{"v":"1.2b3"}`; err != nil || got != want {
		t.Errorf("Marshal gave %s, %v, want %s", got, err, want)
	}
	var v refs.Version
	if err := json.Unmarshal([]byte(`"1.2b3"`), &v); err != nil || v != parse(t, "1.2b3") {
		t.Errorf("Unmarshal gave %v, %v", v, err)
	}
	if err := json.Unmarshal([]byte(`"1"`), &v); err == nil {
		t.Error("Unmarshal took what is no version")
	}
}

// TestBump has a line for each row of the bump table, then the examples.
func TestBump(t *testing.T) {
	cases := []struct{ from, kind, pre, want string }{
		// release, kind given, no stage: raise kind
		{"1.2.3", "patch", "", "1.2.4"}, {"1.2.3", "minor", "", "1.3"}, {"1.2.3", "major", "", "2.0"},
		// release, kind given, stage given: raise kind, first of the stage
		{"1.2.3", "patch", "alpha", "1.2.4a1"}, {"1.2.3", "minor", "beta", "1.3b1"}, {"1.2.3", "major", "alpha", "2.0a1"},
		// release, no kind, stage given: raise patch
		{"1.2.3", "", "alpha", "1.2.4a1"}, {"1.2.3", "", "beta", "1.2.4b1"},
		// pre-release x.y.0, minor: its own release
		{"1.2a3", "minor", "", "1.2"}, {"1.2b3", "minor", "", "1.2"}, {"2.0a1", "minor", "", "2.0"},
		// pre-release x.y.0, patch or major: raise kind
		{"1.2a3", "patch", "", "1.2.1"}, {"1.2b3", "major", "", "2.0"},
		// pre-release x.y.z, patch: its own release
		{"1.2.3a4", "patch", "", "1.2.3"}, {"1.2.3b4", "patch", "", "1.2.3"},
		// pre-release x.y.z, minor or major: raise kind
		{"1.2.3a4", "minor", "", "1.3"}, {"1.2.3b4", "major", "", "2.0"},
		// pre-release, kind and stage given: raise kind, first of the stage
		{"1.2.3a4", "patch", "alpha", "1.2.4a1"}, {"1.2.3b4", "minor", "alpha", "1.3a1"}, {"1.2b4", "major", "beta", "2.0b1"},
		// pre-release, same stage, no kind: the next one
		{"1.2.3a4", "", "alpha", "1.2.3a5"}, {"1.2b4", "", "beta", "1.2b5"},
		// alpha to beta, no kind
		{"1.2.3a4", "", "beta", "1.2.3b1"},
		// neither kind nor stage: raise patch
		{"1.2.3", "", "", "1.2.4"}, {"1.2.3a4", "", "", "1.2.4"}, {"1.2b4", "", "", "1.2.1"}, {"0.0", "", "", "0.0.1"},

		// The examples.
		{"0.0", "patch", "", "0.0.1"}, {"1.0.1", "patch", "", "1.0.2"}, {"1.0.2", "minor", "", "1.1"}, {"1.2", "major", "", "2.0"},
		{"1.0", "", "alpha", "1.0.1a1"}, {"1.0.1a1", "", "alpha", "1.0.1a2"}, {"1.0.1a2", "", "beta", "1.0.1b1"}, {"1.0.1b1", "minor", "", "1.1"},
		{"1.1", "minor", "beta", "1.2b1"}, {"0.0.1a1", "minor", "", "0.1"}, {"1.2b1", "", "beta", "1.2b2"}, {"1.2b2", "minor", "", "1.2"},
		{"1.3b1", "major", "alpha", "2.0a1"}, {"2.0a1", "major", "", "3.0"}, {"3.0", "patch", "beta", "3.0.1b1"}, {"3.0.1b1", "patch", "", "3.0.1"},
		{"0.1b1", "patch", "", "0.1.1"}, {"0.2b1", "minor", "", "0.2"}, {"0.0.1a1", "patch", "", "0.0.1"},
	}
	for _, c := range cases {
		got, err := parse(t, c.from).Bump(c.kind, c.pre)
		if err != nil || got != parse(t, c.want) {
			t.Errorf("%s bumped %q %q is %v, %v, want %s", c.from, c.kind, c.pre, got, err, c.want)
		}
	}
}

func TestBumpRefuses(t *testing.T) {
	cases := []struct{ from, kind, pre, want string }{
		{"0.2b1", "", "alpha", `Cannot bump version "0.2b1" to prerelease stage "alpha" - version already in beta`},
		{"1.0", "huge", "", `Bump kind "huge" not understood`},
		{"1.0", "Patch", "alpha", `Bump kind "Patch" not understood`},
		{"1.0", "", "gamma", `Prerelease type "gamma" not understood`},
		{"1.0b1", "patch", "rc", `Prerelease type "rc" not understood`},
		{"1.0.18446744073709551615", "patch", "", `version 1.0.18446744073709551615 cannot be raised: its numbers end here`},
		{"18446744073709551615.0", "major", "", `version 18446744073709551615.0 cannot be raised: its numbers end here`},
		{"1.0a18446744073709551615", "", "alpha", `version 1.0a18446744073709551615 cannot be raised: its numbers end here`},
	}
	for _, c := range cases {
		got, err := parse(t, c.from).Bump(c.kind, c.pre)
		if err == nil || err.Error() != c.want || !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s bumped %q %q is %v, %v, want error %q", c.from, c.kind, c.pre, got, err, c.want)
		}
	}
}

func FuzzParseVersion(f *testing.F) {
	for _, s := range []string{"0.0", "1.2.3", "1.2b1", "0.0.1a2", "1", "1.3.a4", "1.3c4", "18446744073709551616.0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := refs.ParseVersion(s)
		if err != nil {
			return
		}
		again, err := refs.ParseVersion(v.String())
		if err != nil || again != v || again.Compare(v) != 0 {
			t.Errorf("%q is %v, and printed and parsed %v, %v", s, v, again, err)
		}
		for _, kind := range []string{"", "patch", "minor", "major"} {
			for _, pre := range []string{"", "alpha", "beta"} {
				next, err := v.Bump(kind, pre)
				if err == nil && next.Compare(v) <= 0 {
					t.Errorf("%v bumped %q %q is %v", v, kind, pre, next)
				}
				if err == nil && !slices.Contains([]refs.Stage{refs.Release, refs.Alpha, refs.Beta}, next.Stage) {
					t.Errorf("%v bumped %q %q has stage %d", v, kind, pre, next.Stage)
				}
			}
		}
	})
}
