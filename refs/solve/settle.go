package solve

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// AskedFor returns what a requirement asks of an archive, as Dependencies hold it
// before they are recorded.
func AskedFor(r Requirement) *string {
	if len(r.Range) > 0 {
		return new(r.Range.String())
	}
	return r.VersionText()
}

// RequirementsOf is the opposite of AskedFor, by name.
func RequirementsOf(deps refs.Dependencies) ([]Requirement, error) {
	var list []Requirement
	for _, name := range slices.Sorted(maps.Keys(deps)) {
		var r Requirement
		var err error
		if r.Authority, r.Name, err = refs.ParseName(name); err == nil && deps[name] != nil {
			err = readVersion(&r, *deps[name])
		}
		if err != nil {
			return nil, fmt.Errorf("dependency %q: %w", name, err)
		}
		list = append(list, r)
	}
	return list, nil
}

// readVersion reads a version number, "latest" or a range.
func readVersion(r *Requirement, text string) error {
	if r.Latest = text == latestText; r.Latest {
		return nil
	}
	v, err := refs.ParseVersion(text)
	if err == nil {
		r.Version = &v
		return nil
	}
	if strings.ContainsAny(text, "<>=!~^") {
		r.Range, err = ParseRange(text)
	}
	return err
}

// PinIn returns the version in pins, if the requirement allows it.
func (r Requirement) PinIn(pins map[string]Pin) (v refs.Version, ok bool) {
	p, ok := pins[r.Name]
	return p.Version, ok && p.Versioned && r.Allows(p.Version)
}

// Settled is what is recorded of dependencies.
type Settled struct {
	Dependencies refs.Dependencies
	Resolved     map[string]string // the versions that those without a number stood for
}

// Settle finds what is recorded of the dependencies of an archive. A range stands for
// the version in pins, if it allows that, else for the highest; one that nothing
// satisfies is an error that wraps fs.ErrNotExist. doubts are sentences that say what is
// strange; with strict they are errors of that kind as well.
func (u *Records) Settle(ctx context.Context, archive string, list []Requirement, pins map[string]Pin, strict bool) (s Settled, doubts []string, err error) {
	s.Dependencies = refs.Dependencies{}
	for _, r := range list {
		one, err := u.settle(ctx, r, pins)
		if err != nil {
			return Settled{}, nil, err
		}
		doubt := fmt.Sprintf("dependency %q: %s", r, one.doubt)
		if strict && one.doubt != "" {
			return Settled{}, nil, leaf.Errorf(fs.ErrNotExist, "%s", doubt)
		}
		if one.doubt != "" {
			doubts = append(doubts, doubt)
		}
		if r.Name == archive {
			doubts = append(doubts, fmt.Sprintf("dependency %q: the archive depends on itself", r))
		}
		s.add(r.Name, one)
	}
	return s, doubts, nil
}

func (s *Settled) add(name string, one dependency) {
	s.Dependencies[name] = one.version
	if one.resolved == "" {
		return
	}
	if s.Resolved == nil {
		s.Resolved = map[string]string{}
	}
	s.Resolved[name] = one.resolved
}

// dependency is what is recorded of one.
type dependency struct {
	version  *string
	resolved string // what it stands for, if version is nil and that is known
	doubt    string // what is strange about it, or ""
}

// settle finds what is recorded of a dependency. A range cannot be, so one that
// nothing satisfies is an error that wraps fs.ErrNotExist.
func (u *Records) settle(ctx context.Context, r Requirement, pins map[string]Pin) (d dependency, err error) {
	d.version = AskedFor(r)
	k, err := u.Lookup(ctx, r.Name)
	switch {
	case err != nil:
		return d, err
	case k == nil:
		d.doubt = fmt.Sprintf("there is no archive %q here", r.Name)
	case r.Authority != "" && r.Authority != k.Record.Authority:
		d.doubt = fmt.Sprintf("archive %q belongs to the authority %q", r.Name, k.Record.Authority)
	case !k.Record.Versioned && d.version != nil:
		d.doubt = fmt.Sprintf("archive %q is not versioned", r.Name)
	case !k.Record.Versioned:
	case r.Version != nil && !k.Has(*r.Version):
		d.doubt = fmt.Sprintf("archive %q has no version %s here", r.Name, *r.Version)
	case r.Version != nil:
		d.doubt, err = u.doubtYanked(ctx, k, *r.Version)
	default:
		err = u.settleOpen(ctx, k, r, pins, &d)
	}
	if err == nil && d.doubt != "" && d.version != nil && len(r.Range) > 0 && *d.version == r.Range.String() {
		err = leaf.Errorf(fs.ErrNotExist, "dependency %q: %s", r, d.doubt)
	}
	return d, err
}

// doubtYanked says why a version was yanked, if it was.
func (u *Records) doubtYanked(ctx context.Context, k *Archive, v refs.Version) (string, error) {
	if !slices.Contains(k.Versions, Candidate{Version: v, Yanked: true}) {
		return "", nil
	}
	rec, err := u.db.Version(ctx, k.Record.Name, v)
	if y := rec.Yanked(); err == nil && y != nil {
		return fmt.Sprintf("version %s was yanked: %s", v, y.Reason), nil
	}
	return "", err
}

// settleOpen finds the version that a requirement without a number stands for:
// the one in pins, or else the highest that is allowed and was not yanked.
func (u *Records) settleOpen(ctx context.Context, k *Archive, r Requirement, pins map[string]Pin, d *dependency) (err error) {
	v, ok := k.Best(r)
	if p, pinned := r.PinIn(pins); pinned && len(r.Range) > 0 && k.Has(p) {
		v, ok = p, true
	}
	switch {
	case ok && d.version == nil:
		d.resolved = v.String()
	case ok:
		d.version = new(v.String())
		d.doubt, err = u.doubtYanked(ctx, k, v)
	case len(r.Range) > 0:
		d.doubt = fmt.Sprintf("archive %q has no such version here", r.Name)
	case len(k.Versions) > 0:
		d.doubt = fmt.Sprintf("all versions of archive %q are yanked", r.Name)
	case r.Latest:
		d.doubt = fmt.Sprintf("archive %q has no versions here", r.Name)
	}
	return err
}
