package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/datafs/datafs/refs"
)

// askedFor is what a requirement asks of an archive, as Dependencies hold it
// before they are recorded.
func askedFor(r refs.Requirement) *string {
	if len(r.Range) > 0 {
		return new(r.Range.String())
	}
	return r.VersionText()
}

// requirementsOf is the opposite of askedFor, by name.
func requirementsOf(deps Dependencies) ([]refs.Requirement, error) {
	var list []refs.Requirement
	for _, name := range slices.Sorted(maps.Keys(deps)) {
		var r refs.Requirement
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
func readVersion(r *refs.Requirement, text string) error {
	if r.Latest = text == latest; r.Latest {
		return nil
	}
	v, err := refs.ParseVersion(text)
	if err == nil {
		r.Version = &v
		return nil
	}
	if strings.ContainsAny(text, "<>=!~^") {
		r.Range, err = refs.ParseRange(text)
	}
	return err
}

// settled is what is recorded of dependencies.
type settled struct {
	deps     Dependencies
	resolved map[string]string // the versions that those without a number stood for
}

// settleAll finds what is recorded of the dependencies of an archive. What is
// strange about them is told, or with strict refused. A range keeps to the pins
// where it can.
func (a *API) settleAll(ctx context.Context, archive string, list []refs.Requirement, pins map[string]string, strict bool) (settled, error) {
	s := settled{deps: Dependencies{}}
	known, err := a.records(ctx, list)
	if err != nil {
		return settled{}, err
	}
	var doubts []string
	for _, r := range list {
		one, err := known.settle(ctx, r, pins[r.Name])
		if err != nil {
			return settled{}, err
		}
		doubt := fmt.Sprintf("dependency %q: %s", r, one.doubt)
		if strict && one.doubt != "" {
			return settled{}, errorf(fs.ErrNotExist, "%s", doubt)
		}
		if one.doubt != "" {
			doubts = append(doubts, doubt)
		}
		if r.Name == archive {
			doubts = append(doubts, fmt.Sprintf("dependency %q: the archive depends on itself", r))
		}
		s.add(r.Name, one)
	}
	for _, doubt := range doubts {
		a.opts.Warn(doubt)
	}
	return s, nil
}

func (s *settled) add(name string, one dependency) {
	s.deps[name] = one.version
	if one.resolved == "" {
		return
	}
	if s.resolved == nil {
		s.resolved = map[string]string{}
	}
	s.resolved[name] = one.resolved
}

// dependency is what is recorded of one.
type dependency struct {
	version  *string
	resolved string // what it stands for, if version is nil and that is known
	doubt    string // what is strange about it, or ""
}

// settle finds what is recorded of a dependency. A range cannot be, so one that
// nothing satisfies is an error that wraps fs.ErrNotExist.
func (known *records) settle(ctx context.Context, r refs.Requirement, pin string) (d dependency, err error) {
	d.version = askedFor(r)
	rec, err := known.archive(ctx, r.Name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.doubt, err = fmt.Sprintf("there is no archive %q here", r.Name), nil
	case err != nil:
		return d, err
	case r.Authority != "" && r.Authority != rec.Authority:
		d.doubt = fmt.Sprintf("archive %q belongs to the authority %q", r.Name, rec.Authority)
	case !rec.Versioned && d.version != nil:
		d.doubt = fmt.Sprintf("archive %q is not versioned", r.Name)
	case !rec.Versioned:
	case r.Version != nil:
		d.doubt, err = known.doubtVersion(ctx, r.Name, *r.Version)
	default:
		err = known.settleOpen(ctx, r, pin, &d)
	}
	if err == nil && d.doubt != "" && d.version != nil && len(r.Range) > 0 && *d.version == r.Range.String() {
		err = errorf(fs.ErrNotExist, "dependency %q: %s", r, d.doubt)
	}
	return d, err
}

// doubtVersion says what is strange about a version.
func (known *records) doubtVersion(ctx context.Context, name string, v refs.Version) (string, error) {
	rec, err := known.version(ctx, name, v)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Sprintf("archive %q has no version %s here", name, v), nil
	}
	return doubtYanked(&rec), err
}

func doubtYanked(rec *refs.VersionRecord) string {
	if y := rec.Yanked(); y != nil {
		return fmt.Sprintf("version %s was yanked: %s", rec.Label(), y.Reason)
	}
	return ""
}

// settleOpen finds the version that a requirement without a number stands for:
// the pin, or else the highest that is allowed and was not yanked.
func (known *records) settleOpen(ctx context.Context, r refs.Requirement, pin string, d *dependency) error {
	list, err := known.list(ctx, r.Name)
	if err != nil {
		return err
	}
	best := -1
	for i, v := range list {
		pinned := len(r.Range) > 0 && v.Label() == pin
		if r.Allows(v.Version) && (pinned || v.Yanked() == nil) {
			best = i
		}
		if pinned && best == i {
			break
		}
	}
	switch {
	case best >= 0 && d.version == nil:
		d.resolved = list[best].Label()
	case best >= 0:
		d.version, d.doubt = new(list[best].Label()), doubtYanked(&list[best])
	case len(r.Range) > 0:
		d.doubt = fmt.Sprintf("archive %q has no such version here", r.Name)
	case len(list) > 0:
		d.doubt = fmt.Sprintf("all versions of archive %q are yanked", r.Name)
	case r.Latest:
		d.doubt = fmt.Sprintf("archive %q has no versions here", r.Name)
	}
	return nil
}
