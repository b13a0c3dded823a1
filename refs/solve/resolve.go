// Package solve chooses versions: it reads requirements, resolves them against the
// records of a repository and the pins of a lock, says why an archive is among what was
// chosen and what is newer, and finds what is recorded of dependencies.
//
// It is not for contents, nor for asking the team: it reads records, and writes nothing.
//
// The invariant: the same requirements, pins and records give the same choice, and one
// is found if there is any.
package solve

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/datafs/datafs/refs"
)

// Candidate is a version that Resolve may choose.
type Candidate struct {
	Version refs.Version
	Yanked  bool
}

// Universe is what Resolve chooses from. Each question is asked once.
type Universe interface {
	// Candidates gives the versions of an archive, in any order. The error wraps
	// fs.ErrNotExist when there is no such archive; one may have no versions. Of an
	// unversioned archive the list is not looked at.
	Candidates(ctx context.Context, name string) (list []Candidate, versioned bool, err error)
	// Dependencies gives what a version wants; v is zero for an unversioned archive.
	Dependencies(ctx context.Context, name string, v refs.Version) ([]Requirement, error)
}

// Options change what Resolve chooses. Nil is the zero value.
type Options struct {
	Deps   bool                    // also the dependencies of what is chosen, and theirs
	Prefer map[string]refs.Version // by archive: what is kept while it satisfies, even if yanked
}

// Choice is what was chosen of one archive.
type Choice struct {
	Name        string
	Authority   string // the one that was asked for, or ""
	Version     refs.Version
	Unversioned bool     // then Version is zero
	Why         []Reason // all that asked for it, at least one
}

// Reason is one requirement, and who has it.
type Reason struct {
	Requirement Requirement
	From        string       // the archive whose dependency it is; "" when it was given to Resolve
	FromVersion refs.Version // zero when From is unversioned
}

// String is "line 3 of the requirements wants x>=2.0" or "y 1.2 wants x==1.0".
func (r Reason) String() string { return r.who() + " wants " + r.Requirement.String() }

func (r Reason) who() string {
	switch {
	case r.From != "" && r.FromVersion.IsZero():
		return r.From
	case r.From != "":
		return r.From + " " + r.FromVersion.String()
	case r.Requirement.Line > 0:
		return fmt.Sprintf("line %d of the requirements", r.Requirement.Line)
	}
	return "the request"
}

// Error says why there is no solution. It wraps ErrConflict, or
// fs.ErrNotExist when an archive or a version that is pinned is not there, or
// fs.ErrInvalid for a version of an unversioned archive.
type Error struct {
	Name    string   // the archive for which there is no version
	Reasons []Reason // what cannot be had together, or at all
	text    string
	kind    error
}

// Error names the archive and both chains of reasons, on one line.
func (e *Error) Error() string { return e.text }

// Unwrap is the kind of error.
func (e *Error) Unwrap() error { return e.kind }

// Resolve chooses one version of each archive that the requirements, and with
// Deps the dependencies of what is chosen, want. The choices come by name.
//
// Archives are decided by name, and dependencies as soon as something that was
// chosen wants them. Each takes the preferred version if everything allows it,
// else the highest that is not yanked. "latest" allows only the highest version
// that is not yanked. A yanked version is chosen only where it is preferred or a
// requirement pins it. The order of the requirements does not matter.
//
// If there is a solution it is found, and it is the first in that order. The
// search is conflict-directed backjumping (Prosser, Hybrid Algorithms for the
// Constraint Satisfaction Problem, 1993): where an archive has no version left,
// it goes back to the last decision that has a part in it. Without conflicts the
// time is linear but for the sorting of names.
//
// An archive that is not there makes the versions that depend on it unfit. The
// error of a failed search is a *Error; others are the universe's.
func Resolve(ctx context.Context, u Universe, list []Requirement, opts *Options) ([]Choice, error) {
	s := &solver{u: u, nodes: map[string]*node{}}
	if opts != nil {
		s.opts = *opts
	}
	if err := s.begin(ctx, list); err != nil {
		return nil, err
	}
	if err := s.search(ctx); err != nil {
		return nil, err
	}
	return s.choices(), nil
}

// begin takes the requirements, and finds those that fail by themselves.
func (s *solver) begin(ctx context.Context, list []Requirement) error {
	for _, r := range list {
		n, err := s.node(ctx, r.Name)
		if err != nil {
			return err
		}
		if len(n.reasons) == 0 {
			s.roots = append(s.roots, n)
			heap.Push(&s.todo, n)
		}
		n.reasons = append(n.reasons, link{Reason: Reason{Requirement: r}})
	}
	slices.SortFunc(s.roots, func(n, m *node) int { return cmp.Compare(n.name, m.name) })
	for _, n := range s.roots {
		if s.explain(n, len(n.reasons)-1) {
			return s.failure
		}
	}
	s.begun = true
	return nil
}

// choices are what the search has decided.
func (s *solver) choices() []Choice {
	list := make([]Choice, 0, len(s.path))
	for _, f := range s.path {
		n := f.node
		c := Choice{Name: n.name, Unversioned: !n.versioned, Version: n.version().Version}
		for _, l := range n.reasons {
			c.Authority = cmp.Or(c.Authority, l.Requirement.Authority)
			c.Why = append(c.Why, l.Reason)
		}
		slices.SortStableFunc(c.Why, compareReasons)
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b Choice) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func compareReasons(a, b Reason) int {
	return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.Requirement.Line, b.Requirement.Line),
		strings.Compare(a.Requirement.String(), b.Requirement.String()))
}

// pin is one version of an archive, wanted by number.
type pin struct {
	name    string
	version refs.Version
}

// graph is who could ever want whom, whatever is chosen.
type graph struct {
	wanters map[string]map[string]bool // by what is wanted
	pinners map[pin]map[string]bool
	reach   map[pin]map[string]bool // answers of reaching
}

// reaching gives the archives from which a pin of that version can be reached
// through dependencies. As long as all of those that are decided stay as they
// are, nothing new can pin it.
func (s *solver) reaching(ctx context.Context, p pin) (map[string]bool, error) {
	if s.graph == nil {
		if err := s.readGraph(ctx); err != nil {
			return nil, err
		}
	}
	if set, ok := s.graph.reach[p]; ok {
		return set, nil
	}
	set := map[string]bool{}
	queue := slices.Collect(maps.Keys(s.graph.pinners[p]))
	for len(queue) > 0 {
		name := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if !set[name] {
			set[name] = true
			queue = slices.AppendSeq(queue, maps.Keys(s.graph.wanters[name]))
		}
	}
	s.graph.reach[p] = set
	return set, nil
}

// readGraph reads the dependencies of all versions that could be reached.
func (s *solver) readGraph(ctx context.Context) error {
	s.graph = &graph{map[string]map[string]bool{}, map[pin]map[string]bool{}, map[pin]map[string]bool{}}
	queue, seen := slices.Clone(s.roots), map[*node]bool{}
	for len(queue) > 0 && s.opts.Deps {
		n := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		if seen[n] {
			continue
		}
		seen[n] = true
		for i := range n.list {
			deps, err := s.deps(ctx, n, i)
			if err != nil {
				return err
			}
			for _, d := range deps {
				queue = append(queue, d.node)
				s.graph.add(n.name, d.Requirement)
			}
		}
	}
	return nil
}

func (g *graph) add(from string, r Requirement) {
	note(g.wanters, r.Name, from)
	if r.Version != nil {
		note(g.pinners, pin{r.Name, *r.Version}, from)
	}
	for _, c := range r.Range {
		if r.Range.pins(c.Version) {
			note(g.pinners, pin{r.Name, c.Version}, from)
		}
	}
}

func note[K comparable](m map[K]map[string]bool, key K, value string) {
	if m[key] == nil {
		m[key] = map[string]bool{}
	}
	m[key][value] = true
}
