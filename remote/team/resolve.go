package team

import (
	"context"
	"fmt"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Resolve settles the conflicts of an archive with what is here, or with theirs,
// what the team has; keys restricts it to these metadata keys. The error wraps
// fs.ErrNotExist when there is no such conflict. It asks nobody.
//
// Theirs: one's own versions with taken numbers are dropped, metadata keys take
// the team's values, a deletion there is followed, and what was deleted here
// comes back with the next Pull, also without a conflict. Ours: metadata keys keep their values, what the
// team has deleted is pushed again, what was deleted here is deleted there. A
// version cannot be settled so: Renumber is for that, and the error says it.
func (s *Sync) Resolve(ctx context.Context, archive string, theirs bool, keys []string) error {
	if err := s.scan(ctx); err != nil {
		return err
	}
	return s.step(ctx, func(t *syncTx) error {
		if err := t.scanAll(ctx); err != nil {
			return err
		}
		p, err := t.pending(ctx, archive)
		if err != nil {
			return err
		}
		if theirs && p.Deleted && len(p.Conflicts)+len(keys) == 0 {
			return t.restore(ctx, archive) // a deletion that one may not push, or did not mean
		}
		chosen, err := choose(p.Conflicts, archive, theirs, keys)
		if err != nil {
			return err
		}
		for _, c := range chosen {
			if err := t.resolve(ctx, c, theirs); err != nil {
				return fmt.Errorf("resolving archive %q: %w", archive, err)
			}
		}
		return nil
	})
}

// choose picks the conflicts to settle.
func choose(all []Conflict, archive string, theirs bool, keys []string) ([]Conflict, error) {
	var chosen []Conflict
	for _, key := range keys {
		i := slices.IndexFunc(all, func(c Conflict) bool { return c.Kind == ConflictMetadata && c.Key == key })
		if i < 0 {
			return nil, leaf.Errorf(fs.ErrNotExist, "metadata key %q of archive %q has no conflict", key, archive)
		}
		chosen = append(chosen, all[i])
	}
	if len(keys) > 0 {
		return chosen, nil
	}
	if len(all) == 0 {
		return nil, leaf.Errorf(fs.ErrNotExist, "archive %q has no conflict", archive)
	}
	if theirs {
		return all, nil
	}
	for _, c := range all {
		if c.Kind != ConflictVersion {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, all[0] // the hint tells the two ways on
	}
	return chosen, nil
}

func (t *syncTx) resolve(ctx context.Context, c Conflict, theirs bool) error {
	switch {
	case c.Kind == ConflictVersion:
		return t.dropAsides(ctx, c.Archive)
	case !theirs:
		// What is here differs from the base, so that the next push sends it.
	case c.Kind == ConflictMetadata:
		if err := t.takeTheirs(ctx, c); err != nil {
			return err
		}
	case c.Mine == nil:
		if err := t.restore(ctx, c.Archive); err != nil {
			return err
		}
	default:
		if err := t.follow(ctx, c.Archive); err != nil {
			return err
		}
	}
	return t.dropConflict(c)
}

// takeTheirs gives a metadata key the team's value.
func (t *syncTx) takeTheirs(ctx context.Context, c Conflict) error {
	key := refs.ArchiveKey(c.Archive)
	l, err := t.get(ctx, key)
	if err != nil || !l.there {
		return err
	}
	a, _, err := refs.DecodeArchive(l.rec)
	if err != nil {
		return err
	}
	if delete(a.Metadata, c.Key); c.Theirs != nil {
		a.Metadata[c.Key] = *c.Theirs
	}
	value, err := refs.EncodeArchive(a)
	if err != nil {
		return err
	}
	if err := t.put(ctx, key, value); err != nil {
		return err
	}
	return t.mark(ctx, key)
}

// follow deletes here what the team has deleted, with what was added here.
func (t *syncTx) follow(ctx context.Context, archive string) error {
	b, err := t.base(refs.ArchiveKey(archive))
	if err != nil {
		return err
	}
	keys, err := t.dirtyKeys(refs.VersionsPrefix(archive))
	if err != nil {
		return err
	}
	if !b.there {
		keys = append(keys, refs.ArchiveKey(archive))
	}
	for _, key := range keys {
		kb, err := t.base(key)
		if err != nil {
			return err
		}
		if kb.there {
			continue // the team has made the archive anew
		}
		if err := t.put(ctx, key, nil); err != nil {
			return err
		}
		if err := t.mark(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// restore makes the next Pull bring an archive back that was deleted here: it
// forgets that the team had it, and begins anew.
func (t *syncTx) restore(ctx context.Context, archive string) error {
	keys, err := t.dirtyKeys(refs.VersionsPrefix(archive))
	if err != nil {
		return err
	}
	for _, key := range append(keys, refs.ArchiveKey(archive)) {
		b, err := t.base(key)
		if err != nil || !b.there {
			if err != nil {
				return err
			}
			continue
		}
		if err := t.forget("base", key); err != nil {
			return err
		}
		if err := t.mark(ctx, key); err != nil {
			return err
		}
	}
	return t.setMeta(teamCursor, "")
}
