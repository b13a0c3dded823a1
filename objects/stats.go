package objects

import "context"

// Stats counts what lies in a store's packs.
type Stats struct {
	Packs  int64
	Chunks int64 // nodes included
	Raw    int64 // bytes of the chunks before compression
	Stored int64 // bytes of the pack files
}

// Stats reads the tables of all packs.
func (s *Store) Stats(ctx context.Context) (st Stats, err error) {
	for id, err := range s.packs.IDs() {
		if err != nil {
			return st, err
		}
		if err := ctx.Err(); err != nil {
			return st, err
		}
		size, entries, err := s.packs.Table(id)
		if err != nil {
			return st, err
		}
		st.Packs++
		st.Stored += size
		st.Chunks += int64(len(entries))
		for _, e := range entries {
			st.Raw += int64(e.Raw)
		}
	}
	return st, nil
}
