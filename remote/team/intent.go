package team

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// Intents: what is about to be written to the team is noted in the journal before.
// When the process ends before it has noted that it was written, the next pull
// knows one's own writes by it, and takes them for what both have in common.
// Without that, a change that was written and then changed again here would be in
// conflict with itself. A pull that has seen all drops what is left of writes that
// had ended before: those of its own Sync, and after intentTime those of others,
// which may be about to write.

const intentTime = time.Hour

// intend notes what is about to be written to the team.
func (t *syncTx) intend(changes []refs.Change) error {
	t.s.noteEnded(changes, false)
	now, err := t.s.opts.Now().UTC().MarshalText()
	if err == nil {
		err = t.setMeta(intended, string(now))
	}
	if err != nil {
		return err
	}
	for _, c := range changes {
		i, err := baseOf(refs.Record{Key: c.Key, Value: c.Value, Deleted: c.Value == nil})
		if err == nil {
			err = t.keep("intent", c.Key, i.encode())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write makes intended changes at the team.
func (s *Sync) write(ctx context.Context, changes []refs.Change) ([]error, error) {
	team, err := s.team()
	if err != nil {
		return nil, err
	}
	defer s.noteEnded(changes, true)
	return putAll(ctx, team, changes)
}

func (s *Sync) noteEnded(changes []refs.Change, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range changes {
		if delete(s.ended, c.Key); ended {
			s.ended[c.Key] = true
		}
	}
}

// endedWrites returns the keys of intents whose writes have ended.
func (s *Sync) endedWrites() map[string]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.ended)
}

func (s *Sync) forgetEnded(keys map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range keys {
		delete(s.ended, key)
	}
}

// dropIntents drops the intents of writes that had ended when a pull began. What
// that pull has not met did not come to pass.
func (t *syncTx) dropIntents(ended map[string]bool) error {
	text, err := t.meta(intended)
	if err != nil || text == "" {
		return err
	}
	var at time.Time
	if err := at.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("when records were written, in the index: %w", errors.Join(index.ErrCorrupt, err))
	}
	if t.s.opts.Now().Sub(at).Abs() > intentTime {
		return t.forgetAll("intent")
	}
	now := t.s.endedWrites()
	for key := range ended {
		_, err := t.tx.Get(t.s.bucket("intent"), key)
		if err == nil && now[key] {
			err = t.forget("intent", key)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// withIntent gives what both sides have in common of a record, b, with one's own
// write of it, if there was one that the team's record r shows.
func (t *syncTx) withIntent(l here, b baseEntry, r refs.Record) (baseEntry, error) {
	p, err := t.tx.Get(t.s.bucket("intent"), r.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return b, nil
	}
	if err != nil {
		return b, err
	}
	i, err := decodeBase(r.Key, p)
	if err != nil {
		return b, err
	}
	if err := t.forget("intent", r.Key); err != nil {
		return b, err
	}
	kind, _ := refs.ParseKey(r.Key)
	switch {
	case i.gone != r.Deleted, kind == refs.KindVersion && l.there && !r.Deleted: // versions that are on both sides merge without
		return b, nil
	case r.Deleted || i.sum == blake3.Sum256(r.Value):
		return baseOf(r)
	case kind == refs.KindArchive:
		return partly(b, i, r)
	}
	return b, nil
}

// partly is for an archive's record that others have changed since it was, or may
// have been, written as i says.
func partly(b, i baseEntry, r refs.Record) (baseEntry, error) {
	mine, _, err := refs.DecodeArchive(refs.Record{Key: r.Key, Value: i.value})
	if err != nil {
		return b, err
	}
	theirs, _, err := refs.DecodeArchive(r)
	if err != nil {
		return b, err
	}
	base := refs.Archive{Name: mine.Name, Created: mine.Created, Versioned: mine.Versioned}
	if b.there {
		if base, _, err = refs.DecodeArchive(refs.Record{Key: r.Key, Value: b.value}); err != nil {
			return b, err
		}
	} else if !mine.Created.Equal(theirs.Created) {
		return b, nil // the team's is another archive
	}
	value, err := refs.EncodeArchive(writtenBase(base, mine, theirs))
	return baseEntry{there: true, rev: r.Rev, sum: blake3.Sum256(value), value: value}, err
}

// writtenBase gives base with all that mine wrote and theirs shows.
func writtenBase(base, mine, theirs refs.Archive) refs.Archive {
	if mine.Authority == theirs.Authority {
		base.Authority = mine.Authority
	}
	merged := map[string]string{}
	for _, m := range []map[string]string{base.Metadata, mine.Metadata} {
		for k := range m {
			from := base.Metadata
			if refs.SameValue(refs.MetadataValue(mine.Metadata, k), refs.MetadataValue(theirs.Metadata, k)) {
				from = mine.Metadata
			}
			if v, ok := from[k]; ok {
				merged[k] = v
			}
		}
	}
	var tags []string
	for _, tag := range slices.Concat(base.Tags, mine.Tags) {
		from := base.Tags
		if slices.Contains(mine.Tags, tag) == slices.Contains(theirs.Tags, tag) {
			from = mine.Tags
		}
		if slices.Contains(from, tag) && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	base.Metadata, base.Tags = merged, tags
	return base
}
