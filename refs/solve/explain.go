package solve

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/refs"
)

// maxCompared is how many reasons for one archive are compared to explain a failure.
const maxCompared = 30

// explain looks for a reason, or two, that leave an archive without a version,
// among the reasons up to the last one. It keeps what it finds as the failure.
func (s *solver) explain(n *node, last int) bool {
	for at := 0; at <= min(last, maxCompared); at++ {
		if s.explainPair(n, n.reasons[at], n.reasons[:at]) {
			return true
		}
	}
	return false
}

// explainWith does so for one reason more.
func (s *solver) explainWith(n *node, l link) bool {
	return s.explainPair(n, l, n.reasons[:min(len(n.reasons), maxCompared)])
}

func (s *solver) explainPair(n *node, l link, others []link) bool {
	if s.explainAlone(n, l) {
		return true
	}
	for _, o := range others {
		text := ""
		a, b := o.Requirement, l.Requirement
		switch {
		case a.Authority != "" && b.Authority != "" && a.Authority != b.Authority:
			text = fmt.Sprintf(`"%s" is wanted from two authorities: `, n.name)
		case !s.possible(n, o, l):
			text = fmt.Sprintf(`no version of "%s" satisfies both: `, n.name)
		default:
			continue
		}
		s.fail(n, refs.ErrConflict, text+chain(o)+"; "+chain(l), o, l)
		return true
	}
	return false
}

// explainAlone looks for what is wrong with one reason.
func (s *solver) explainAlone(n *node, l link) bool {
	r := l.Requirement
	switch {
	case n.missing:
		s.fail(n, fs.ErrNotExist, fmt.Sprintf(`Archive "%s" not found%s`, n.name, because(l)), l)
	case !n.versioned && !r.Bare():
		s.fail(n, fs.ErrInvalid, fmt.Sprintf(`Cannot specify version on an unversioned archive. "%s": %s`, n.name, chain(l)), l)
	case len(n.list) == 0:
		s.fail(n, fs.ErrNotExist, fmt.Sprintf(`Archive "%s" has no versions%s`, n.name, because(l)), l)
	case n.versioned && !s.possible(n, l):
		s.fail(n, kindOf(r), fmt.Sprintf(`no version of "%s" is as wanted%s; %s`, n.name, because(l), n.available(r)), l)
	default:
		return false
	}
	return true
}

// kindOf is the kind of error for a requirement that nothing satisfies: a
// version that is named and not there is not found.
func kindOf(r Requirement) error {
	if len(r.Range) > 0 {
		return refs.ErrConflict
	}
	return fs.ErrNotExist
}

// possible reports whether some candidate satisfies all of the reasons. Before
// the search a yanked one does, as a dependency may still pin it.
func (s *solver) possible(n *node, links ...link) bool {
	for i, c := range n.list {
		pinned := !c.Yanked || n.preferred && i == 0 || s.opts.Deps && !s.begun
		all := true
		for _, l := range links {
			all = all && n.allows(l.Requirement, i)
			pinned = pinned || l.Requirement.pins(c.Version)
		}
		if all && pinned {
			return true
		}
	}
	return false
}

func (s *solver) fail(n *node, kind error, text string, links ...link) {
	s.failure = &Error{Name: n.name, text: text, kind: kind}
	for _, l := range links {
		s.failure.Reasons = append(s.failure.Reasons, l.Reason)
	}
}

// chain is a reason, why there is who has it, and so on up to the requirements.
func chain(l link) string {
	var b strings.Builder
	b.WriteString(l.String())
	seen := map[*node]bool{}
	for n := l.from; n != nil && !seen[n] && len(n.reasons) > 0; {
		seen[n] = true
		r := n.reasons[0]
		fmt.Fprintf(&b, ", %s is wanted by %s", n.name, r.who())
		n = r.from
	}
	return b.String()
}

// because is the chain behind a message; a name that was just given needs none.
func because(l link) string {
	if l.From == "" && l.Requirement.Line == 0 && l.Requirement.Bare() {
		return ""
	}
	return ": " + chain(l)
}

// shown is how many versions a message lists.
const shown = 5

// available says which versions there are, and which do not count.
func (n *node) available(r Requirement) string {
	var there, yanked, early []string
	for _, c := range slices.SortedFunc(slices.Values(n.list), func(a, b Candidate) int { return b.Version.Compare(a.Version) }) {
		switch {
		case c.Yanked:
			yanked = append(yanked, c.Version.String())
		case len(r.Range) > 0 && c.Version.Stage != refs.Release && !r.Allows(c.Version):
			early = append(early, c.Version.String())
		default:
			there = append(there, c.Version.String())
		}
	}
	text := "there is " + few(there)
	if len(yanked) > 0 {
		text += "; yanked, so left out: " + few(yanked)
	}
	if len(early) > 0 {
		text += "; pre-releases, left out unless the range names one: " + few(early)
	}
	return text
}

func few(list []string) string {
	switch {
	case len(list) == 0:
		return "none"
	case len(list) <= shown:
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:shown], ", "), len(list)-shown)
}
