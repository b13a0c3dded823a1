package objects

import (
	"context"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/objects/pack"
)

// Rebuild fills an index that knows no packs with the tables of all packs, and then
// calls done, before any writer or gc goes on. Packs that cannot be read are found and
// left out.
func (s *Store) Rebuild(ctx context.Context, into *index.DB, found func(Problem), done func() error) error {
	lock, err := s.lock(ctx, true)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	view := *s
	view.index = into
	if err := view.register(ctx, found); err != nil {
		return err
	}
	return done()
}

// register makes the index know all packs.
func (s *Store) register(ctx context.Context, found func(Problem)) error {
	var batch []index.Pack
	n := 0
	flush := func() error {
		err := s.index.AddPacks(ctx, localSpace, batch...)
		batch, n = nil, 0
		return err
	}
	for id, err := range s.packs.IDs() {
		if err != nil {
			return err
		}
		size, entries, err := s.packs.Table(id)
		if err != nil {
			found(Problem{What: err.Error(), Err: err})
			continue
		}
		batch = append(batch, index.Pack{ID: id, Size: size, Entries: entries})
		if n += len(entries) + 1; n > pack.MaxEntries {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}
