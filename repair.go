package datafs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/refs/bolt"
)

// subset chooses packs that hold a part of all bytes, at least one, those first that
// were not verified for the longest time.
func subset(packs []objects.Pack, at map[objects.ID]time.Time, part float64) map[objects.ID]bool {
	var all, some int64
	for _, p := range packs {
		all += p.Size
	}
	slices.SortFunc(packs, func(p, q objects.Pack) int {
		if c := at[p.ID].Compare(at[q.ID]); c != 0 {
			return c
		}
		return bytes.Compare(p.ID[:], q.ID[:])
	})
	chosen := map[objects.ID]bool{}
	for _, p := range packs {
		if some >= int64(math.Ceil(part*float64(all))) {
			break
		}
		some += p.Size
		chosen[p.ID] = true
	}
	return chosen
}

// plainDamage is the text of an error without the words that say its kind.
func plainDamage(err error) string {
	text := strings.ReplaceAll(err.Error(), ErrCorrupt.Error()+": ", "")
	if _, rest, found := strings.Cut(text, ": "); found && strings.HasPrefix(text, "tree ") {
		text = rest
	}
	return text
}

// RebuildIndex makes the index anew from the packs and the journal, and before
// that the journal from the index, if only the journal is damaged. The new index is
// built beside the old one and takes its place at the end, in one step: until then
// nothing has changed, whatever happens. Updates and gc wait for it. It returns what
// could not be read.
func (a *API) RebuildIndex(ctx context.Context) (problems []string, err error) {
	if err := a.bolt.Check(ctx); errors.Is(err, ErrCorrupt) && a.index.Check(ctx) == nil && a.bolt.Repair(ctx) == nil {
		a.opts.Warn("the journal was made anew from the index: " + err.Error())
	}
	at := a.index.Path() + ".rebuilt"
	leftover := func() error {
		var err error
		for _, name := range []string{at, at + ".lock", at + ".new"} {
			if e := os.Remove(name); !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
		return err
	}
	if err := leftover(); err != nil {
		return nil, fmt.Errorf("rebuild index: %w", err)
	}
	defer leftover()
	into, err := index.Open(at, &index.Options{LockTimeout: a.opts.LockTimeout})
	if err != nil {
		return nil, err
	}
	defer into.Close()
	local, err := bolt.Open(into, a.journalDir(), &bolt.Options{Table: a.Table(), Now: a.opts.Now})
	if err != nil {
		return nil, err
	}
	found := func(p objects.Problem) { problems = append(problems, p.What) }
	err = a.store.Rebuild(ctx, into, found, func() error {
		return a.index.Replace(ctx, func() (string, error) {
			if err := local.Rebuild(ctx); err != nil || len(problems) > 0 { // packs that cannot be read may come back
				return at, err
			}
			return at, into.ClearBehind(ctx)
		})
	})
	return problems, err
}

// RepairReport says what Repair did, and what it could not.
type RepairReport struct {
	CheckReport          // of the repaired repository; no copy was found of what is Damaged
	Found       []string // what was damaged
	Rebuilt     bool     // the index was made anew
	Salvaged    int64    // good chunks of damaged packs
	Quarantined []string // damaged packs, which lie in the repository's directory quarantine now
	Fetched     int64    // chunks that came from authorities
	Unasked     []error  // why authorities could not be asked
	Unknown     int64    // chunks that are not here any more, and that these may have
}

// Repair makes good what is damaged, as far as there are copies: in other packs, in
// index or journal, at the profile's authorities. Damaged packs are moved to the
// directory quarantine; nothing is deleted. Updates and gc wait for it.
func (a *API) Repair(ctx context.Context, opts *CheckOptions) (rep RepairReport, err error) {
	if opts == nil {
		opts = &CheckOptions{Full: true}
	}
	if err := a.repairIndex(ctx, &rep); err != nil {
		return rep, err
	}
	read, err := a.choosePacks(ctx, opts)
	if err != nil {
		return rep, err
	}
	found := func(p objects.Problem) { rep.Found = append(rep.Found, plainDamage(p.Err)) }
	mended, err := a.store.RepairPacks(ctx, &objects.RepairOptions{Read: read, Found: found})
	rep.Salvaged = mended.Salvaged
	for _, id := range mended.Quarantined {
		rep.Quarantined = append(rep.Quarantined, id.String())
	}
	if err != nil {
		return rep, err
	}
	if err := a.noteVerified(ctx, mended.Verified); err != nil {
		return rep, err
	}
	lost, err := a.fetchLost(ctx, mended.Lost, &rep)
	if err != nil {
		return rep, err
	}
	return rep, a.settleLost(ctx, lost, &rep)
}

// settleLost finds out what the chunks hurt that no copy was found of.
func (a *API) settleLost(ctx context.Context, lost []objects.ID, rep *RepairReport) error {
	c := &checking{api: a, opts: &CheckOptions{}, lost: lost}
	if len(rep.Unasked) > 0 { // what was pushed may still be there
		c.lost, rep.Unknown = nil, int64(len(lost))
	}
	err := c.run(ctx)
	rep.CheckReport = c.rep
	if rep.Whole == rep.Versions {
		rep.Unknown = 0 // no version needs them
	}
	return err
}

// repairIndex makes index and journal whole.
func (a *API) repairIndex(ctx context.Context, rep *RepairReport) error {
	damage, _, err := a.checkRecords(ctx)
	if err != nil || len(damage) == 0 {
		return err
	}
	rep.Found = append(rep.Found, plainDamage(damage[0])) // the others say the same in other words
	rep.Rebuilt = true
	_, err = a.RebuildIndex(ctx)
	if gone := a.journalGone(); err == nil && errors.Is(gone, ErrCorrupt) {
		return a.bolt.BeginAnew(ctx)
	}
	return err
}
