package transfer

import (
	"bytes"
	"context"
	"maps"
	"slices"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects"
	"github.com/datafs/datafs/remote"
)

// Small table files are merged when there are so many.
const (
	compactAt   = 48
	compactSize = 256 << 10 // bytes up to which one counts as small
)

// note remembers a pack that has just been put, and that no table names yet.
func (s *Site) note(ctx context.Context, p index.Pack) error {
	space, err := s.space(ctx)
	if err != nil {
		return err
	}
	if err := s.index.AddPacks(ctx, space, p); err != nil {
		return err
	}
	return s.remember(ctx, item{newKind, p.ID.String(), appendTable(nil, p)})
}

// announce puts table files for the packs that no table names yet.
func (s *Site) announce(ctx context.Context) error {
	left, err := s.remembered(ctx, newKind)
	if err != nil {
		return err
	}
	for len(left) > 0 {
		var items []item
		data := []byte(tableMagic)
		for _, key := range slices.Sorted(maps.Keys(left)) {
			items, data = append(items, item{newKind, key, nil}), append(data, left[key]...)
			if delete(left, key); len(data) > maxTableWrite {
				break
			}
		}
		name := tablesDir + objects.Hash(data).String()
		if err := s.auth.Put(ctx, name, bytes.NewReader(data)); err != nil {
			return err
		}
		if err := s.remember(ctx, append(items, item{tablesKind, name, []byte{}})...); err != nil {
			return err
		}
	}
	return nil
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
