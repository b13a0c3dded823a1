package refs

import (
	"cmp"
	"math"
	"regexp"
	"strconv"
)

// Stage is how finished a version is. Stages are ordered: Alpha < Beta < Release.
type Stage int8

// The stages. The zero Stage is Release.
const (
	Alpha   Stage = -2
	Beta    Stage = -1
	Release Stage = 0
)

// String is "alpha", "beta" or "release".
func (s Stage) String() string {
	switch s {
	case Alpha:
		return "alpha"
	case Beta:
		return "beta"
	}
	return "release"
}

// Version is a version number, MAJOR.MINOR[.PATCH][(a|b)N]. The zero Version
// is 0.0, which stands for "no version yet". Versions are equal by value, so
// == compares them; N is 0 in a release.
type Version struct {
	Major, Minor, Patch uint64
	Stage               Stage
	N                   uint64
}

var versionForm = regexp.MustCompile(`^([0-9]+)\.([0-9]+)(?:\.([0-9]+))?(?:([ab])([0-9]+))?$`)

// ParseVersion reads a version number. Leading zeros do not count: 0.03 is 0.3.
// The error, which wraps fs.ErrInvalid, is also what a number that does not fit
// in 64 bits gets.
func ParseVersion(s string) (Version, error) {
	m := versionForm.FindStringSubmatch(s)
	if m == nil {
		return Version{}, invalid("invalid version number '%s'", Printable(s))
	}
	var v Version
	switch m[4] {
	case "a":
		v.Stage = Alpha
	case "b":
		v.Stage = Beta
	}
	fields := [...]*uint64{&v.Major, &v.Minor, &v.Patch, &v.N}
	for i, text := range [...]string{m[1], m[2], m[3], m[5]} {
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return Version{}, invalid("invalid version number '%s'", Printable(s))
		}
		*fields[i] = n
	}
	return v, nil
}

// String is the printed form: a patch of 0 is left out.
func (v Version) String() string {
	b := make([]byte, 0, 24)
	b = strconv.AppendUint(b, v.Major, 10)
	b = append(b, '.')
	b = strconv.AppendUint(b, v.Minor, 10)
	if v.Patch != 0 {
		b = append(b, '.')
		b = strconv.AppendUint(b, v.Patch, 10)
	}
	if v.Stage != Release {
		b = append(b, v.Stage.String()[0])
		b = strconv.AppendUint(b, v.N, 10)
	}
	return string(b)
}

// Compare orders versions: by number, then a pre-release before its release.
func (v Version) Compare(w Version) int {
	return cmp.Or(
		cmp.Compare(v.Major, w.Major),
		cmp.Compare(v.Minor, w.Minor),
		cmp.Compare(v.Patch, w.Patch),
		cmp.Compare(v.Stage, w.Stage),
		cmp.Compare(v.N, w.N),
	)
}

// IsZero reports whether v is 0.0, which no archive's version is.
func (v Version) IsZero() bool { return v == Version{} }

// MarshalText is the printed form.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText is ParseVersion.
func (v *Version) UnmarshalText(text []byte) error {
	w, err := ParseVersion(string(text))
	if err != nil {
		return err
	}
	*v = w
	return nil
}

// checkBumpWords refuses words that no bump understands, whatever the version.
func checkBumpWords(kind, prerelease string) error {
	switch kind {
	case "", "patch", "minor", "major":
	default:
		return invalid(`Bump kind "%s" not understood`, Printable(kind))
	}
	switch prerelease {
	case "", "alpha", "beta":
	default:
		return invalid(`Prerelease type "%s" not understood`, Printable(prerelease))
	}
	return nil
}

// Bump gives the version that comes after v. kind is "", "patch", "minor" or
// "major"; prerelease is "", "alpha" or "beta". With neither, the patch number
// is raised. Errors wrap fs.ErrInvalid.
func (v Version) Bump(kind, prerelease string) (Version, error) {
	if err := checkBumpWords(kind, prerelease); err != nil {
		return Version{}, err
	}
	stage := Release
	switch prerelease {
	case "alpha":
		stage = Alpha
	case "beta":
		stage = Beta
	}
	next, err := v.bump(kind, stage)
	if err == nil && next.Compare(v) <= 0 {
		err = invalid("version %s cannot be raised: its numbers end here", v)
	}
	return next, err
}

func (v Version) bump(kind string, stage Stage) (Version, error) {
	if v.Stage == Release || kind != "" || stage == Release {
		next := v.raise(kind)
		if stage == Release && v.finishes(kind) {
			next = Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch}
		}
		if stage != Release {
			next.Stage, next.N = stage, 1
		}
		return next, nil
	}
	if stage < v.Stage {
		return Version{}, invalid(`Cannot bump version "%s" to prerelease stage "%s" - version already in %s`, v, stage, v.Stage)
	}
	if stage > v.Stage {
		v.Stage, v.N = stage, 1
		return v, nil
	}
	v.N = inc(v.N)
	return v, nil
}

// finishes reports whether a bump of this kind turns the pre-release v into its
// own release: the number was raised by that kind when the pre-release began.
func (v Version) finishes(kind string) bool {
	if v.Stage == Release {
		return false
	}
	return kind == "minor" && v.Patch == 0 || kind == "patch" && v.Patch > 0
}

func (v Version) raise(kind string) Version {
	switch kind {
	case "major":
		return Version{Major: inc(v.Major)}
	case "minor":
		return Version{Major: v.Major, Minor: inc(v.Minor)}
	}
	return Version{Major: v.Major, Minor: v.Minor, Patch: inc(v.Patch)}
}

// inc stops at the greatest number; Bump then refuses, as nothing has risen.
func inc(n uint64) uint64 {
	if n == math.MaxUint64 {
		return n
	}
	return n + 1
}
