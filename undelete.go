package datafs

import (
	"context"
	"errors"
	"io/fs"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
)

// UndeleteOptions say how Undelete brings an archive back.
type UndeleteOptions struct {
	As string // name that it gets; "": the one that it had
}

// Undeleted is what Undelete brought back.
type Undeleted struct {
	Archive  *Archive
	Versions []string // their numbers, in order
	Lost     []string // numbers of versions whose content is gone: they are not brought back
}

// Undelete takes the last deletion of an archive back, one that was pulled as well:
// its record and its versions are as they were, under the same numbers, as long as
// gc has not let them go. A deletion that was pushed is taken back by the next push.
//
// Where a colleague has brought it back without some of the versions that were here,
// these are added.
//
// Where there is another archive of that name the error wraps fs.ErrExist, where there
// is nothing to bring back fs.ErrNotExist.
func (a *API) Undelete(ctx context.Context, name string, opts *UndeleteOptions) (Undeleted, error) {
	prefix, name, err := refs.ParseName(name)
	if err != nil {
		return Undeleted{}, err
	}
	as := name
	if opts != nil && opts.As != "" {
		if as, err = newName(opts.As); err != nil {
			return Undeleted{}, err
		}
	}
	w, err := a.store.Writer(ctx, &objects.WriterOptions{}) // gc waits, and lets nothing go meanwhile
	if err != nil {
		return Undeleted{}, err
	}
	defer w.Close()
	d, err := a.lastDeleted(ctx, name, as)
	if err != nil {
		return Undeleted{}, err
	}
	if prefix != "" && prefix != d.Archive.Authority {
		return Undeleted{}, leaf.Errorf(fs.ErrNotExist, `Archive "%s" was not deleted on %s, but on %s`, name, prefix, d.Archive.Authority)
	}
	lost, err := a.dropLost(ctx, &d)
	if err == nil {
		err = a.bringBack(ctx, d, as)
	}
	if err != nil {
		return Undeleted{}, err
	}
	d.Archive.Name = as
	done := Undeleted{Archive: a.handle(d.Archive), Versions: labels(d.Versions), Lost: labels(lost)}
	a.warnSimilar(ctx, as)
	return done, a.tellTeam(ctx, as)
}

// lastDeleted finds the archive to bring back, if the name that it gets is free.
func (a *API) lastDeleted(ctx context.Context, name, as string) (bolt.Deleted, error) {
	d, err := a.bolt.LastDeleted(ctx, name)
	if err != nil {
		return d, err
	}
	there, err := a.refs.Archive(ctx, as)
	switch {
	case err == nil && as == name:
		back, err := a.dropHere(ctx, there, &d)
		if err != nil || back {
			return d, err
		}
		return d, leaf.Errorf(ErrMadeAgain, `Archive "%s" was made again since it was deleted`, name)
	case err == nil:
		return d, leaf.Errorf(fs.ErrExist, `Archive "%s" already exists`, as)
	case !errors.Is(err, fs.ErrNotExist):
		return d, err
	case as != name:
		renamed := d.Archive
		renamed.Name = as
		spec, err := a.refs.Spec(ctx)
		if err != nil {
			return d, err
		}
		return d, spec.CheckArchive(renamed, true, nil)
	}
	return d, nil
}

// dropHere takes the versions out of d that are here, if the archive that is there is
// the same one, which a colleague has brought back.
func (a *API) dropHere(ctx context.Context, there refs.Archive, d *bolt.Deleted) (back bool, err error) {
	if !there.Created.Equal(d.Archive.Created) {
		return false, nil
	}
	list, err := a.refs.Versions(ctx, there.Name)
	if err != nil {
		return false, err
	}
	here := map[string]objects.ID{}
	for _, v := range list {
		here[v.Key()] = v.Tree
	}
	var missing []refs.VersionRecord
	for _, v := range d.Versions {
		tree, ok := here[v.Key()]
		if ok && tree != v.Tree {
			return false, nil
		}
		if !ok {
			missing = append(missing, v)
		}
	}
	if d.Versions = missing; len(missing) == 0 {
		return true, leaf.Errorf(fs.ErrNotExist, `Archive "%s" is here, with all of its versions that were deleted`, there.Name)
	}
	return true, nil
}

// dropLost takes the versions out of d whose content is neither here nor, as far as
// is known here, at an authority. Of an unversioned archive only the last content
// counts.
func (a *API) dropLost(ctx context.Context, d *bolt.Deleted) (lost []refs.VersionRecord, err error) {
	kept := d.Versions[:0:0]
	for i, v := range d.Versions {
		missing := false
		if d.Archive.Versioned || i == len(d.Versions)-1 {
			if missing, err = a.isLost(ctx, d.Archive, v); err != nil {
				return nil, err
			}
		}
		switch {
		case missing && !d.Archive.Versioned:
			lost, kept = append(kept, v), nil
		case missing:
			lost = append(lost, v)
		default:
			kept = append(kept, v)
		}
	}
	d.Versions = kept
	return lost, nil
}

func (a *API) isLost(ctx context.Context, rec refs.Archive, v refs.VersionRecord) (bool, error) {
	if v.Place != "" && a.knownAuthority(rec.Authority) == nil {
		return false, nil
	}
	err := a.store.CheckTree(ctx, v.Tree, &objects.Marks{})
	if errors.Is(err, ErrCorrupt) || errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

func (a *API) bringBack(ctx context.Context, d bolt.Deleted, as string) error {
	if as == d.Archive.Name && !a.alone() {
		t, err := a.team(ctx, withoutNetwork)
		if err == nil {
			err = t.Undeleting(ctx, as)
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return err
		}
	}
	return a.bolt.Undelete(ctx, d, as)
}

func labels(versions []refs.VersionRecord) []string {
	list := make([]string, len(versions))
	for i, v := range versions {
		list[i] = v.Label()
	}
	return list
}
