package refs

import "testing"

// FuzzStarsOnly compares the quick way with the expression.
func FuzzStarsOnly(f *testing.F) {
	for _, p := range []string{"", "*", "a*", "*a", "a*b*c", "**", "a**b", "abc", "*ab*ba*"} {
		f.Add(p, "aabbaac")
		f.Add(p, "abc")
		f.Add(p, "")
	}
	f.Fuzz(func(t *testing.T, pattern, s string) {
		for _, r := range pattern + s {
			if r == '?' || r == '[' || r == 0xfffd {
				return
			}
		}
		re, err := compileGlob(pattern)
		if err != nil {
			return
		}
		if got, want := starsOnly(pattern)(s), re.MatchString(s); got != want {
			t.Errorf("%q on %q: %v, want %v", pattern, s, got, want)
		}
	})
}
