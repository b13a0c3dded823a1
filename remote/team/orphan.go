package team

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/datafs/datafs/refs"
)

// catchUp merges what the team has now, and finds out what of the wanted is left.
// Versions that were registered while somebody deleted their archive are deleted at
// the team, and kept here with their archive, which is a conflict then.
func (r *registering) catchUp(ctx context.Context) error {
	var orphans []refs.Change
	for range 2 {
		taken := len(orphans) > 0
		_, err := r.s.pull(ctx, &pulling{then: func(t *syncTx) (err error) {
			if orphans = nil; !taken {
				orphans, err = r.orphans(ctx, t)
			}
			if err != nil || len(orphans) > 0 {
				return err
			}
			return errors.Join(r.look(ctx, t), r.report(ctx, t))
		}})
		if err != nil || len(orphans) == 0 {
			return err
		}
		for _, c := range orphans {
			err := r.team.Delete(ctx, c.Key, c.Prev)
			if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, refs.ErrConflict) {
				return fmt.Errorf("taking back %q, whose archive was deleted meanwhile: %w", c.Key, err)
			}
		}
	}
	return nil
}

// orphans finds the wanted versions that the team has without their archive, and
// makes the archive again here.
func (r *registering) orphans(ctx context.Context, t *syncTx) (orphans []refs.Change, err error) {
	for _, name := range slices.Sorted(slices.Values(r.names)) {
		list, err := t.orphansOf(ctx, r.wanted[name])
		if err != nil {
			return nil, err
		}
		orphans = append(orphans, list...)
	}
	return orphans, nil
}

func (t *syncTx) orphansOf(ctx context.Context, p Pending) ([]refs.Change, error) {
	key := refs.ArchiveKey(p.Archive)
	b, err := t.base(key)
	if err != nil || b.there || p.Record == nil {
		return nil, err
	}
	var orphans []refs.Change
	for _, v := range p.Versions {
		done, err := t.registered(ctx, v.Key(), p.keys[v.Key()])
		if err != nil {
			return nil, err
		}
		if vb, err := t.base(v.Key()); err != nil {
			return nil, err
		} else if done && vb.there {
			orphans = append(orphans, refs.Change{Key: v.Key(), Prev: vb.rev})
		}
	}
	if len(orphans) == 0 {
		return nil, nil
	}
	l, err := t.get(ctx, key)
	if err != nil || l.there {
		return orphans, err
	}
	value, err := refs.EncodeArchive(*p.Record)
	if err != nil {
		return nil, err
	}
	if err := t.put(ctx, key, value); err != nil {
		return nil, err
	}
	return orphans, t.mark(ctx, key)
}

// setAside keeps a version aside. Where another one of its number is aside
// already, it gets the next one that is free.
func (t *syncTx) setAside(ctx context.Context, v refs.VersionRecord) (refs.VersionRecord, error) {
	for {
		r, err := t.aside.Get(ctx, v.Key())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return v, err
		}
		if err != nil {
			break
		}
		other, err := refs.DecodeVersion(r)
		if err != nil || refs.SameVersion(other, v) {
			return v, err
		}
		if v.Number > 0 {
			v.Number++
		} else if v.Version, err = v.Version.Bump("", ""); err != nil {
			return v, err
		}
	}
	value, err := refs.EncodeVersion(v)
	if err != nil {
		return v, err
	}
	t.wrote = true
	_, err = t.aside.Put(ctx, v.Key(), value, refs.Absent)
	return v, err
}
