package team

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Renumbered is a version that has got another number.
type Renumbered struct{ Archive, From, To string }

// Renumber moves all of one's own unpublished versions of an archive behind the
// highest number that the team has ever given, in their order: each repeats the
// bump that was asked for. Dependencies on them in one's own unpublished
// versions of other archives are rewritten. It settles the version conflicts of
// the archive. Where nothing is to be moved, nothing is.
func (s *Sync) Renumber(ctx context.Context, archive string) (moved []Renumbered, err error) {
	if err := s.scan(ctx); err != nil {
		return nil, err
	}
	err = s.step(ctx, func(t *syncTx) error {
		if err := t.scanAll(ctx); err != nil {
			return err
		}
		moved, err = t.renumber(ctx, archive)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("renumbering the versions of archive %q: %w", archive, err)
	}
	return moved, nil
}

func (t *syncTx) renumber(ctx context.Context, archive string) ([]Renumbered, error) {
	l, err := t.get(ctx, refs.ArchiveKey(archive))
	if err != nil {
		return nil, err
	}
	if !l.there {
		return nil, leaf.Errorf(fs.ErrNotExist, `Archive "%s" not found`, archive)
	}
	a, _, err := refs.DecodeArchive(l.rec)
	if err != nil {
		return nil, err
	}
	own, err := t.takeOwn(ctx, archive)
	if err != nil {
		return nil, err
	}
	top, number, _, err := floorIn(t.tx, t.s.bucket("base"), archive)
	if err != nil {
		return nil, err
	}
	var moved []Renumbered
	labels := map[string]string{} // old to new
	for _, v := range own {
		from := v.Label()
		if a.Versioned {
			if top, err = nextNumber(top, v); err != nil {
				return nil, err
			}
			v.Version, v.Number = top, 0
		} else {
			number++
			v.Version, v.Number = refs.Version{}, number
		}
		if err := t.putVersion(ctx, v); err != nil {
			return nil, err
		}
		if to := v.Label(); to != from {
			moved = append(moved, Renumbered{archive, from, to})
			labels[from] = to
		}
	}
	return moved, t.rewriteDependencies(ctx, archive, labels)
}

// nextNumber repeats the bump that v was asked for. Where the version before is
// a later stage of a pre-release, a new pre-release begins behind it.
func nextNumber(top refs.Version, v refs.VersionRecord) (refs.Version, error) {
	var u refs.Update
	if len(v.Updates) > 0 {
		u = v.Updates[0]
	}
	next, err := top.Bump(u.Bump, u.Prerelease)
	if err != nil && u.Bump == "" {
		next, err = top.Bump("patch", u.Prerelease)
	}
	return next, err
}

// takeOwn takes one's own unpublished versions of an archive out of both tables,
// those that are in both once, in order.
func (t *syncTx) takeOwn(ctx context.Context, archive string) ([]refs.VersionRecord, error) {
	own, err := t.asides(ctx, archive)
	if err != nil {
		return nil, err
	}
	if err := t.dropAsides(ctx, archive); err != nil {
		return nil, err
	}
	here, err := t.unpublished(ctx, refs.VersionsPrefix(archive))
	if err != nil {
		return nil, err
	}
	for _, v := range here {
		own = slices.DeleteFunc(own, func(w refs.VersionRecord) bool { return sameWrite(v, w) })
	}
	for _, v := range here {
		if err := t.put(ctx, v.Key(), nil); err != nil {
			return nil, err
		}
		if err := t.mark(ctx, v.Key()); err != nil {
			return nil, err
		}
	}
	own = append(own, here...)
	slices.SortStableFunc(own, refs.VersionRecord.Compare)
	return own, nil
}

// sameWrite says whether two records are of one write, perhaps under different
// numbers.
func sameWrite(v, w refs.VersionRecord) bool {
	return v.Tree == w.Tree && len(v.Updates) > 0 && len(w.Updates) > 0 && v.Updates[0].Time.Equal(w.Updates[0].Time)
}

// unpublished lists the versions of the repository that the team never had. One
// that it has deleted and that was kept here has its number for good.
func (t *syncTx) unpublished(ctx context.Context, prefix string) ([]refs.VersionRecord, error) {
	keys, err := t.dirtyKeys(prefix)
	if err != nil {
		return nil, err
	}
	var list []refs.VersionRecord
	for _, key := range keys {
		l, b, err := t.both(ctx, key)
		if err != nil {
			return nil, err
		}
		if !l.there || b.there || b.gone {
			continue
		}
		v, err := refs.DecodeVersion(l.rec)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}

func (t *syncTx) dropAsides(ctx context.Context, archive string) error {
	var all []refs.Record
	for r, err := range t.aside.List(ctx, refs.VersionsPrefix(archive)) {
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	for _, r := range all {
		t.wrote = true
		if err := t.aside.Delete(ctx, r.Key, r.Rev); err != nil {
			return err
		}
	}
	return nil
}

func (t *syncTx) putVersion(ctx context.Context, v refs.VersionRecord) error {
	value, err := refs.EncodeVersion(v)
	if err != nil {
		return err
	}
	if err := t.put(ctx, v.Key(), value); err != nil {
		return err
	}
	return t.mark(ctx, v.Key())
}

// rewriteDependencies gives one's own unpublished versions the new numbers of
// what they depend on.
func (t *syncTx) rewriteDependencies(ctx context.Context, archive string, labels map[string]string) error {
	if len(labels) == 0 {
		return nil
	}
	list, err := t.unpublished(ctx, "version/")
	if err != nil {
		return err
	}
	for _, v := range list {
		if !depend(&v, archive, labels) {
			continue
		}
		if err := t.putVersion(ctx, v); err != nil {
			return err
		}
	}
	asides, err := t.asides(ctx, "")
	if err != nil {
		return err
	}
	for _, v := range asides {
		if !depend(&v, archive, labels) {
			continue
		}
		if err := t.replaceAside(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

func (t *syncTx) replaceAside(ctx context.Context, v refs.VersionRecord) error {
	value, err := refs.EncodeVersion(v)
	if err != nil {
		return err
	}
	r, err := t.aside.Get(ctx, v.Key())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	t.wrote = true
	_, err = t.aside.Put(ctx, v.Key(), value, r.Rev)
	return err
}

// depend rewrites the dependencies of v, if it has any on the old numbers.
func depend(v *refs.VersionRecord, archive string, labels map[string]string) (changed bool) {
	for i := range v.Updates {
		deps := v.Updates[i].Dependencies
		version := deps[archive]
		if version == nil {
			continue
		}
		if to, ok := labels[*version]; ok {
			deps[archive], changed = &to, true
		}
	}
	return changed
}
