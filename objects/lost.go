package objects

import (
	"context"
	"errors"

	"github.com/datafs/datafs/index"
)

// lostBucket of the index names the chunks that repairs have lost sight of.
const lostBucket = "lost"

func (s *Store) noteLost(ctx context.Context, ids []ID) error {
	if len(ids) == 0 {
		return nil
	}
	return s.index.Update(ctx, func(tx *index.Tx) error {
		for _, id := range ids {
			if err := tx.Put(lostBucket, id.String(), nil); err != nil {
				return err
			}
		}
		return tx.NoteHoles()
	})
}

// addLost adds what earlier repairs have lost sight of.
func (r *repair) addLost(ctx context.Context) error {
	return r.s.index.View(ctx, func(tx *index.Tx) error {
		for rec, err := range tx.Scan(lostBucket, "", "") {
			if err != nil {
				return err
			}
			id, err := ParseID(rec.Key)
			if _, known := r.lost[id]; err == nil && !known {
				r.lost[id] = index.Loc{Entry: index.Entry{ID: id}}
			}
		}
		return nil
	})
}

// forgetLost notes that chunks are here again.
func (s *Store) forgetLost(ctx context.Context, ids []ID) error {
	if len(ids) == 0 {
		return nil
	}
	return s.index.Update(ctx, func(tx *index.Tx) error {
		for _, id := range ids {
			if err := tx.Delete(lostBucket, id.String()); err != nil {
				return err
			}
		}
		return nil
	})
}

// Recheck returns those of some chunks that are not here, or damaged. It forgets what
// was known against the others.
func (s *Store) Recheck(ctx context.Context, ids []ID) (lost []ID, err error) {
	locs, err := s.index.Locate(ctx, localSpace, ids)
	if err != nil {
		return nil, err
	}
	f := fetcher{s: s.From(nil), still: true}
	var buf []byte
	var good []ID
	for i := range locs {
		if locs[i].Found {
			if buf, err = f.fetch(ctx, buf[:0], &locs[i]); err == nil {
				good = append(good, ids[i])
				continue
			}
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		lost = append(lost, ids[i])
	}
	return lost, errors.Join(s.index.ClearBad(ctx, localSpace, good...), s.forgetLost(ctx, good))
}
