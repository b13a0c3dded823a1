package datafs

import (
	"context"
	"fmt"
	"time"

	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/objects/checkout"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/remote/config"
)

// GCOptions say what GC may let go.
type GCOptions struct {
	Dry   bool           // only report what would be done
	Grace *time.Duration // how long what was deleted stays; nil: the profile's, or DefaultGrace
}

// GCReport says what GC did, or would do. Sizes are in bytes.
type GCReport struct {
	objects.GCReport
	Copies, CopyBytes int64 // whole files for checkouts that were removed, and their bytes

	Gone []DeletedVersion // deleted versions whose content was let go, by the time of their deletion
	Left []DeletedVersion // deleted versions that stay for now
}

// DeletedVersion is a version of an archive that was deleted, or whose contents were
// replaced.
type DeletedVersion struct {
	Archive, Version string
	Size             int64     // bytes of its contents
	Deleted          time.Time // when
	Until            time.Time // when its grace ends
}

// GC removes content that no version needs, gathers small packs, and removes the
// whole files that checkouts shared from and share no more. What was deleted stays
// for the grace period, so that Undelete can bring it back. Updates wait for GC;
// reads do not. Where the repository is not known to be complete it changes nothing,
// and the error wraps ErrCorrupt.
func (a *API) GC(ctx context.Context, opts *GCOptions) (rep GCReport, err error) {
	if opts == nil {
		opts = &GCOptions{}
	}
	copies, err := checkout.RemoveCopies(ctx, a.store, a.opts.storeTimeout(), opts.Dry)
	rep.Copies, rep.CopyBytes = copies.Count, copies.Bytes
	if err != nil {
		return rep, err
	}
	var c *collection
	err = a.withReserve(func() error {
		c = &collection{api: a, dry: opts.Dry, grace: a.grace(opts.Grace), now: a.opts.Now()}
		return c.run(ctx)
	})
	rep.GCReport, rep.Gone, rep.Left = c.rep, c.gone, c.left
	if err == nil && !opts.Dry {
		a.keepReserve()
	}
	return rep, err
}

// Grace returns how long gc keeps what was deleted.
func (a *API) Grace() time.Duration { return a.grace(nil) }

func (a *API) grace(wanted *time.Duration) time.Duration {
	switch {
	case wanted != nil:
		return *wanted
	case a.where.Profile.Grace != nil:
		return *a.where.Profile.Grace
	}
	return config.DefaultGrace
}

// collection is one GC of content under way.
type collection struct {
	api     *API
	dry     bool
	grace   time.Duration
	now     time.Time
	givenUp func(*refs.VersionRecord) bool // versions whose content may go; nil: none

	rep        objects.GCReport
	gone, left []DeletedVersion
	young, old []objects.ID // trees of deleted versions
	graves     []string     // that are old
}

func (c *collection) run(ctx context.Context) error {
	if err := c.api.journalGone(); err != nil {
		return err
	}
	lost, err := c.api.bolt.BegunAnew(ctx)
	if err != nil {
		return err
	}
	c.rep, err = c.api.store.GC(ctx, &objects.GCOptions{
		Dry: c.dry, Partial: lost, Grace: c.grace, Now: c.now, Live: func(m *objects.Marks) error { return c.live(ctx, m) },
		Waiting: func(m *objects.Marks) error { return c.marks(ctx, m, c.young) },
		Dead:    func(m *objects.Marks) error { return c.marks(ctx, m, c.old) },
	})
	if err != nil || c.dry || len(c.graves) == 0 {
		return err
	}
	return c.api.bolt.ForgetGraves(ctx, c.graves)
}

// deleted sorts what was deleted by whether its grace has ended.
func (c *collection) deleted(ctx context.Context) error {
	for g, err := range c.api.bolt.Graves(ctx) {
		if err != nil {
			return err
		}
		v, is, err := g.Version()
		if err != nil {
			return err
		}
		ended := c.ended(g.Time)
		if ended {
			c.graves = append(c.graves, g.Key)
		}
		if is {
			c.add(&v, g.Time, ended)
		}
	}
	return nil
}

// ended reports whether the grace of what was deleted at a time has ended.
func (c *collection) ended(at time.Time) bool {
	return c.grace <= 0 || !c.now.Before(at.Add(c.grace))
}

func (c *collection) add(v *refs.VersionRecord, at time.Time, ended bool) {
	d := DeletedVersion{Archive: v.Archive, Version: v.Label(), Size: v.Size, Deleted: at, Until: at.Add(c.grace)}
	if ended {
		c.old, c.gone = append(c.old, v.Tree), append(c.gone, d)
	} else {
		c.young, c.left = append(c.young, v.Tree), append(c.left, d)
	}
}

// live marks what versions need. No writer is under way, so it lists what was
// replaced on the way, too.
func (c *collection) live(ctx context.Context, m *objects.Marks) error {
	for rec, err := range c.api.everything(ctx) {
		if err != nil {
			return err
		}
		switch {
		case rec.version == nil:
			continue
		case !rec.replaced.IsZero():
			c.add(rec.version, rec.replaced, c.ended(rec.replaced))
			continue
		case c.givenUp != nil && c.givenUp(rec.version):
			c.old = append(c.old, rec.version.Tree)
			continue
		}
		mark := m.Mark
		if rec.version.Place != "" { // what is not here is at the authority
			mark = m.MarkPart
		}
		if err := mark(ctx, c.api.store, rec.version.Tree); err != nil {
			return fmt.Errorf("%s: %w", rec.name(), err)
		}
	}
	return c.deleted(ctx) // last: what is deleted while versions are listed is among the one or the other
}

func (c *collection) marks(ctx context.Context, m *objects.Marks, trees []objects.ID) error {
	for _, id := range trees {
		if err := m.MarkLeft(ctx, c.api.store, id); err != nil {
			return err
		}
	}
	return nil
}
