package solve

import (
	"context"
	"errors"

	"github.com/datafs/datafs/refs"
)

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

// Newest chooses without the lock, but for archives of which only the lock has
// a version that can be chosen: all may have been yanked.
func (u *Records) Newest(ctx context.Context, list []Requirement, pins map[string]Pin) ([]Chosen, error) {
	kept := map[string]Pin{}
	for {
		chosen, err := u.Choose(ctx, list, kept)
		failed, ok := errors.AsType[*Error](err)
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

// Outdated lists of what was chosen now what has something newer. wanted is what Newest
// chose.
func (u *Records) Outdated(ctx context.Context, now, wanted []Chosen) (list []Outdated, err error) {
	next := make(map[string]*Chosen, len(wanted))
	for i := range wanted {
		next[wanted[i].Archive.Name] = &wanted[i]
	}
	for i := range now {
		c := &now[i]
		o := Outdated{Archive: c.Archive.Name, Current: stateLabel(&c.Record)}
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
func (u *Records) latest(ctx context.Context, c *Chosen, wanted string) (string, error) {
	if !c.Archive.Versioned {
		return wanted, nil
	}
	k, err := u.Archive(ctx, c.Archive.Name)
	if err != nil {
		return "", err
	}
	if v, ok := k.Best(Requirement{Name: c.Archive.Name}); ok {
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
