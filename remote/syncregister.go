package remote

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/datafs/datafs/refs"
)

// RegisterReport says what the team has now.
type RegisterReport struct {
	Registered []RegisteredVersion // by archive, in order
	Changed    []string            // archives of which something else was registered
	Deleted    []string            // archives
	Refused    []RefusedArchive    // by name
}

// RegisteredVersion is a version that the team has now.
type RegisteredVersion struct{ Archive, Version string }

// RefusedArchive is an archive that was not registered. Err may be a Conflict.
type RefusedArchive struct {
	Archive string
	Err     error
}

const (
	registerTries = 100
	registerBatch = 1000 // records that are given to the team at once
)

// Register writes to the team what Status found, whose contents must be at their
// authority by now. What was made since is left for the next time. Where somebody
// else was faster, their changes are merged and the rest is tried again. Archives
// in conflict are refused, and with them the versions that depend on a version
// that is; all others are registered.
//
// After an error the report says what is known to be registered; Register may be
// called again.
func (s *Sync) Register(ctx context.Context, pending []Pending) (RegisterReport, error) {
	team, err := s.team()
	if err != nil {
		return RegisterReport{}, err
	}
	r := &registering{s: s, team: team, wanted: map[string]Pending{}, refused: map[string]error{}}
	for _, p := range pending {
		r.wanted[p.Archive] = p
		r.names = append(r.names, p.Archive)
	}
	if len(r.names) == 0 {
		return RegisterReport{}, nil
	}
	runErr := r.run(ctx)
	rep, err := r.report(ctx)
	return rep, errors.Join(runErr, err)
}

// registering is one Register under way.
type registering struct {
	s       *Sync
	team    refs.Manager
	names   []string
	wanted  map[string]Pending
	refused map[string]error
}

func (r *registering) run(ctx context.Context) error {
	for try := range registerTries {
		left, err := r.left(ctx)
		if err != nil || len(left) == 0 {
			return err
		}
		if try > 0 {
			wait := time.Duration(rand.Int64N(int64(min(try, 20)*5)+1)) * time.Millisecond
			if err := sleep(ctx, wait); err != nil {
				return err
			}
		}
		if err := r.round(ctx, left); err != nil {
			return err
		}
		if _, err := r.s.Pull(ctx, nil); err != nil {
			return err
		}
		if err := r.takeBack(ctx); err != nil {
			return err
		}
	}
	left, err := r.left(ctx)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("registering archive %q: others were faster %d times: %w", left[0].Archive, registerTries, refs.ErrConflict)
	}
	return err
}

// left finds what is still to be written, and refuses what cannot be.
func (r *registering) left(ctx context.Context) (left []Pending, err error) {
	now, err := r.s.Status(ctx, r.names)
	if err != nil {
		return nil, err
	}
	for _, p := range now {
		if len(p.Conflicts) > 0 {
			r.refused[p.Archive] = p.Conflicts[0]
		}
	}
	if err := r.refuseDependents(ctx, now); err != nil {
		return nil, err
	}
	for _, p := range now {
		p.restrict(r.wanted[p.Archive])
		if r.refused[p.Archive] == nil && len(p.keys) > 0 {
			left = append(left, p)
		}
	}
	return left, nil
}

// restrict leaves only what was wanted.
func (p *Pending) restrict(wanted Pending) {
	maps.DeleteFunc(p.keys, func(key string, k pendingKey) bool {
		w, ok := wanted.keys[key]
		return !ok || w.there != k.there || w.tree != k.tree
	})
	kept := p.keys
	drop := func(v refs.VersionRecord) bool { _, ok := kept[v.Key()]; return !ok }
	p.Versions = slices.DeleteFunc(p.Versions, drop)
	p.Edited = slices.DeleteFunc(p.Edited, drop)
}

// refuseDependents refuses archives with a version that depends on one's own
// version that was refused, until there is none left.
func (r *registering) refuseDependents(ctx context.Context, now []Pending) error {
	own := map[string]bool{} // unpublished versions that the team does not get this time
	err := r.s.step(ctx, func(t *syncTx) error {
		asides, err := t.asides(ctx, "")
		for _, v := range asides {
			own[v.Archive+`\`+v.Label()] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	for again := true; again; {
		again = false
		for _, p := range now {
			if r.refused[p.Archive] != nil {
				for _, v := range p.Versions {
					own[p.Archive+`\`+v.Label()] = true
				}
			}
		}
		for _, p := range now {
			if r.refused[p.Archive] != nil {
				continue
			}
			if err := waitsFor(p, own); err != nil {
				r.refused[p.Archive], again = err, true
			}
		}
	}
	return nil
}

// waitsFor says on which of the versions a version of p depends.
func waitsFor(p Pending, own map[string]bool) error {
	for _, v := range slices.Concat(p.Versions, p.Edited) {
		deps := v.Last().Dependencies
		for _, name := range slices.Sorted(maps.Keys(deps)) {
			version := deps[name]
			if version == nil || !own[name+`\`+*version] {
				continue
			}
			text := fmt.Sprintf("version %s of archive %q depends on version %s of %q, which is not published", v.Label(), v.Archive, *version, name)
			return kindText(text, refs.ErrConflict)
		}
	}
	return nil
}

// round writes what is left once. Who was faster is found out by the next Pull.
func (r *registering) round(ctx context.Context, left []Pending) error {
	var first, second [][]refs.Change // by archive
	for _, p := range left {
		head, rest, err := r.changes(ctx, p)
		if err != nil {
			return err
		}
		if len(head) == 0 {
			second = append(second, rest)
			continue
		}
		first, second = append(first, head), append(second, rest)
	}
	lost, err := r.write(ctx, first)
	if err != nil {
		return err
	}
	second = slices.DeleteFunc(second, func(list []refs.Change) bool {
		if len(list) == 0 {
			return true
		}
		_, archive := refs.ParseKey(list[0].Key)
		return lost[archive]
	})
	_, err = r.write(ctx, second)
	return err
}

// changes gives the writes of one archive. The head is the record of an archive
// that the team has, changed or deleted: only when that is done may the rest be.
// A new archive is in one go with its versions.
func (r *registering) changes(ctx context.Context, p Pending) (head, rest []refs.Change, err error) {
	err = r.s.step(ctx, func(t *syncTx) error {
		for _, key := range slices.Sorted(maps.Keys(p.keys)) { // the archive comes first
			l, err := t.get(ctx, key)
			if err != nil {
				return err
			}
			b, err := t.base(key)
			if err != nil {
				return err
			}
			if l.same(b) || l.there != p.keys[key].there {
				continue // changed since
			}
			c := refs.Change{Key: key, Prev: b.rev}
			if l.there {
				c.Value = l.rec.Value
			}
			if kind, _ := refs.ParseKey(key); kind == refs.KindArchive && b.there {
				head = append(head, c)
			} else {
				rest = append(rest, c)
			}
		}
		return nil
	})
	return head, rest, err
}

// write gives changes to the team, those of an archive together as far as they
// fit, and returns the archives of which something was refused for now.
func (r *registering) write(ctx context.Context, byArchive [][]refs.Change) (lost map[string]bool, err error) {
	lost = map[string]bool{}
	var batch []refs.Change
	for _, list := range byArchive {
		if len(batch) > 0 && len(batch)+len(list) > registerBatch {
			if err := r.writeBatch(ctx, batch, lost); err != nil {
				return lost, err
			}
			batch = nil
		}
		for batch = append(batch, list...); len(batch) > registerBatch; batch = batch[registerBatch:] {
			if err := r.writeBatch(ctx, batch[:registerBatch], lost); err != nil {
				return lost, err
			}
		}
	}
	return lost, r.writeBatch(ctx, batch, lost)
}

func (r *registering) writeBatch(ctx context.Context, batch []refs.Change, lost map[string]bool) error {
	if len(batch) == 0 {
		return nil
	}
	errs, err := putAll(ctx, r.team, batch)
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

// putAll is Batcher.PutAll for every manager.
func putAll(ctx context.Context, m refs.Manager, changes []refs.Change) ([]error, error) {
	if b, ok := m.(refs.Batcher); ok {
		return b.PutAll(ctx, changes)
	}
	errs := make([]error, len(changes))
	for i, c := range changes {
		if c.Value == nil {
			errs[i] = m.Delete(ctx, c.Key, c.Prev)
		} else {
			_, errs[i] = m.Put(ctx, c.Key, c.Value, c.Prev)
		}
		if err := errs[i]; err != nil && !errors.Is(err, refs.ErrConflict) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) {
			return errs, err
		}
	}
	return errs, nil
}

// report finds out what of the wanted is in step by now.
func (r *registering) report(ctx context.Context) (rep RegisterReport, err error) {
	ctx = context.WithoutCancel(ctx)
	err = r.s.step(ctx, func(t *syncTx) error {
		for _, name := range slices.Sorted(slices.Values(r.names)) {
			if err := r.reportArchive(ctx, t, r.wanted[name], &rep); err != nil {
				return err
			}
		}
		return nil
	})
	for _, name := range slices.Sorted(maps.Keys(r.refused)) {
		rep.Refused = append(rep.Refused, RefusedArchive{name, r.refused[name]})
	}
	return rep, err
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
	l, err := t.get(ctx, key)
	if err != nil {
		return false, err
	}
	b, err := t.base(key)
	if err != nil || l.there != k.there || !l.same(b) {
		return false, err
	}
	if kind, _ := refs.ParseKey(key); kind == refs.KindVersion && l.there {
		v, err := refs.DecodeVersion(l.rec)
		return v.Tree == k.tree, err
	}
	return true, nil
}
