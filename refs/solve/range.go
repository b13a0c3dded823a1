package solve

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Clause is one comparison of a Range.
type Clause struct {
	Op      string // ">=", ">", "<=", "<", "!=", "~=" or "=="
	Version refs.Version
	Patch   bool // of "~=": a patch number was written, even if it was 0
}

// Range is a set of versions: those that all of its clauses allow. The meaning
// of the clauses is that of PEP 440 (https://peps.python.org/pep-0440/), as far
// as there are such version numbers here.
type Range []Clause

var (
	clauseForm = regexp.MustCompile(`^([=<>!~^]+)\s*(.*)$`)
	number     = regexp.MustCompile(`^[0-9]+$`)
)

const possible = `write for example NAME, NAME==1.0, NAME==latest or NAME>=1.0,<2.0 (with >=, >, <=, <, !=, ~= or ==)`

// ParseRange reads clauses joined by commas, ">=1.0,<2". Spaces around the
// parts do not count. In clauses other than == and ~= a lone number stands for
// the version with a minor number of 0. A range that no version can satisfy is
// none the less one. Errors wrap fs.ErrInvalid.
func ParseRange(s string) (Range, error) {
	var r Range
	for text := range strings.SplitSeq(s, ",") {
		c, err := parseClause(strings.TrimSpace(text), s)
		if err != nil {
			return nil, err
		}
		r = append(r, c)
	}
	return r, nil
}

func parseClause(text, whole string) (c Clause, err error) {
	if text == "" {
		return c, leaf.Errorf(fs.ErrInvalid, `a comparison is missing in "%s": %s`, refs.Printable(whole), possible)
	}
	m := clauseForm.FindStringSubmatch(text)
	if m == nil {
		return c, leaf.Errorf(fs.ErrInvalid, `"%s" does not begin with a comparison: %s`, refs.Printable(text), possible)
	}
	c.Op = m[1]
	if !slices.Contains([]string{">=", ">", "<=", "<", "!=", "~=", "=="}, c.Op) {
		return c, leaf.Errorf(fs.ErrInvalid, `"%s" is no comparison: %s`, c.Op, possible)
	}
	if err = checkOperand(c.Op, m[2], whole); err != nil {
		return c, err
	}
	operand := m[2]
	if number.MatchString(operand) && c.Op != "==" && c.Op != "~=" {
		operand += ".0"
	}
	c.Version, err = refs.ParseVersion(operand)
	c.Patch = c.Op == "~=" && strings.Count(operand, ".") == 2
	return c, err
}

// checkOperand explains the usual mistakes better than ParseVersion can.
func checkOperand(op, operand, whole string) error {
	switch {
	case operand == "" && op != "==":
		return leaf.Errorf(fs.ErrInvalid, `a version is missing behind "%s": %s`, op, possible)
	case operand == latestText:
		return leaf.Errorf(fs.ErrInvalid, `"latest" goes with no other comparison than a single "==" in "%s"`, refs.Printable(whole))
	case op == "==" && strings.Contains(operand, "=="):
		return leaf.Errorf(fs.ErrInvalid, `more than one "==" in "%s"`, refs.Printable(whole))
	case strings.ContainsAny(operand, "<>=~!^"):
		return leaf.Errorf(fs.ErrInvalid, `a comma is missing between the comparisons "%s%s": %s`, op, refs.Printable(operand), possible)
	case strings.Contains(operand, "*"):
		return leaf.Errorf(fs.ErrInvalid, `"%s%s" is not understood: write ~=1.0 for all of 1.x, ~=1.0.0 for all of 1.0.x`, op, refs.Printable(operand))
	case op == "~=" && number.MatchString(operand):
		return leaf.Errorf(fs.ErrInvalid, `"~=%s" says too little: write ~=%s.0 for all of %s.x`, operand, operand, operand)
	}
	return nil
}

// String is the range as ParseRange reads it.
func (r Range) String() string {
	texts := make([]string, len(r))
	for i, c := range r {
		texts[i] = c.String()
	}
	return strings.Join(texts, ",")
}

// String is the clause as it is written in a range.
func (c Clause) String() string {
	v := c.Version
	if !c.Patch || v.Patch != 0 {
		return c.Op + v.String()
	}
	short := refs.Version{Major: v.Major, Minor: v.Minor}.String()
	return c.Op + short + ".0" + strings.TrimPrefix(v.String(), short)
}

// Allows reports whether v is in the range. A pre-release is only if one of the
// clauses names a pre-release; to exclude one by != does not count as that.
func (r Range) Allows(v refs.Version) bool {
	asked := v.Stage == refs.Release
	for _, c := range r {
		if !c.allows(v) {
			return false
		}
		asked = asked || c.Version.Stage != refs.Release && c.Op != "!="
	}
	return asked
}

func (c Clause) allows(v refs.Version) bool {
	order := v.Compare(c.Version)
	switch c.Op {
	case ">=":
		return order >= 0
	case ">":
		return order > 0
	case "<=":
		return order <= 0
	case "<":
		return order < 0 && !(c.Version.Stage == refs.Release && v.Stage != refs.Release && final(v) == c.Version)
	case "!=":
		return order != 0
	case "~=":
		return order >= 0 && v.Major == c.Version.Major && (!c.Patch || v.Minor == c.Version.Minor)
	}
	return order == 0
}

// final is the release that v is a pre-release of.
func final(v refs.Version) refs.Version {
	return refs.Version{Major: v.Major, Minor: v.Minor, Patch: v.Patch}
}

// pins reports whether the range has v as its only version.
func (r Range) pins(v refs.Version) bool {
	return slices.Contains(r, Clause{Op: "==", Version: v}) && r.Allows(v)
}
