package team

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/datafs/datafs/refs"
)

// merging is the merging of one page. Every rule is about one record: L, what
// the repository has, B, what both had last, and R, what the team has.
type merging struct {
	*syncTx
	rep *PullReport
}

// record merges one record.
func (m *merging) record(ctx context.Context, r refs.Record) error {
	l, err := m.get(ctx, r.Key)
	if err != nil {
		return err
	}
	b, err := m.base(r.Key)
	if err == nil {
		b, err = m.withIntent(l, b, r)
	}
	if err != nil {
		return err
	}
	team := here{!r.Deleted, r}
	switch {
	case equalRecords(l, team): // the same on both sides
	case (b.there || b.gone) && team.same(b): // nothing new
	case l.same(b):
		err = m.forward(ctx, l, b, r)
	default:
		err = m.both(ctx, l, b, r)
	}
	if err == nil {
		err = m.setBase(r)
	}
	if err == nil {
		err = m.mark(ctx, r.Key)
	}
	return err
}

func equalRecords(l, r here) bool {
	return l.there == r.there && (!l.there || bytes.Equal(l.rec.Value, r.rec.Value))
}

// forward takes the team's record over, where nothing was changed here.
func (m *merging) forward(ctx context.Context, l here, b baseEntry, r refs.Record) error {
	kind, archive := refs.ParseKey(r.Key)
	if r.Deleted {
		edited, err := m.isEdited(archive)
		if err != nil {
			return err
		}
		if edited && kind != refs.KindSpec {
			return m.deletedThere(archive)
		}
	}
	if kind == refs.KindVersion && !r.Deleted {
		gone, err := m.deletedHere(ctx, archive)
		if err != nil {
			return err
		}
		if gone {
			return m.deletedHereConflict(archive)
		}
	}
	m.count(kind, archive, l.there, r.Deleted)
	if err := m.put(ctx, r.Key, r.Value); err != nil {
		return err
	}
	if kind == refs.KindArchive && !r.Deleted {
		return m.fitVersions(ctx, r)
	}
	return nil
}

// count counts a change of a record that is taken over.
func (m *merging) count(kind refs.Kind, archive string, there, deleted bool) {
	switch {
	case kind == refs.KindVersion && !there:
		m.rep.NewVersions++
	case kind == refs.KindVersion && !deleted:
		m.rep.ChangedVersions++
	case kind == refs.KindArchive && deleted:
		m.rep.DeletedArchives++
	case kind == refs.KindArchive && there:
		m.rep.ChangedArchives++
	case kind == refs.KindArchive:
		m.rep.NewArchives++
	}
	if kind != refs.KindSpec {
		m.rep.change(archive)
	}
}

// both merges a record that was changed on both sides.
func (m *merging) both(ctx context.Context, l here, b baseEntry, r refs.Record) error {
	kind, archive := refs.ParseKey(r.Key)
	switch {
	case kind == refs.KindSpec:
		m.s.warn(fmt.Sprintf("what the team requires was changed on both sides: the team's %s is taken", r.Key))
		return m.put(ctx, r.Key, r.Value)
	case !l.there: // deleted here, changed there
		return m.deletedHereConflict(archive)
	case r.Deleted && b.there: // deleted there, changed here
		return m.deletedThere(archive)
	case kind == refs.KindArchive && r.Deleted:
		return nil // made here anew, under a name that the team had once
	case kind == refs.KindArchive:
		return m.archive(ctx, l, b, r)
	case r.Deleted:
		return m.taken(ctx, l, r)
	}
	return m.version(ctx, l, r)
}

// archive merges an archive that was changed on both sides.
func (m *merging) archive(ctx context.Context, l here, b baseEntry, r refs.Record) error {
	mine, _, err := refs.DecodeArchive(l.rec)
	if err != nil {
		return err
	}
	theirs, _, err := refs.DecodeArchive(r)
	if err != nil {
		return err
	}
	var base *refs.Archive
	if b.there {
		a, _, err := refs.DecodeArchive(refs.Record{Key: r.Key, Value: b.value})
		if err != nil {
			return err
		}
		base = &a
	}
	merged, clashes := refs.MergeArchives(base, mine, theirs)
	value, err := refs.EncodeArchive(merged)
	if err != nil {
		return err
	}
	for _, k := range clashes {
		if err := m.clash(mine.Name, k); err != nil {
			return err
		}
	}
	if !bytes.Equal(value, l.rec.Value) {
		m.count(refs.KindArchive, mine.Name, true, false)
		if err := m.put(ctx, r.Key, value); err != nil {
			return err
		}
	}
	return m.fitVersions(ctx, r)
}

// clash notes a metadata key that both changed differently. One that was in
// conflict before keeps what both had before that.
func (m *merging) clash(archive string, k refs.KeyConflict) error {
	c := Conflict{Archive: archive, Kind: ConflictMetadata, Key: k.Key, Mine: k.Mine, Theirs: k.Theirs, Base: k.Base}
	known, err := m.conflicts(archive)
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(known, func(o Conflict) bool { return o.key() == c.key() }); i >= 0 {
		c.Base = known[i].Base
	}
	m.rep.conflict(c)
	return m.setConflict(c)
}

// fitVersions moves one's own versions aside that do not fit an archive that the
// team has made versioned, or not.
func (m *merging) fitVersions(ctx context.Context, r refs.Record) error {
	a, _, err := refs.DecodeArchive(r)
	if err != nil {
		return err
	}
	keys, err := m.dirtyKeys(refs.VersionsPrefix(a.Name))
	if err != nil {
		return err
	}
	for _, key := range keys {
		l, err := m.get(ctx, key)
		if err != nil {
			return err
		}
		_, number, err := refs.ParseVersionKey(key)
		if err != nil {
			return err
		}
		if !l.there || (number == 0) == a.Versioned {
			continue
		}
		b, err := m.base(key)
		if err == nil && !b.there {
			err = m.taken(ctx, l, refs.Record{Key: key, Deleted: true})
		}
		if err == nil {
			err = m.mark(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// version merges a version that was changed, or made, on both sides.
func (m *merging) version(ctx context.Context, l here, r refs.Record) error {
	mine, err := refs.DecodeVersion(l.rec)
	if err != nil {
		return err
	}
	theirs, err := refs.DecodeVersion(r)
	if err != nil {
		return err
	}
	if !refs.SameVersion(mine, theirs) {
		return m.taken(ctx, l, r)
	}
	value, err := refs.EncodeVersion(refs.MergeVersions(mine, theirs))
	if err != nil || bytes.Equal(value, l.rec.Value) {
		return err
	}
	m.count(refs.KindVersion, mine.Archive, true, false)
	return m.put(ctx, r.Key, value)
}

// taken moves one's own version aside, whose number the team has given to r.
func (m *merging) taken(ctx context.Context, l here, r refs.Record) error {
	mine, err := refs.DecodeVersion(l.rec)
	if err != nil {
		return err
	}
	if mine, err = m.setAside(ctx, mine); err != nil {
		return err
	}
	c := Conflict{Archive: mine.Archive, Kind: ConflictVersion, Version: mine.Label(), Mine: describe(mine)}
	if !r.Deleted {
		theirs, err := refs.DecodeVersion(r)
		if err != nil {
			return err
		}
		c.Theirs = describe(theirs)
		m.rep.NewVersions++
	}
	m.rep.change(mine.Archive)
	m.rep.conflict(c)
	return m.put(ctx, r.Key, r.Value)
}

// deletedHere says whether an archive that the team has was deleted here.
func (m *merging) deletedHere(ctx context.Context, archive string) (bool, error) {
	key := refs.ArchiveKey(archive)
	b, err := m.base(key)
	if err != nil || !b.there {
		return false, err
	}
	l, err := m.get(ctx, key)
	return err == nil && !l.there, err
}

func (m *merging) deletedHereConflict(archive string) error {
	theirs := "changed"
	return m.deletion(Conflict{Archive: archive, Kind: ConflictDeleted, Theirs: &theirs})
}

func (m *merging) deletedThere(archive string) error {
	mine := "changed"
	return m.deletion(Conflict{Archive: archive, Kind: ConflictDeleted, Mine: &mine})
}

func (m *merging) deletion(c Conflict) error {
	m.rep.conflict(c)
	return m.setConflict(c)
}
