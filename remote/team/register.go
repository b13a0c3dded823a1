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
			if err := r.s.pause(ctx, try); err != nil {
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
	p.Yanked = slices.DeleteFunc(p.Yanked, drop)
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
			return leaf.Errorf(refs.ErrConflict, "version %s of archive %q depends on version %s of %q, which is not published",
				v.Label(), v.Archive, *version, name)
		}
	}
	return nil
}

const registerStep = 500 // archives that are read together

// round writes what is left once. Who was faster is found out by the next Pull.
func (r *registering) round(ctx context.Context, left []Pending) error {
	for some := range slices.Chunk(left, registerStep) {
		first, second, err := r.changes(ctx, some)
		if err != nil {
			return err
		}
		lost, err := r.write(ctx, first)
		if err != nil {
			return err
		}
		second = slices.DeleteFunc(second, func(list []refs.Change) bool {
			_, archive := refs.ParseKey(list[0].Key)
			return lost[archive]
		})
		if _, err = r.write(ctx, second); err != nil {
			return err
		}
	}
	return nil
}

// changes gives the writes of some archives, by archive. First are the records
// of archives that the team has, changed or deleted: only when that is done may
// the rest be. A new archive is in one go with its versions.
func (r *registering) changes(ctx context.Context, some []Pending) (first, second [][]refs.Change, err error) {
	err = r.s.step(ctx, func(t *syncTx) error {
		for _, p := range some {
			head, rest, err := t.changesOf(ctx, p.keys)
			if err != nil {
				return err
			}
			if len(head) > 0 {
				first = append(first, head)
			}
			if len(rest) > 0 {
				second = append(second, rest)
			}
		}
		return nil
	})
	return first, second, err
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
