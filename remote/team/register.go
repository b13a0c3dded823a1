package team

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/datafs/datafs/index/leaf"
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
	registerBatch = 10_000 // records that are given to the team at once
)

// Register writes to the team what Status found, whose contents must be at their
// authority by now. What was made since is left for the next time. Where somebody
// else was faster, their changes are merged and the rest is tried again. Archives
// in conflict, or with Held set, are refused, and with them the versions that depend on a version
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
		if p.Held != nil {
			r.refused[p.Archive] = p.Held
		}
	}
	runErr := r.run(ctx)
	if !r.reported {
		ctx := context.WithoutCancel(ctx)
		err = s.look(ctx, func(t *syncTx) error { return r.report(ctx, t) })
	}
	for _, name := range slices.Sorted(maps.Keys(r.refused)) {
		r.rep.Refused = append(r.rep.Refused, RefusedArchive{name, r.refused[name]})
	}
	return r.rep, errors.Join(runErr, err)
}

// registering is one Register under way.
type registering struct {
	s        *Sync
	team     refs.Manager
	names    []string
	wanted   map[string]Pending
	refused  map[string]error
	left     []Pending // still to be written
	rep      RegisterReport
	reported bool // rep is true
}

func (r *registering) run(ctx context.Context) error {
	for try := range registerTries {
		if try > 0 {
			if err := r.s.pause(ctx, try); err != nil {
				return err
			}
		}
		if some, err := r.round(ctx, try == 0); err != nil || !some {
			return err
		}
		if err := r.catchUp(ctx); err != nil || len(r.left) == 0 {
			return err
		}
	}
	return fmt.Errorf("registering archive %q: others were faster %d times: %w", r.left[0].Archive, registerTries, refs.ErrConflict)
}

// pause waits for up to 5 ms for each try, at most 100 ms, so that those who lost
// a race do not meet again.
func (s *Sync) pause(ctx context.Context, try int) error {
	var b [2]byte
	if _, err := io.ReadFull(s.opts.Rand, b[:]); err != nil {
		return err
	}
	most := time.Duration(min(try, 20)) * 5 * time.Millisecond
	return leaf.Sleep(ctx, most*time.Duration(binary.BigEndian.Uint16(b[:]))/(1<<16))
}

// look finds what is still to be written, and refuses what cannot be.
func (r *registering) look(ctx context.Context, t *syncTx) error {
	r.left = nil
	if len(r.names) == 0 {
		return nil
	}
	now, err := t.status(ctx, r.names)
	if err != nil {
		return err
	}
	for _, p := range now {
		if len(p.Conflicts) > 0 {
			r.refused[p.Archive] = p.Conflicts[0]
		}
	}
	asides, err := t.asides(ctx, "")
	if err != nil {
		return err
	}
	r.refuseDependents(now, asides)
	for _, p := range now {
		p.restrict(r.wanted[p.Archive])
		if r.refused[p.Archive] == nil && len(p.keys) > 0 {
			r.left = append(r.left, p)
		}
	}
	return nil
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
	p.Yanked = slices.DeleteFunc(p.Yanked, drop)
}

// refuseDependents refuses archives with a version that depends on one's own
// version that was refused, until there is none left.
func (r *registering) refuseDependents(now []Pending, asides []refs.VersionRecord) {
	own := map[string]bool{} // unpublished versions that the team does not get this time
	for _, v := range asides {
		own[v.Archive+`\`+v.Label()] = true
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
			return leaf.Errorf(refs.ErrConflict, "version %s of archive %q depends on version %s of %q, which is not published",
				v.Label(), v.Archive, *version, name)
		}
	}
	return nil
}

const registerStep = 500 // archives that are read together

// round writes what is left once, and reports whether that was anything. Who was
// faster is found out by catchUp.
func (r *registering) round(ctx context.Context, first bool) (some bool, err error) {
	r.reported = false
	for first || len(r.left) > 0 {
		var heads, rest [][]refs.Change
		err := r.s.step(ctx, func(t *syncTx) (err error) {
			if first {
				if err := errors.Join(t.noteAsked(), t.scanAll(ctx)); err != nil {
					return err
				}
				if err := r.look(ctx, t); err != nil {
					return err
				}
			}
			heads, rest, err = r.changes(ctx, t)
			return err
		})
		if first = false; err != nil {
			return some, err
		}
		if len(heads)+len(rest) == 0 {
			continue
		}
		some = true
		if err := r.writeBoth(ctx, heads, rest); err != nil {
			return some, err
		}
	}
	return some, nil
}

// changes takes some archives off the list of what is left, and returns their
// changes, by archive, which it notes as intended. First come the records of
// archives that the team has, changed or deleted: only when that is done may the
// rest be. A new archive is in one go with its versions.
func (r *registering) changes(ctx context.Context, t *syncTx) (heads, rest [][]refs.Change, err error) {
	n := min(len(r.left), registerStep)
	for _, p := range r.left[:n] {
		if err := t.setPlaces(ctx, r.wanted[p.Archive].Versions); err != nil {
			return nil, nil, err
		}
		head, others, err := t.changesOf(ctx, p.keys)
		if err == nil {
			err = t.intend(slices.Concat(head, others))
		}
		if err != nil {
			return nil, nil, err
		}
		if len(head) > 0 {
			heads = append(heads, head)
		}
		if len(others) > 0 {
			rest = append(rest, others)
		}
	}
	r.left = r.left[n:]
	return heads, rest, nil
}

// setPlaces notes where at the authority the trees of versions lie. Versions that
// are gone, or have other contents by now, are left as they are.
func (t *syncTx) setPlaces(ctx context.Context, versions []refs.VersionRecord) error {
	for _, v := range versions {
		l, err := t.get(ctx, v.Key())
		if err != nil {
			return err
		}
		if !l.there || v.Place == "" {
			continue
		}
		now, err := refs.DecodeVersion(l.rec)
		if err != nil {
			return err
		}
		if now.Tree != v.Tree || now.Place == v.Place {
			continue
		}
		now.Place = v.Place
		value, err := refs.EncodeVersion(now)
		if err == nil {
			err = t.put(ctx, v.Key(), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *syncTx) changesOf(ctx context.Context, keys map[string]pendingKey) (head, rest []refs.Change, err error) {
	for _, key := range slices.Sorted(maps.Keys(keys)) { // the archive comes first
		l, b, err := t.both(ctx, key)
		if err != nil {
			return nil, nil, err
		}
		if l.same(b) || l.there != keys[key].there {
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
	return head, rest, nil
}
