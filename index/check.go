package index

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// Check reads the whole database: every page, every record with its checksum,
// that each page is used once or free, and bbolt's own consistency check. What
// it finds wrong is ErrCorrupt. Updates wait until it is done.
func (db *DB) Check(ctx context.Context) error {
	err := db.View(ctx, func(tx *Tx) error {
		if tx.s == nil {
			return nil
		}
		if err := tx.check(ctx); err != nil {
			return err
		}
		// bbolt's check runs in a goroutine of its own, where a fault would end
		// the program; after our own check there is nothing left to cause one.
		return checkBolt(ctx, db.path)
	})
	if err != nil {
		return fmt.Errorf("check index: %w", err)
	}
	return nil
}

func (tx *Tx) check(ctx context.Context) error {
	fl, err := tx.s.freePages()
	if err != nil {
		return err
	}
	if err := fl.verify(); err != nil {
		return err
	}
	used := map[uint64]bool{}
	err = tx.walkAll(func(p *page) error {
		for id := p.id; id != 0 && id <= p.id+p.overflow; id++ {
			if free, err := fl.has(id); err != nil {
				return err
			} else if used[id] || free || fl.holds(id) {
				return tx.s.corrupt("page %d is used twice", id)
			}
			used[id] = true
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	if err := tx.checkRuns(ctx); err != nil {
		return err
	}
	return tx.account(fl, used)
}

// walkAll proves every bucket and every record, and calls fn with each page.
func (tx *Tx) walkAll(fn func(*page) error) error {
	if err := tx.root.walk(fn); err != nil {
		return err
	}
	names, err := tx.names("")
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := tx.bucket(name)
		if err != nil {
			return err
		}
		if err := b.base.walk(fn); err != nil {
			return fmt.Errorf("bucket %q: %w", name, err)
		}
	}
	return nil
}

// checkRuns checks that the runs of each space are those of its directory, and
// that each holds what the directory says.
func (tx *Tx) checkRuns(ctx context.Context) error {
	buckets, err := tx.names(runPrefix)
	if err != nil {
		return err
	}
	spaces, err := tx.names(tiersPrefix)
	if err != nil {
		return err
	}
	n := 0
	for _, name := range spaces {
		sp, err := tx.space(name[len(tiersPrefix):])
		if err != nil {
			return err
		}
		for tier := range tiers {
			some, err := sp.checkTier(ctx, tier)
			if err != nil {
				return err
			}
			n += some
		}
	}
	if n != len(buckets) {
		return tx.s.corrupt("there are %d runs instead of %d", len(buckets), n)
	}
	return nil
}

// checkTier reads all runs of a tier, and returns how many there are.
func (sp *space) checkTier(ctx context.Context, tier int) (int, error) {
	refs, err := sp.runs(tier)
	if err != nil {
		return 0, err
	}
	n := uint64(0)
	var all []byte
	for i, ref := range refs {
		r, err := sp.tx.openRun(sp.name, ref.serial, ref.count)
		if err != nil {
			return 0, err
		}
		if all, err = r.appendAll(all[:0]); err != nil {
			return 0, err
		}
		last := all[len(all)-entrySize:]
		if !bytes.Equal(ref.first[:], all[:len(ID{})]) || !bytes.Equal(r.last, last[:len(ID{})]) ||
			i+1 < len(refs) && compareIDs(last, refs[i+1].first[:]) >= 0 {
			return 0, sp.tx.s.corrupt("%s is not in its place", r.name)
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n += uint64(ref.count)
	}
	if n != sp.tiers[tier] {
		return 0, sp.tx.s.corrupt("tier %d of space %q has %d chunks instead of %d", tier, sp.name, n, sp.tiers[tier])
	}
	return len(refs), nil
}

// account checks that no page is lost.
func (tx *Tx) account(fl *freelist, used map[uint64]bool) error {
	if tx.s.freelist == noFreelist {
		return nil
	}
	n := uint64(len(used)+fl.n) + fl.overflow + 1
	if have := tx.s.pages - 2; n != have {
		return tx.s.corrupt("%d pages are used or free, of %d", n, have)
	}
	return nil
}

func checkBolt(ctx context.Context, path string) (err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			abandon(file)
			err = corrupt(path, fmt.Sprint(p))
		}
	}()
	bolt, err := bbolt.Open(path, fileMode, boltOptions(&file, true))
	if err != nil {
		return boltError(path, err)
	}
	err = bolt.View(func(btx *bbolt.Tx) error {
		var found []error
		for err := range btx.Check() {
			found = append(found, err)
		}
		return errors.Join(found...)
	})
	if err != nil {
		err = corrupt(path, err.Error())
	}
	return errors.Join(err, bolt.Close(), ctx.Err())
}
