package datafs

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// fetchLost fetches chunks, and what else the versions lack that nobody but this
// repository has, from the profile's authorities. It returns what none of them has.
func (a *API) fetchLost(ctx context.Context, lost []objects.ID, rep *RepairReport) ([]objects.ID, error) {
	sites, err := a.askable(ctx, lost, rep)
	if err != nil {
		return nil, err
	}
	asked := map[objects.ID]bool{}
	for {
		missing, err := a.missing(ctx)
		if err != nil {
			return nil, err
		}
		want := slices.DeleteFunc(append(missing, lost...), func(id objects.ID) bool { return asked[id] })
		for _, id := range want {
			asked[id] = true
		}
		fetched := 0
		for _, s := range sites {
			n, err := s.FetchKnown(ctx, want)
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			if err != nil {
				rep.Unasked = append(rep.Unasked, err)
			}
			fetched += n
		}
		if lost, err = a.store.Recheck(ctx, lost); err != nil {
			return nil, err
		}
		rep.Fetched += int64(fetched)
		if fetched == 0 {
			return lost, nil
		} // what was fetched may be nodes, which name more
	}
}

// askable opens the authorities of the profile that something was pushed to, and
// tells them where the trees lie. Those that cannot be asked are reported.
func (a *API) askable(ctx context.Context, lost []objects.ID, rep *RepairReport) (list []*openSite, err error) {
	places, err := a.placesOf(ctx, lost)
	if err != nil {
		return nil, err
	}
	for _, name := range a.remoteNames() {
		site, err := a.site(ctx, name)
		if err == nil {
			err = site.Know(ctx, places[name])
		}
		if err == nil {
			err = a.met(ctx, site)
		}
		switch {
		case err == nil:
			list = append(list, site)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case !errors.Is(err, fs.ErrNotExist): // else nothing was ever pushed to it
			rep.Unasked = append(rep.Unasked, err)
		}
	}
	return list, nil
}

// met meets an authority. One that is empty, and was not, is not there: the disk may
// not be mounted.
func (a *API) met(ctx context.Context, site *openSite) error {
	_, err := site.Meet(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		if id, e := site.Remembered(ctx); id != "" || e != nil {
			return errors.Join(e, leaf.Errorf(ErrUnavailable, "authority %q is empty, and was not at the last time: is the disk mounted?", site.Name()))
		}
	}
	return err
}

// placesOf returns the places of those trees that are among the chunks, by authority.
func (a *API) placesOf(ctx context.Context, chunks []objects.ID) (map[string]map[objects.ID]string, error) {
	wanted := map[objects.ID]bool{}
	for _, id := range chunks {
		wanted[id] = true
	}
	places := map[string]map[objects.ID]string{}
	for rec, err := range a.everything(ctx) {
		if err != nil {
			return nil, err
		}
		if rec.version == nil || rec.version.Place == "" || !wanted[rec.version.Tree] {
			continue
		}
		if places[rec.home] == nil {
			places[rec.home] = map[objects.ID]string{}
		}
		places[rec.home][rec.version.Tree] = rec.version.Place
	}
	return places, nil
}

// missing lists the chunks that are not here of versions that were never pushed.
func (a *API) missing(ctx context.Context) (list []objects.ID, err error) {
	done := &objects.Marks{Missing: func(id objects.ID) { list = append(list, id) }}
	for rec, err := range a.everything(ctx) {
		if err != nil {
			return nil, err
		}
		if rec.version == nil || rec.version.Place != "" || !rec.replaced.IsZero() {
			continue
		}
		if _, err := a.store.CheckPart(ctx, rec.version.Tree, done); err != nil && !errors.Is(err, ErrCorrupt) {
			return nil, err
		}
	}
	return list, nil
}
