package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/team"
)

// PullOptions say what to bring here.
type PullOptions struct {
	RefsOnly bool     // no contents
	All      bool     // the contents of the latest version of every archive
	Archives []string // whose contents to bring, NAME or NAME==VERSION; none: what the requirements pin
}

// PullReport says what came.
type PullReport struct {
	team.PullReport
	Contents []Pulled // by name
	Requests int64    // to authorities
	Received int64    // bytes
}

// Pulled is a version whose contents are here now.
type Pulled struct {
	Archive, Version string
	Size             int64 // bytes
	Cached           bool  // they were here before
}

// Pull merges the team's changes since the last time, and brings the contents
// that are asked for. Where both sides changed the same thing differently, all
// else is merged and the error wraps ErrConflict.
func (a *API) Pull(ctx context.Context, opts *PullOptions) (rep PullReport, err error) {
	if opts == nil {
		opts = &PullOptions{}
	}
	defer func() { rep.Requests, rep.Received = a.traffic() }()
	t, err := a.team(ctx, toRead)
	if err != nil {
		return rep, err
	}
	if !t.empty {
		if rep.PullReport, err = t.Pull(ctx, nil); err != nil {
			return rep, err
		}
	}
	if !opts.RefsOnly {
		if err := a.pullContents(ctx, opts, &rep); err != nil {
			return rep, err
		}
	}
	return rep, conflictError(rep.Conflicts)
}

// conflictError is what a command ends with that found conflicts.
func conflictError(list []team.Conflict) error {
	if len(list) == 0 {
		return nil
	}
	text := list[0].String()
	if len(list) > 1 {
		text += fmt.Sprintf(" (and %s: see status)", count(len(list)-1, "more conflict", "more conflicts"))
	}
	return leaf.Errorf(list[0], "%s", text)
}

// traffic adds up the requests to all authorities and the bytes received.
func (a *API) traffic() (requests, received int64) {
	a.sites.mu.Lock()
	defer a.sites.mu.Unlock()
	for _, s := range a.sites.open {
		c := s.traffic.Requests()
		requests += c.All()
		received += c.Down
	}
	return requests, received
}

// pullBatch is how many versions' contents are fetched together.
const pullBatch = 1000

// pullContents brings the contents that were asked for.
func (a *API) pullContents(ctx context.Context, opts *PullOptions, rep *PullReport) error {
	wanted, err := a.wanted(ctx, opts)
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(wanted, pullBatch) {
		came, err := a.fetchAll(ctx, batch)
		rep.Contents = append(rep.Contents, came...)
		if err != nil {
			return err
		}
	}
	return nil
}

type wantedVersion struct {
	h   *Archive
	rec *refs.VersionRecord
}

// fetchAll brings the whole contents of versions here: those of one authority
// together.
func (a *API) fetchAll(ctx context.Context, list []wantedVersion) ([]Pulled, error) {
	missing := map[string]map[objects.ID]string{} // place by tree, by authority
	came := make([]Pulled, len(list))
	trees := make([]objects.ID, len(list))
	for i, w := range list {
		trees[i] = w.rec.Tree
	}
	absent, err := a.absent(ctx, trees)
	if err != nil {
		return nil, err
	}
	for i, w := range list {
		came[i] = Pulled{Archive: w.h.name, Version: w.rec.Label(), Size: w.rec.Size, Cached: !absent[i]}
		if !absent[i] {
			continue
		}
		if w.rec.Place == "" {
			return nil, leaf.Errorf(ErrCorrupt, "%s version %s: its contents are damaged, and nowhere else", w.h.name, w.rec.Label())
		}
		if missing[w.h.authority] == nil {
			missing[w.h.authority] = map[objects.ID]string{}
		}
		missing[w.h.authority][w.rec.Tree] = w.rec.Place
	}
	for _, authority := range slices.Sorted(maps.Keys(missing)) {
		if err := a.fetchTrees(ctx, authority, missing[authority]); err != nil {
			return nil, fmt.Errorf("pull contents of %s: %w", contentsOf(list), err)
		}
	}
	return came, nil
}

// contentsOf names versions in short.
func contentsOf(list []wantedVersion) string {
	text := list[0].h.name + " version " + list[0].rec.Label()
	if len(list) > 1 {
		text += fmt.Sprintf(" and %d others", len(list)-1)
	}
	return text
}

func (a *API) fetchTrees(ctx context.Context, authority string, places map[objects.ID]string) error {
	site, err := a.site(ctx, authority)
	if err != nil {
		return err
	}
	if err := site.Know(ctx, places); err != nil {
		return err
	}
	trees := slices.SortedFunc(maps.Keys(places), func(x, y objects.ID) int { return strings.Compare(places[x], places[y]) })
	return site.Pull(ctx, trees...) // in the order in which they lie there
}

// wanted resolves what a pull names.
func (a *API) wanted(ctx context.Context, opts *PullOptions) ([]wantedVersion, error) {
	if len(opts.Archives) > 0 || !opts.All {
		return a.requiredVersions(ctx, opts.Archives)
	}
	return a.allLatest(ctx)
}

// requiredVersions resolves names, or else the requirements, of which there may be none.
func (a *API) requiredVersions(ctx context.Context, names []string) ([]wantedVersion, error) {
	pins, err := a.pins()
	if err != nil || len(names)+len(pins) == 0 {
		return nil, err
	}
	chosen, err := a.Choose(ctx, &ChooseOptions{Archives: names, Lock: a.LockFile("")})
	if err != nil {
		return nil, err
	}
	list := make([]wantedVersion, len(chosen))
	for i := range chosen {
		list[i] = wantedVersion{chosen[i].Archive, &chosen[i].Record}
	}
	return list, nil
}

// allLatest gives the latest version of every archive that has one.
func (a *API) allLatest(ctx context.Context) (list []wantedVersion, err error) {
	for rec, err := range a.refs.Archives(ctx, "") {
		if err != nil {
			return nil, err
		}
		h := a.handle(rec)
		latest, err := h.latestOrNil(ctx)
		if errors.Is(err, fs.ErrNotExist) || (err == nil && latest == nil) {
			continue // deleted meanwhile, without contents, or all yanked
		}
		if err != nil {
			return nil, err
		}
		list = append(list, wantedVersion{h, latest})
	}
	return list, nil
}
