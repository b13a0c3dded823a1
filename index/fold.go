package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sort"
)

// finish saves the counters, and makes runs of the latest records when there
// are many. Nothing is to be asked of the space after it.
func (sp *space) finish() error {
	if sp.recent > sp.tx.limits.recent && sp.recent <= sp.tx.limits.fold {
		if err := sp.fold(sp.tx.limits.fold); err != nil {
			return err
		}
	}
	return sp.save()
}

// fold merges the latest records, at most so many, into the first tier.
func (sp *space) fold(most uint64) error {
	var some []byte
	all := true
	for it, err := range sp.chunks.scan(nil) {
		if err != nil {
			return err
		}
		if len(it.key) != len(ID{}) || len(it.value) != chunkSize {
			return fmt.Errorf("chunk %x of %q: %w: %d bytes", it.key, sp.name, ErrCorrupt, len(it.value))
		}
		if uint64(len(some)) == most*uint64(entrySize) {
			all = false
			break
		}
		some = append(append(some, it.key...), it.value...)
	}
	if all {
		sp.chunks.drop()
		sp.recent = 0
	} else {
		for at := 0; at < len(some); at += entrySize {
			if err := sp.chunks.delete(some[at:][:len(ID{})]); err != nil {
				return err
			}
		}
		sp.recent -= min(most, sp.recent)
	}
	return sp.merge(0, some)
}

// change changes a space in one transaction, and then tidies it. Of what goes
// wrong in tidying only damage is told: the change has been made.
func (db *DB) change(ctx context.Context, name string, fn func(*space) error) error {
	untidy := false
	err := db.Update(ctx, inSpace(name, func(sp *space) error {
		if err := fn(sp); err != nil {
			return err
		}
		err := sp.finish()
		untidy = sp.untidy()
		return err
	}))
	if err != nil || !untidy {
		return err
	}
	if err := db.tidy(ctx, name); errors.Is(err, ErrCorrupt) {
		return err
	}
	return nil
}

// tidy brings a space's tiers to their sizes, in transactions of bounded size.
// Where it is interrupted the next one goes on.
func (db *DB) tidy(ctx context.Context, name string) error {
	for more := true; more; {
		err := db.Update(ctx, inSpace(name, func(sp *space) (err error) {
			more, err = sp.step()
			return err
		}))
		if err != nil {
			return err
		}
	}
	return nil
}

// untidy tells whether there is a step to be done.
func (sp *space) untidy() bool {
	return sp.recent > sp.tx.limits.recent || sp.tiers[0] > sp.most(0) || sp.tiers[1] > sp.most(1)
}

// step does a part of what is to be done, and tells whether there is more.
func (sp *space) step() (bool, error) {
	var err error
	switch {
	case sp.recent > sp.tx.limits.recent:
		err = sp.fold(sp.tx.limits.part)
	case sp.tiers[0] > sp.most(0):
		err = sp.move(0)
	case sp.tiers[1] > sp.most(1):
		err = sp.move(1)
	default:
		return false, nil
	}
	return sp.untidy(), errors.Join(err, sp.save())
}

// move merges some runs into the tier below: those that have most chunks in
// relation to what must be written there.
func (sp *space) move(tier int) error {
	refs, err := sp.runs(tier)
	if err != nil {
		return err
	}
	below, err := sp.runs(tier + 1)
	if err != nil {
		return err
	}
	from, to := chooseRuns(refs, below, int(sp.tiers[tier]-sp.most(tier)), sp.tx.limits.move)
	var chunks []byte
	for _, ref := range refs[from:to] {
		if chunks, err = sp.take(tier, ref, chunks); err != nil {
			return err
		}
	}
	return sp.merge(tier+1, chunks)
}

// chooseRuns returns from which run to which one to move to the tier below, so
// that as many chunks as wanted move, if not too many are written for it.
func chooseRuns(refs, below []runRef, want, most int) (from, to int) {
	// cost returns the chunks of the runs below that overlap with these.
	sums := make([]int, len(below)+1)
	for i, b := range below {
		sums[i+1] = sums[i] + b.count
	}
	cost := func(from, to int) int {
		first := sort.Search(len(below), func(i int) bool { return bytes.Compare(below[i].first[:], refs[from].first[:]) > 0 })
		last := len(below)
		if to < len(refs) {
			last = sort.Search(len(below), func(i int) bool { return bytes.Compare(below[i].first[:], refs[to].first[:]) > 0 })
		}
		return sums[last] - sums[max(first-1, 0)]
	}
	best := 0.0
	for i, ref := range refs {
		if gain := float64(ref.count) / float64(ref.count+cost(i, i+1)); gain > best {
			best, from = gain, i
		}
	}
	n := refs[from].count
	for to = from + 1; to < len(refs) && n < want; to++ {
		if n += refs[to].count; n+cost(from, to+1) > most {
			break
		}
	}
	return from, to
}

// take removes a run and appends its chunks.
func (sp *space) take(tier int, ref runRef, chunks []byte) ([]byte, error) {
	r, err := sp.tx.openRun(sp.name, ref.serial, ref.count)
	if err != nil {
		return nil, err
	}
	if chunks, err = r.appendAll(chunks); err != nil {
		return nil, err
	}
	if err := sp.dropRun(ref); err != nil {
		return nil, err
	}
	sp.tiers[tier] -= uint64(ref.count)
	return chunks, sp.dir.delete(refKey(tier, ref.first[:]))
}

// dropRun removes the bucket of a run. bbolt reads no more of it than the page
// that proves to be the right one.
func (sp *space) dropRun(ref runRef) error {
	b, err := sp.tx.bucket(runName(sp.name, ref.serial))
	if err != nil {
		return err
	}
	b.prove = func() error {
		_, err := sp.tx.openRun(sp.name, ref.serial, ref.count)
		return err
	}
	b.drop()
	return nil
}
