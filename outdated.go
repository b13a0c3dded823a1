package datafs

import (
	"context"
	"errors"
	"fmt"

	"github.com/datafs/datafs/refs"
)

// OutdatedOptions say which versions to compare with what there is.
type OutdatedOptions struct {
	Requirements string // a file, or text with requirements; "": those of the API
}

// Outdated is an archive of which there is something newer than what the lock or
// the requirements choose. Versions are numbers or, of an unversioned archive,
// "#" and the number of a state.
type Outdated struct {
	Archive string
	Current string // in the lock beside the requirements, else what they choose
	Wanted  string // the newest that the requirements allow
	Latest  string // the newest of all that is not yanked
	Yanked  string // why the current one was yanked; "": it was not
}

// Outdated compares what is chosen with what could be: the lock beside the
// requirements, if there is one, and the requirements. By name.
func (a *API) Outdated(ctx context.Context, opts *OutdatedOptions) ([]Outdated, error) {
	if opts == nil {
		opts = &OutdatedOptions{}
	}
	lock, err := a.lockOrNone(a.LockFile(opts.Requirements))
	if err != nil {
		return nil, err
	}
	w, err := a.wished(&ChooseOptions{Requirements: opts.Requirements})
	if err != nil {
		return nil, err
	}
	if err := a.askTeam(ctx); err != nil {
		return nil, err
	}
	u, err := a.universe(ctx, w.list, lock.Deps)
	if err != nil {
		return nil, err
	}
	now, err := u.choose(ctx, w.list, lockedPins(lock))
	if err != nil {
		return nil, err
	}
	wanted := now
	if len(lock.Archives) > 0 {
		if wanted, err = u.newest(ctx, w.list, lockedPins(lock)); err != nil {
			return nil, fmt.Errorf("without the lock: %w", err)
		}
	}
	return u.compare(ctx, now, wanted)
}

// newest chooses without the lock, but for archives of which only the lock has
// a version that can be chosen: all may have been yanked.
func (u *universe) newest(ctx context.Context, list []refs.Requirement, pins map[string]lockPin) ([]Chosen, error) {
	kept := map[string]lockPin{}
	for {
		chosen, err := u.choose(ctx, list, kept)
		failed, ok := errors.AsType[*refs.ResolveError](err)
		if !ok {
			return chosen, err
		}
		pin, locked := pins[failed.Name]
		if _, again := kept[failed.Name]; again || !locked {
			return nil, err
		}
		kept[failed.Name] = pin
	}
}

// compare lists what has something newer.
func (u *universe) compare(ctx context.Context, now, wanted []Chosen) (list []Outdated, err error) {
	next := make(map[string]*Chosen, len(wanted))
	for i := range wanted {
		next[wanted[i].Archive.name] = &wanted[i]
	}
	for i := range now {
		c := &now[i]
		o := Outdated{Archive: c.Archive.name, Current: stateLabel(&c.Record)}
		o.Wanted = o.Current
		if w := next[o.Archive]; w != nil {
			o.Wanted = stateLabel(&w.Record)
		}
		if o.Latest, err = u.latest(ctx, c, o.Wanted); err != nil {
			return nil, err
		}
		y := c.Record.Yanked()
		if y != nil {
			o.Yanked = y.Reason
		}
		if y != nil || o.Current != o.Wanted || o.Current != o.Latest {
			list = append(list, o)
		}
	}
	return list, nil
}

// latest is the highest version that is not yanked, or wanted where there is
// none.
func (u *universe) latest(ctx context.Context, c *Chosen, wanted string) (string, error) {
	if !c.Archive.versioned {
		return wanted, nil
	}
	k, err := u.archive(ctx, c.Archive.name)
	if err != nil {
		return "", err
	}
	if v, ok := k.best(refs.Requirement{Name: c.Archive.name}); ok {
		return v.String(), nil
	}
	return wanted, nil
}

// stateLabel tells the states of an unversioned archive apart.
func stateLabel(rec *refs.VersionRecord) string {
	if rec.Number > 0 {
		return "#" + rec.Label()
	}
	return rec.Label()
}
