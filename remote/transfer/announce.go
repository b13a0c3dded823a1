package transfer

import (
	"bytes"
	"context"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/remote"
)

// Small table files are merged when there are so many.
const (
	compactAt   = 48
	compactSize = 256 << 10 // bytes up to which one counts as small
)

// Packs that have been put and that no table file at the authority names yet
// are kept in the index under "new", as a table each.

// note remembers a pack that has just been put.
func (s *Site) note(ctx context.Context, p index.Pack) error {
	space, err := s.space(ctx)
	if err != nil {
		return err
	}
	if err := s.index.AddPacks(ctx, space, p); err != nil {
		return err
	}
	id, _ := s.ID(ctx)
	return s.index.Update(ctx, func(tx *index.Tx) error {
		return tx.Put(siteBucket(id, "new"), p.ID.String(), appendTable(nil, p))
	})
}

// announce puts table files for the packs that no table names yet.
func (s *Site) announce(ctx context.Context) error {
	id, err := s.ID(ctx)
	if err != nil {
		return err
	}
	for {
		var keys []string
		data := []byte(tableMagic)
		err := s.index.View(ctx, func(tx *index.Tx) error {
			keys, data = nil, data[:len(tableMagic)]
			for r, err := range tx.Scan(siteBucket(id, "new"), "", "") {
				if err != nil {
					return err
				}
				keys, data = append(keys, r.Key), append(data, r.Value...)
				if len(data) > maxTableWrite {
					break
				}
			}
			return nil
		})
		if err != nil || len(keys) == 0 {
			return err
		}
		name := tablesDir + objects.Hash(data).String()
		if err := s.auth.Put(ctx, name, bytes.NewReader(data)); err != nil {
			return err
		}
		if err := s.announced(ctx, id, name, keys); err != nil {
			return err
		}
	}
}

func (s *Site) announced(ctx context.Context, id, name string, keys []string) error {
	return s.index.Update(ctx, func(tx *index.Tx) error {
		for _, key := range keys {
			if err := tx.Delete(siteBucket(id, "new"), key); err != nil {
				return err
			}
		}
		return tx.Put(siteBucket(id, "tables"), name, nil)
	})
}

// compact merges small table files when there are many. It is done by whoever
// comes along, and harmless when two do it at once; a failure costs nothing but
// requests later on.
func (s *Site) compact(ctx context.Context) error {
	s.mu.Lock()
	n := s.tables
	s.mu.Unlock()
	if n < compactAt {
		return nil
	}
	var small []remote.Info
	for f, err := range s.auth.List(ctx, tablesDir) {
		if err != nil {
			return err
		}
		if f.Size < compactSize {
			small = append(small, f)
		}
	}
	if len(small) < compactAt {
		return nil
	}
	var all []index.Pack
	for _, f := range small {
		packs, err := s.readTable(ctx, f.Name)
		if err != nil {
			return err
		}
		all = append(all, packs...)
	}
	data := encodeTables(all)
	name := tablesDir + objects.Hash(data).String()
	if err := s.auth.Put(ctx, name, bytes.NewReader(data)); err != nil {
		return err
	}
	if err := s.learn(ctx, name, nil); err != nil {
		return err
	}
	for _, f := range small {
		if err := s.auth.Delete(ctx, f.Name); err != nil {
			return err
		}
	}
	return nil
}
