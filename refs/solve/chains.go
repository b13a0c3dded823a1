package solve

import (
	"fmt"
	"strings"
)

const (
	maxChains = 20     // that Chains returns
	maxSteps  = 10_000 // of the search for them
)

// Chains returns why an archive is among what was chosen with dependencies: steps from
// the requirements, which are called label, to the archive. The shortest chain comes
// first; more reports that there are others.
func Chains(list []Chosen, name, label string) (found [][]string, more bool) {
	s := chainSearch{at: make(map[string]*Chosen, len(list)), label: label}
	for i := range list {
		s.at[list[i].Archive.Name] = &list[i]
	}
	return s.chains(s.at[name])
}

// chainSearch goes from an archive back to the requirements.
type chainSearch struct {
	at    map[string]*Chosen
	label string
}

// chain is a trail of reasons, the last one first.
type trail struct {
	reason Reason
	next   *trail
}

// holds says whether the chain goes through an archive.
func (l *trail) holds(name string) bool {
	for ; l != nil; l = l.next {
		if l.reason.Requirement.Name == name {
			return true
		}
	}
	return false
}

// chains finds the shortest chains first. None goes twice through an archive.
func (s *chainSearch) chains(c *Chosen) (found [][]string, more bool) {
	var todo []*trail
	add := func(c *Chosen, next *trail) {
		for _, r := range c.Reasons {
			if r.From == "" || !next.holds(r.From) && r.From != c.Archive.Name {
				todo = append(todo, &trail{r, next})
			}
		}
	}
	add(c, nil)
	for steps := 0; len(todo) > 0; steps++ {
		if len(found) == maxChains || steps == maxSteps {
			return found, true
		}
		l := todo[0]
		todo = todo[1:]
		if l.reason.From == "" {
			found = append(found, s.texts(l))
		} else if from := s.at[l.reason.From]; from != nil {
			add(from, l)
		}
	}
	return found, false
}

// texts are the steps of a chain.
func (s *chainSearch) texts(l *trail) (list []string) {
	for ; l != nil; l = l.next {
		from := reasonFrom(l.reason)
		if l.reason.From == "" {
			from = fmt.Sprintf("%s:%d", s.label, l.reason.Requirement.Line)
		}
		list = append(list, strings.TrimSuffix(from, ":0")+": "+l.reason.Requirement.String())
	}
	return list
}
