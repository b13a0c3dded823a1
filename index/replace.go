package index

import (
	"context"
	"fmt"
)

// ReplacePacks forgets packs, with those of their entries that still lie in
// them, and registers another one, in one transaction: a reader finds a chunk
// that both hold in the one or in the other. A zero pack replaces them by
// nothing.
func (db *DB) ReplacePacks(ctx context.Context, name string, old []Pack, pack Pack) error {
	err := db.change(ctx, name, func(sp *space) error {
		for _, p := range old {
			if err := sp.remove(p.ID, p.Entries); err != nil {
				return err
			}
		}
		if pack.ID.IsZero() {
			return nil
		}
		return sp.add([]Pack{pack})
	})
	if err != nil {
		return fmt.Errorf("replace packs: %w", err)
	}
	return nil
}

// Path returns the path of the database file.
func (db *DB) Path() string { return db.path }
