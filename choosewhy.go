package datafs

import (
	"context"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// WhyOptions say among which versions reasons are looked for.
type WhyOptions struct {
	Requirements string // a file, or text with requirements; "": those of the API
}

// Reasons says why an archive is needed.
type Reasons struct {
	Archive, Version string     // "" of an unversioned archive
	Chains           [][]string // steps from the requirements to the archive, the shortest chain first
	More             bool       // there are more chains than these
}

const (
	maxChains = 20     // that are told
	maxSteps  = 10_000 // of the search for them
)

// Why finds out why an archive is among what the requirements and the
// dependencies choose. Where nothing asks for it the error wraps fs.ErrNotExist.
func (a *API) Why(ctx context.Context, name string, opts *WhyOptions) (r Reasons, err error) {
	if opts == nil {
		opts = &WhyOptions{}
	}
	_, normal, err := refs.ParseName(name)
	if err != nil {
		return r, err
	}
	list, err := a.Choose(ctx, &ChooseOptions{Requirements: opts.Requirements, Deps: true, Lock: a.LockFile(opts.Requirements)})
	if err != nil {
		return r, err
	}
	at := make(map[string]*Chosen, len(list))
	for i := range list {
		at[list[i].Archive.name] = &list[i]
	}
	c := at[normal]
	if c == nil {
		return r, leaf.Errorf(fs.ErrNotExist, "nothing in the requirements asks for %q, nor do their dependencies", normal)
	}
	if r.Archive = normal; c.Archive.versioned {
		r.Version = c.Record.Version.String()
	}
	s := chainSearch{at: at, label: a.requirementsLabel(opts.Requirements)}
	r.Chains, r.More = s.chains(c)
	return r, nil
}

// requirementsLabel is how messages call the requirements.
func (a *API) requirementsLabel(fileOrText string) string {
	if file := a.requirementsFile(fileOrText); file != "" {
		return filepath.Base(file)
	}
	return "requirements"
}

// chainSearch goes from an archive back to the requirements.
type chainSearch struct {
	at    map[string]*Chosen
	label string
}

// link is a chain of reasons, the last one first.
type link struct {
	reason refs.Reason
	next   *link
}

// holds says whether the chain goes through an archive.
func (l *link) holds(name string) bool {
	for ; l != nil; l = l.next {
		if l.reason.Requirement.Name == name {
			return true
		}
	}
	return false
}

// chains finds the shortest chains first. None goes twice through an archive.
func (s *chainSearch) chains(c *Chosen) (found [][]string, more bool) {
	var todo []*link
	add := func(c *Chosen, next *link) {
		for _, r := range c.reasons {
			if r.From == "" || !next.holds(r.From) && r.From != c.Archive.name {
				todo = append(todo, &link{r, next})
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
func (s *chainSearch) texts(l *link) (list []string) {
	for ; l != nil; l = l.next {
		from := reasonFrom(l.reason)
		if l.reason.From == "" {
			from = fmt.Sprintf("%s:%d", s.label, l.reason.Requirement.Line)
		}
		list = append(list, strings.TrimSuffix(from, ":0")+": "+l.reason.Requirement.String())
	}
	return list
}
