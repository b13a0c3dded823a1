package datafs

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
// strange about them is told, or with strict refused. With locked a range stands
// for the version in the lock beside the requirements, where it allows that.
func (a *API) settleAll(ctx context.Context, archive string, list []refs.Requirement, locked, strict bool) (settled, error) {
	s := settled{deps: Dependencies{}}
	known, err := a.universeOf(ctx, list, false)
	if err != nil {
		return settled{}, err
	}
	var doubts []string
	for _, r := range list {
		var pin *refs.Version
		if locked && len(r.Range) > 0 {
			if pin, err = a.lockedVersion(r); err != nil {
				return settled{}, err
			}
		}
		one, err := known.settle(ctx, r, pin)
		if err != nil {
			return settled{}, err
		}
		doubt := fmt.Sprintf("dependency %q: %s", r, one.doubt)
		if strict && one.doubt != "" {
			return settled{}, leaf.Errorf(fs.ErrNotExist, "%s", doubt)
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
func (u *universe) settle(ctx context.Context, r refs.Requirement, pin *refs.Version) (d dependency, err error) {
	d.version = askedFor(r)
	k, err := u.lookup(ctx, r.Name)
	switch {
	case err != nil:
		return d, err
	case k == nil:
		d.doubt = fmt.Sprintf("there is no archive %q here", r.Name)
	case r.Authority != "" && r.Authority != k.rec.Authority:
		d.doubt = fmt.Sprintf("archive %q belongs to the authority %q", r.Name, k.rec.Authority)
	case !k.rec.Versioned && d.version != nil:
		d.doubt = fmt.Sprintf("archive %q is not versioned", r.Name)
	case !k.rec.Versioned:
	case r.Version != nil && !k.has(*r.Version):
		d.doubt = fmt.Sprintf("archive %q has no version %s here", r.Name, *r.Version)
	case r.Version != nil:
		d.doubt, err = u.doubtYanked(ctx, k, *r.Version)
	default:
		err = u.settleOpen(ctx, k, r, pin, &d)
	}
	if err == nil && d.doubt != "" && d.version != nil && len(r.Range) > 0 && *d.version == r.Range.String() {
		err = leaf.Errorf(fs.ErrNotExist, "dependency %q: %s", r, d.doubt)
	}
	return d, err
}

// doubtYanked says why a version was yanked, if it was.
func (u *universe) doubtYanked(ctx context.Context, k *knownArchive, v refs.Version) (string, error) {
	if !slices.Contains(k.list, refs.Candidate{Version: v, Yanked: true}) {
		return "", nil
	}
	rec, err := u.a.refs.Version(ctx, k.rec.Name, v)
	if y := rec.Yanked(); err == nil && y != nil {
		return fmt.Sprintf("version %s was yanked: %s", v, y.Reason), nil
	}
	return "", err
}

// settleOpen finds the version that a requirement without a number stands for:
// the pin, or else the highest that is allowed and was not yanked.
func (u *universe) settleOpen(ctx context.Context, k *knownArchive, r refs.Requirement, pin *refs.Version, d *dependency) (err error) {
	v, ok := k.best(r)
	if pin != nil && k.has(*pin) {
		v, ok = *pin, true
	}
	switch {
	case ok && d.version == nil:
		d.resolved = v.String()
	case ok:
		d.version = new(v.String())
		d.doubt, err = u.doubtYanked(ctx, k, v)
	case len(r.Range) > 0:
		d.doubt = fmt.Sprintf("archive %q has no such version here", r.Name)
	case len(k.list) > 0:
		d.doubt = fmt.Sprintf("all versions of archive %q are yanked", r.Name)
	case r.Latest:
		d.doubt = fmt.Sprintf("archive %q has no versions here", r.Name)
	}
	return err
}
