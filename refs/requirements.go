package refs

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Requirement is one line of a requirements file, or one dependency.
type Requirement struct {
	Authority string   // as written in front of the name, or ""
	Name      string   // normalised
	Version   *Version // the pin; nil when there is none
	Latest    bool     // "NAME==latest"
	Line      int      // the line it stood on, from 1; 0 when it was parsed alone
}

// String is the requirement as a line that ParseRequirement reads back.
func (r Requirement) String() string {
	name := r.Name
	if r.Authority != "" {
		name = r.Authority + "://" + name
	}
	if v := r.VersionText(); v != nil {
		return name + "==" + *v
	}
	return name
}

// VersionText is what Dependencies keep: the printed version, "latest", or nil
// when the requirement names no version.
func (r Requirement) VersionText() *string {
	switch {
	case r.Latest:
		return new("latest")
	case r.Version != nil:
		return new(r.Version.String())
	}
	return nil
}

// ranged finds what looks like a range of versions: NAME>=1.0, NAME ~= 1, NAME<2.
var ranged = regexp.MustCompile(`(>=|<=|~=|!=|>|<)\s*[0-9]`)

// ParseRequirement reads "NAME==VERSION", "NAME==latest" or "NAME". Spaces
// around the parts do not count. Ranges of versions are refused. Errors wrap
// fs.ErrInvalid.
func ParseRequirement(s string) (Requirement, error) {
	if err := checkForm(s); err != nil {
		return Requirement{}, err
	}
	name, version, pinned := s, "", false
	if i := strings.LastIndex(s, "=="); i >= 0 {
		name, version, pinned = s[:i], strings.TrimSpace(s[i+2:]), true
	}
	var r Requirement
	var err error
	if r.Authority, r.Name, err = ParseName(strings.TrimSpace(name)); err != nil {
		return Requirement{}, err
	}
	if !pinned {
		return r, nil
	}
	if version == "latest" {
		r.Latest = true
		return r, nil
	}
	v, err := ParseVersion(version)
	if err != nil {
		return Requirement{}, err
	}
	r.Version = &v
	return r, nil
}

// checkForm refuses what cannot be told apart from a mistake.
func checkForm(s string) error {
	if ranged.MatchString(s) || strings.Contains(s, "==") && strings.ContainsAny(s[strings.LastIndex(s, "=="):], ",*") {
		return invalid(`ranges of versions are not supported, only NAME==VERSION or NAME: "%s"`, printable(s))
	}
	if strings.Count(s, "==") > 1 {
		return invalid(`more than one "==" in "%s"`, printable(s))
	}
	return nil
}

// ParseRequirements reads the text of a requirements file: one requirement a
// line; blank lines do not count, nor what stands behind a '#' at the start of a
// line or after a space. With file "" the text is not from a file but was given
// as such, and ';' separates requirements too.
//
// The requirements come in the order of the text. A requirement that is
// repeated counts once; an archive that is required twice in different ways is
// an error. Errors begin with "{file}:{line}: " and wrap fs.ErrInvalid.
func ParseRequirements(text, file string) ([]Requirement, error) {
	label := file
	if label == "" {
		label = "requirements"
	}
	var list []Requirement
	seen := map[string]Requirement{}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\uFEFF")) {
		number++
		for _, part := range parts(line, file == "") {
			r, err := ParseRequirement(part)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", label, number, err)
			}
			r.Line = number
			again, err := repeats(seen, r)
			if err != nil {
				return nil, fmt.Errorf("%s:%d: %w", label, number, err)
			}
			if !again {
				list = append(list, r)
			}
		}
	}
	return list, nil
}

// parts gives what is required on one line.
func parts(line string, split bool) []string {
	line = dropComment(line)
	all := []string{line}
	if split {
		all = strings.Split(line, ";")
	}
	var kept []string
	for _, part := range all {
		if part = strings.TrimSpace(part); part != "" {
			kept = append(kept, part)
		}
	}
	return kept
}

func dropComment(line string) string {
	before := ' '
	for i, r := range line {
		if r == '#' && unicode.IsSpace(before) {
			return line[:i]
		}
		before = r
	}
	return line
}

// repeats reports whether r is already there, and refuses a second opinion.
func repeats(seen map[string]Requirement, r Requirement) (bool, error) {
	first, ok := seen[r.Name]
	if !ok {
		seen[r.Name] = r
		return false, nil
	}
	if first.Authority != "" && r.Authority != "" && first.Authority != r.Authority || !sameVersion(first, r) {
		return false, invalid(`"%s" is already required as "%s" on line %d`, r, first, first.Line)
	}
	return true, nil
}

func sameVersion(a, b Requirement) bool {
	if a.Latest != b.Latest || (a.Version == nil) != (b.Version == nil) {
		return false
	}
	return a.Version == nil || *a.Version == *b.Version
}

// DependenciesOf turns requirements into dependencies, leaving out the archive
// itself: a requirements file usually names every archive of a project.
func DependenciesOf(list []Requirement, archive string) Dependencies {
	deps := Dependencies{}
	for _, r := range list {
		if r.Name != archive {
			deps[r.Name] = r.VersionText()
		}
	}
	return deps
}
