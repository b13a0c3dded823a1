package solve

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Requirement is one line of a requirements file, or one dependency.
type Requirement struct {
	Authority string        // as written in front of the name, or ""
	Name      string        // normalised
	Version   *refs.Version // the pin; nil when there is none
	Range     Range         // "NAME>=1.0,<2"; nil when there is none
	Latest    bool          // "NAME==latest" or "NAME@latest"
	Line      int           // the line it stood on, from 1; 0 when it was parsed alone
}

// String is the requirement as a line that ParseRequirements reads back.
func (r Requirement) String() string {
	name, rest := r.Name, r.Range.String()
	if r.Authority != "" {
		name = r.Authority + "://" + name
	}
	if v := r.VersionText(); v != nil {
		rest = "==" + *v
	}
	if !readsBack(name, rest) {
		name = quotedName(name)
	}
	return name + rest
}

// VersionText is what Dependencies keep: the printed version, "latest", or nil
// when the requirement names no single version.
func (r Requirement) VersionText() *string {
	switch {
	case r.Latest:
		return new("latest")
	case r.Version != nil:
		return new(r.Version.String())
	}
	return nil
}

// Allows reports whether the requirement accepts v by itself. Without a version,
// and with "latest", it accepts any: which is the latest is not known here.
func (r Requirement) Allows(v refs.Version) bool {
	if r.Version != nil {
		return *r.Version == v
	}
	return len(r.Range) == 0 || r.Range.Allows(v)
}

// Bare reports whether the requirement says nothing of versions.
func (r Requirement) Bare() bool { return r.Version == nil && !r.Latest && len(r.Range) == 0 }

// pins reports whether the requirement names exactly v.
func (r Requirement) pins(v refs.Version) bool {
	return r.Version != nil && *r.Version == v || r.Range.pins(v)
}

var (
	// comparison finds where a name ends. Names may have these characters too, so
	// a single one counts only where a version, or nothing, comes after it.
	comparison = regexp.MustCompile(`[=<>!~]*(?:==|>=|<=|~=|!=|=>|=<|<>)[=<>!~]*|[<>]\s*(?:[0-9*]|$)|=$|[=~]\s*[0-9]+\.[0-9]+(?:\.[0-9]+)?(?:[ab][0-9]+)?$|\^\s*[0-9]+(?:\.[0-9]+)*(?:[ab][0-9]+)?$`)
	atLatest   = regexp.MustCompile(`\s*@\s*latest$`)
	anyRange   = regexp.MustCompile(`[=<>~!]=|[<>;\n]|@\s*latest`)
)

// LooksLikeRequirements reports whether s is the text of requirements rather
// than the name of a file with some: it has a comparison, "@latest", a ';' or
// the end of a line.
func LooksLikeRequirements(s string) bool { return anyRange.MatchString(s) }

// ParseRequirement reads "NAME", "NAME==VERSION", "NAME==latest", "NAME@latest"
// or "NAME" with the clauses of a Range, "NAME>=1.0,<2". Spaces around the parts
// do not count. An archive whose name looks like a name with a comparison, as
// "rate=0.5", is written with "==latest" behind it, or in double quotes, as is a
// name that has spaces at its ends or a '#' or ';'. Errors wrap fs.ErrInvalid.
func ParseRequirement(s string) (r Requirement, err error) {
	name, rest, quoted := cutQuoted(strings.TrimSpace(s))
	if !quoted {
		name, rest = splitName(strings.TrimSpace(s))
		err = checkAtLatest(s, name, rest)
	}
	if err != nil {
		return Requirement{}, err
	}
	if r.Authority, r.Name, err = refs.ParseName(name); err != nil {
		return Requirement{}, err
	}
	if err = r.readClauses(rest); err != nil {
		return Requirement{}, err
	}
	return r, nil
}

// splitName gives the name and what is said of versions, "" when nothing is.
func splitName(s string) (name, rest string) {
	at := comparison.FindStringIndex(s)
	if at != nil {
		name, rest = s[:at[0]], s[at[0]:]
		for strings.HasPrefix(rest, "===") { // a name may end in '='
			name, rest = name+"=", rest[1:]
		}
		return strings.TrimSpace(name), rest
	}
	if at = atLatest.FindStringIndex(s); at != nil {
		return strings.TrimSpace(s[:at[0]]), "==" + latestText
	}
	return s, ""
}

func checkAtLatest(s, name, rest string) error {
	if atLatest.MatchString(name) && rest != "" || rest != "" && atLatest.MatchString(rest) {
		return leaf.Errorf(fs.ErrInvalid, `"@latest" goes with no other comparison in "%s"`, refs.Printable(s))
	}
	return nil
}

// latestText is what stands in place of a version for the highest one.
const latestText = "latest"

// readClauses reads what stands behind a name.
func (r *Requirement) readClauses(s string) error {
	if s == "" {
		return nil
	}
	if word, ok := strings.CutPrefix(s, "=="); ok && strings.TrimSpace(word) == latestText {
		r.Latest = true
		return nil
	}
	list, err := ParseRange(s)
	if err != nil {
		return err
	}
	if len(list) == 1 && list[0].Op == "==" {
		r.Version = &list[0].Version
		return nil
	}
	r.Range = list
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

// repeats reports whether r is already there, and refuses a second opinion.
func repeats(seen map[string]Requirement, r Requirement) (bool, error) {
	first, ok := seen[r.Name]
	if !ok {
		seen[r.Name] = r
		return false, nil
	}
	if first.Authority != "" && r.Authority != "" && first.Authority != r.Authority || !sameVersion(first, r) {
		return false, leaf.Errorf(fs.ErrInvalid, `"%s" is already required as "%s" on line %d`, r, first, first.Line)
	}
	return true, nil
}

func sameVersion(a, b Requirement) bool {
	if a.Latest != b.Latest || (a.Version == nil) != (b.Version == nil) {
		return false
	}
	return slices.Equal(a.Range, b.Range) && (a.Version == nil || *a.Version == *b.Version)
}

// DependenciesOf turns requirements into dependencies, leaving out the archive
// itself: a requirements file usually names every archive of a project.
func DependenciesOf(list []Requirement, archive string) refs.Dependencies {
	deps := refs.Dependencies{}
	for _, r := range list {
		if r.Name != archive {
			deps[r.Name] = r.VersionText()
		}
	}
	return deps
}
