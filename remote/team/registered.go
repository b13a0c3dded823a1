package team

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/datafs/datafs/refs"
)

// writeBoth gives the changes of archives to the team, the rest of an archive only
// when its head was not refused.
func (r *registering) writeBoth(ctx context.Context, heads, rest [][]refs.Change) error {
	lost := map[string]bool{}
	if err := r.write(ctx, heads, lost); err != nil {
		return err
	}
	rest = slices.DeleteFunc(rest, func(list []refs.Change) bool {
		_, archive := refs.ParseKey(list[0].Key)
		return lost[archive]
	})
	return r.write(ctx, rest, lost)
}

// write gives changes to the team, those of an archive together as far as they
// fit, and adds to lost the archives of which something was refused for now.
func (r *registering) write(ctx context.Context, byArchive [][]refs.Change, lost map[string]bool) error {
	var batch []refs.Change
	for _, list := range byArchive {
		if len(batch) > 0 && len(batch)+len(list) > registerBatch {
			if err := r.writeBatch(ctx, batch, lost); err != nil {
				return err
			}
			batch = nil
		}
		for batch = append(batch, list...); len(batch) > registerBatch; batch = batch[registerBatch:] {
			if err := r.writeBatch(ctx, batch[:registerBatch], lost); err != nil {
				return err
			}
		}
	}
	return r.writeBatch(ctx, batch, lost)
}

func (r *registering) writeBatch(ctx context.Context, batch []refs.Change, lost map[string]bool) error {
	if len(batch) == 0 {
		return nil
	}
	errs, err := r.s.write(ctx, batch)
	if err != nil {
		return fmt.Errorf("registering %d records: %w", len(batch), err)
	}
	for i, err := range errs {
		_, archive := refs.ParseKey(batch[i].Key)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist) && batch[i].Value == nil:
		case errors.Is(err, refs.ErrConflict):
			lost[archive] = true
		default:
			lost[archive] = true
			r.refused[archive] = fmt.Errorf("registering archive %q: %w", archive, err)
		}
	}
	return nil
}

// report finds out what of the wanted is in step by now.
func (r *registering) report(ctx context.Context, t *syncTx) error {
	r.rep, r.reported = RegisterReport{}, true
	for _, name := range slices.Sorted(slices.Values(r.names)) {
		if err := r.reportArchive(ctx, t, r.wanted[name], &r.rep); err != nil {
			return err
		}
	}
	return nil
}

func (r *registering) reportArchive(ctx context.Context, t *syncTx, p Pending, rep *RegisterReport) error {
	other := false
	for _, v := range p.Versions {
		done, err := t.registered(ctx, v.Key(), p.keys[v.Key()])
		if err != nil {
			return err
		}
		if done {
			rep.Registered = append(rep.Registered, RegisteredVersion{v.Archive, v.Label()})
		}
	}
	for key, k := range p.keys {
		if slices.ContainsFunc(p.Versions, func(v refs.VersionRecord) bool { return v.Key() == key }) {
			continue
		}
		done, err := t.registered(ctx, key, k)
		if err != nil {
			return err
		}
		other = other || done && !(p.New && strings.HasPrefix(key, "archive/") && len(p.Versions) > 0)
	}
	switch {
	case other && p.Deleted:
		rep.Deleted = append(rep.Deleted, p.Archive)
	case other:
		rep.Changed = append(rep.Changed, p.Archive)
	}
	return nil
}

// registered says whether a record that was to be written is in step now.
func (t *syncTx) registered(ctx context.Context, key string, k pendingKey) (bool, error) {
	l, b, err := t.both(ctx, key)
	if err != nil || l.there != k.there || !l.same(b) {
		return false, err
	}
	if kind, _ := refs.ParseKey(key); kind == refs.KindVersion && l.there {
		v, err := refs.DecodeVersion(l.rec)
		return v.Tree == k.tree, err
	}
	return true, nil
}
