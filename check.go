package datafs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/objects"
)

// CheckOptions say how deep Check and Repair look.
type CheckOptions struct {
	Full   bool      // read and verify every chunk
	Subset float64   // read and verify packs that hold so much of all bytes, from 0 to 1, those first that were not for the longest time; 0: none
	Since  time.Time // read and verify the packs that were not since then; zero: none
}

// CheckReport is what Check found.
type CheckReport struct {
	Packs, Chunks      int64
	Bytes              int64 // of packs
	Verified           int64 // packs of which every chunk was read and is sound
	Archives, Versions int64
	Whole              int64    // versions of which all content is here
	Leftover           int64    // packs that an interrupted write left; GC takes care of them
	TakenIn            int64    // packs that the index did not know, and does now
	Missing            int64    // packs that the index knew, and that are not there; it has forgotten them
	Stray              []string // files between the packs that are none of ours, below the repository
	Problems           []string // what is damaged, for people; none and no Unreadable: all is well
	Damaged            []DamagedFile
	Unreadable         []error // what could not be read now, for want of permission, say: that is no damage
}

// DamagedFile is a file of a version that cannot be read in full.
type DamagedFile struct {
	Archive, Version string
	Path             string // in a directory archive; "" for the whole version
	Why              string
}

// String returns ARCHIVE==VERSION/PATH.
func (d DamagedFile) String() string {
	s := d.Archive + "==" + d.Version
	if d.Path != "" {
		s += "/" + d.Path
	}
	return s
}

// Sound reports whether everything could be read and nothing is damaged.
func (r *CheckReport) Sound() bool { return len(r.Problems)+len(r.Unreadable) == 0 }

// Check looks for damage in the whole repository. It changes nothing but the index,
// which takes in packs that it did not know, and remembers which packs were read and
// what is bad. Damage is reported; an error means that it could not look. gc waits
// until it is done.
func (a *API) Check(ctx context.Context, opts *CheckOptions) (CheckReport, error) {
	if opts == nil {
		opts = &CheckOptions{}
	}
	release, err := a.store.Pin(ctx)
	if err != nil && !notWritable(err) { // who may not write cannot lock, and is alone or trusts the others
		return CheckReport{}, err
	}
	if err == nil {
		defer release()
	}
	c := &checking{api: a, opts: opts}
	return c.rep, c.run(ctx)
}

func notWritable(err error) bool { return errors.Is(err, fs.ErrPermission) }

// checking is one Check under way.
type checking struct {
	api  *API
	opts *CheckOptions
	lost []objects.ID // chunks of which Repair has found no copy anywhere
	rep  CheckReport
}

func (c *checking) found(err error) {
	text := plainDamage(err)
	switch {
	case !errors.Is(err, ErrCorrupt):
		if !slices.ContainsFunc(c.rep.Unreadable, func(e error) bool { return e.Error() == err.Error() }) {
			c.rep.Unreadable = append(c.rep.Unreadable, err)
		}
	case !slices.Contains(c.rep.Problems, text):
		c.rep.Problems = append(c.rep.Problems, text)
	}
}

func (c *checking) run(ctx context.Context) error {
	damage, usable, err := c.api.checkRecords(ctx)
	for _, d := range damage {
		c.found(d)
	}
	if err != nil || !usable {
		return err
	}
	chunks, err := c.packs(ctx)
	if err != nil {
		return err
	}
	return c.versions(ctx, chunks)
}

// checkRecords checks the index and the journal, and returns what is damaged. usable
// reports whether there is an index with which the packs can be compared; without it
// nothing else is looked at.
func (a *API) checkRecords(ctx context.Context) (damage []error, usable bool, err error) {
	for _, check := range []func(context.Context) error{a.index.Check, func(context.Context) error { return a.journalGone() }, a.bolt.Check} {
		err := check(ctx)
		switch {
		case err != nil && !errors.Is(err, ErrCorrupt):
			return damage, usable, err
		case err != nil:
			damage = append(damage, err)
		}
		if usable = usable || err == nil; !usable {
			break
		}
	}
	return damage, usable, nil
}

// packs checks the packs, and remembers those that were read.
func (c *checking) packs(ctx context.Context) (*objects.Damage, error) {
	chosen, err := c.api.choosePacks(ctx, c.opts)
	if err != nil {
		return nil, err
	}
	rep, damage, err := c.api.store.CheckPacks(ctx, &objects.CheckOptions{
		Full: chosen != nil, Read: chosen, Found: func(p objects.Problem) { c.found(p.Err) },
		Stray: func(name string) { c.rep.Stray = append(c.rep.Stray, name) },
	})
	c.rep.Packs, c.rep.Chunks, c.rep.Bytes = rep.Packs, rep.Chunks, rep.Bytes
	c.rep.TakenIn, c.rep.Missing, c.rep.Verified = rep.TakenIn, int64(len(rep.Missing)), int64(len(rep.Verified))
	if err != nil {
		return nil, err
	}
	return damage, c.api.noteVerified(ctx, rep.Verified)
}

// versions checks that what the versions need is there.
func (c *checking) versions(ctx context.Context, damage *objects.Damage) error {
	damage.Add(c.lost)
	done := &objects.Marks{Damage: damage}
	var deleted []objects.ID // trees of what was replaced
	for rec, err := range c.api.everything(ctx) {
		if errors.Is(err, ErrCorrupt) {
			c.found(err)
			return nil
		}
		if err != nil {
			return err
		}
		switch {
		case rec.version == nil:
			c.rep.Archives++
		case !rec.replaced.IsZero():
			deleted = append(deleted, rec.version.Tree)
		default:
			c.rep.Versions++
			if err := c.version(ctx, &rec, done); err != nil {
				return err
			}
		}
	}
	if !c.rep.Sound() {
		return nil // what is damaged may be what needs a pack
	}
	if err := c.leftover(ctx, done, deleted); err != nil {
		return err
	}
	if err := c.api.index.ClearHoles(ctx); !notWritable(err) {
		return err
	}
	return nil
}

// leftover counts the packs that nothing needs, neither versions nor what was deleted.
func (c *checking) leftover(ctx context.Context, done *objects.Marks, deleted []objects.ID) error {
	for g, err := range c.api.bolt.Graves(ctx) {
		if err != nil {
			return err
		}
		v, is, err := g.Version()
		if err != nil {
			return err
		}
		if is {
			deleted = append(deleted, v.Tree)
		}
	}
	for _, tree := range deleted {
		if err := done.MarkLeft(ctx, c.api.store, tree); err != nil {
			return err
		}
	}
	var err error
	c.rep.Leftover, err = c.api.store.Leftover(ctx, done)
	return err
}

func (c *checking) version(ctx context.Context, rec *something, done *objects.Marks) error {
	v := rec.version
	whole, err := true, error(nil)
	if v.Place == "" {
		err = c.api.store.CheckTree(ctx, v.Tree, done)
	} else { // what is not here is at the authority
		whole, err = c.api.store.CheckPart(ctx, v.Tree, done)
	}
	if err == nil {
		if whole {
			c.rep.Whole++
		}
		return nil
	}
	if objects.Unreadable(err) {
		c.found(fmt.Errorf("%s: %w", rec.name(), err))
		return nil
	}
	if !errors.Is(err, ErrCorrupt) {
		return err
	}
	if is, err := c.api.deletedMeanwhile(ctx, rec); is || err != nil {
		return err
	}
	hurt, err := c.api.hurt(ctx, rec, done.Damage, err)
	for _, d := range hurt {
		c.found(fmt.Errorf("%w: %s: %s", ErrCorrupt, d, d.Why))
	}
	c.rep.Damaged = append(c.rep.Damaged, hurt...)
	return err
}

// deletedMeanwhile reports whether a version is not there any more: then gc of
// another process may have taken its content.
func (a *API) deletedMeanwhile(ctx context.Context, rec *something) (bool, error) {
	table, err := a.tableOf(rec.table)
	if err != nil {
		return false, err
	}
	_, err = table.Get(ctx, rec.version.Key())
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}

// hurt lists the files of a version that are damaged; why is what is known if none
// can be named.
func (a *API) hurt(ctx context.Context, rec *something, damage *objects.Damage, why error) (list []DamagedFile, err error) {
	name := DamagedFile{Archive: rec.archive, Version: rec.version.Label()}
	err = a.store.Hurt(ctx, rec.version.Tree, rec.version.Place != "", damage, func(path string, why error) error {
		d := name
		d.Path, d.Why = path, plainDamage(why)
		list = append(list, d)
		return nil
	})
	if len(list) == 0 && err == nil && why != nil {
		name.Why = plainDamage(why)
		list = []DamagedFile{name}
	}
	return list, err
}

// journalGone refuses a repository that has content, and no journal that could
// name it: then every pack would look like garbage.
func (a *API) journalGone() error {
	journal := filepath.Join(a.where.Repo, journalName)
	left, err := os.ReadDir(journal)
	if len(left) > 0 || (err != nil && !errors.Is(err, fs.ErrNotExist)) {
		return err
	}
	packs, err := a.store.HasPacks()
	if err == nil && packs {
		err = leaf.Errorf(ErrJournalGone, "%v: there is content, but the journal %s is gone", ErrCorrupt, journal)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return err
}

// verifiedBucket holds when each pack was last read in full and found sound.
const verifiedBucket = "verified"

func (a *API) noteVerified(ctx context.Context, packs []objects.ID) error {
	if len(packs) == 0 {
		return nil
	}
	now, err := a.opts.Now().UTC().MarshalText()
	if err != nil {
		return err
	}
	err = a.index.Update(ctx, func(tx *index.Tx) error {
		for _, id := range packs {
			if err := tx.Put(verifiedBucket, id.String(), now); err != nil {
				return err
			}
		}
		return nil
	})
	if notWritable(err) {
		return nil
	}
	return err
}

// verifiedAt returns when packs were last verified.
func (a *API) verifiedAt(ctx context.Context) (map[objects.ID]time.Time, error) {
	at := map[objects.ID]time.Time{}
	err := a.index.View(ctx, func(tx *index.Tx) error {
		for r, err := range tx.Scan(verifiedBucket, "", "") {
			if err != nil {
				return err
			}
			var t time.Time
			id, err := objects.ParseID(r.Key)
			if err == nil && t.UnmarshalText(r.Value) == nil {
				at[id] = t
			}
		}
		return nil
	})
	return at, err
}

// choosePacks returns which packs are read; nil: none.
func (a *API) choosePacks(ctx context.Context, opts *CheckOptions) (func(objects.Pack) bool, error) {
	switch {
	case opts.Full:
		return func(objects.Pack) bool { return true }, nil
	case opts.Since.IsZero() && opts.Subset <= 0:
		return nil, nil
	}
	at, err := a.verifiedAt(ctx)
	if err != nil {
		return nil, err
	}
	if !opts.Since.IsZero() {
		return func(p objects.Pack) bool { return at[p.ID].Before(opts.Since) }, nil
	}
	packs, err := a.store.Packs(ctx)
	if err != nil {
		return nil, err
	}
	chosen := subset(packs, at, opts.Subset)
	return func(p objects.Pack) bool { return chosen[p.ID] }, nil
}
