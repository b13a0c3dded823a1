package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs"
)

// The local repository is the cache: content that is here is read from here.

// IsCached says whether all of a version's content is in the repository. The
// version must exist.
func (h *Archive) IsCached(ctx context.Context, version string) (bool, error) {
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return false, err
	}
	return h.isHere(ctx, rec)
}

func (h *Archive) isHere(ctx context.Context, rec *refs.VersionRecord) (bool, error) {
	err := h.api.store.CheckTree(ctx, rec.Tree, &objects.Marks{})
	if errors.Is(err, ErrCorrupt) {
		return false, nil
	}
	return err == nil, err
}

// Cache makes sure that a version's content is in the repository: what is not
// is fetched from the archive's authority.
func (h *Archive) Cache(ctx context.Context, version string) error {
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return err
	}
	if rec.Place == "" {
		return h.api.store.CheckTree(ctx, rec.Tree, &objects.Marks{})
	}
	_, err = h.api.fetchAll(ctx, []wantedVersion{{h, rec}})
	return err
}

// RemoveFromCache gives up a version's content here, after the archive's authority
// has been asked whether it has all of it. What other versions share with it stays.
// Where this repository is its only home the error wraps errors.ErrUnsupported, where parts are
// missing at the authority ErrCorrupt.
func (h *Archive) RemoveFromCache(ctx context.Context, version string) error {
	rec, err := h.resolve(ctx, version)
	if err != nil {
		return err
	}
	if rec.Place == "" {
		return leaf.Errorf(errors.ErrUnsupported, "%s: this repository is the only home of its contents: they are not removed", h)
	}
	site, err := h.api.site(ctx, h.authority)
	if err == nil {
		err = site.Holds(ctx, rec.Tree)
	}
	if err != nil {
		return fmt.Errorf("%s version %s is not removed here: %w", h, rec.Label(), err)
	}
	c := &collection{api: h.api, grace: h.api.grace(nil), now: h.api.opts.Now()}
	c.givenUp = func(other *refs.VersionRecord) bool { return other.Place != "" && other.Tree == rec.Tree }
	return c.run(ctx)
}

// present turns "there is none" into false.
func present(err error) (bool, error) {
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
