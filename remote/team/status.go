package team

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// Pending is what is not in step of one archive.
type Pending struct {
	Archive      string
	New, Deleted bool                 // the archive itself is new, or was deleted, here
	Record       *refs.Archive        // nil when it is deleted
	Versions     []refs.VersionRecord // that the team lacks, in order
	Edited       []refs.VersionRecord // published ones whose dependencies changed here
	Yanked       []refs.VersionRecord // published ones that were yanked here, or are not any more
	Metadata     []string             // keys that changed
	Tags         []string             // "+added", "-removed"
	Conflicts    []Conflict
	Held         error // set by callers of Register: why the archive is not to be registered

	keys map[string]pendingKey // what is to be written to the team
}

// pendingKey is a record that differs from the team's.
type pendingKey struct {
	there bool     // false: it was deleted here
	tree  index.ID // of a version
}

// Status is what is not in step with what the team had at the last Pull.
type Status struct {
	Pending  []Pending // by name
	Required bool      // what an administrator requires has changed here
	Asked    time.Time // when the team was asked last; zero: never
}

// Status compares the archives named, or with nil all, with what the team had at the
// last Pull. It asks nobody.
func (s *Sync) Status(ctx context.Context, names []string) (st Status, err error) {
	err = s.look(ctx, func(t *syncTx) error {
		if st.Pending, err = t.status(ctx, names); err != nil {
			return err
		}
		changes, err := t.specChanges(ctx)
		if st.Required = len(changes) > 0; err != nil {
			return err
		}
		text, err := t.meta(lastPull)
		if text == "" || err != nil {
			return err
		}
		return st.Asked.UnmarshalText([]byte(text))
	})
	return st, err
}

func (t *syncTx) status(ctx context.Context, names []string) ([]Pending, error) {
	if names == nil {
		all, err := t.unsettled(ctx)
		if err != nil {
			return nil, err
		}
		names = all
	}
	var list []Pending
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		p, err := t.pending(ctx, name)
		if err != nil {
			return nil, err
		}
		if len(p.keys)+len(p.Conflicts) > 0 {
			list = append(list, p)
		}
	}
	return list, nil
}

// unsettled names the archives of which anything is pending or in conflict.
func (t *syncTx) unsettled(ctx context.Context) ([]string, error) {
	names := map[string]bool{}
	keys, err := t.dirtyKeys("")
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if kind, archive := refs.ParseKey(key); kind == refs.KindArchive || kind == refs.KindVersion {
			names[archive] = true
		}
	}
	conflicts, err := t.conflicts("")
	if err != nil {
		return nil, err
	}
	for _, c := range conflicts {
		names[c.Archive] = true
	}
	asides, err := t.asides(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, v := range asides {
		names[v.Archive] = true
	}
	return slices.Collect(maps.Keys(names)), nil
}

// pending finds what is not in step of one archive.
func (t *syncTx) pending(ctx context.Context, name string) (Pending, error) {
	p := Pending{Archive: name, keys: map[string]pendingKey{}}
	key := refs.ArchiveKey(name)
	l, b, err := t.both(ctx, key)
	if err != nil {
		return p, err
	}
	if l.there {
		a, _, err := refs.DecodeArchive(l.rec)
		if err != nil {
			return p, err
		}
		p.Record = &a
	}
	p.New, p.Deleted = l.there && !b.there, !l.there && b.there
	if !l.same(b) {
		p.keys[key] = pendingKey{there: l.there}
		if err := p.compare(b, key); err != nil {
			return p, err
		}
	}
	if err := t.pendingVersions(ctx, &p); err != nil {
		return p, err
	}
	p.Conflicts, err = t.unresolved(ctx, name, p.Record, b)
	return p, err
}

// compare finds what has changed in the archive's record.
func (p *Pending) compare(b baseEntry, key string) error {
	if p.Record == nil {
		return nil
	}
	base := refs.Archive{}
	if b.there {
		a, _, err := refs.DecodeArchive(refs.Record{Key: key, Value: b.value})
		if err != nil {
			return err
		}
		base = a
	}
	keys := map[string]bool{}
	for _, m := range []map[string]string{base.Metadata, p.Record.Metadata} {
		for k := range m {
			before, had := base.Metadata[k]
			if now, has := p.Record.Metadata[k]; had != has || before != now {
				keys[k] = true
			}
		}
	}
	p.Metadata = slices.Sorted(maps.Keys(keys))
	for _, tag := range p.Record.Tags {
		if !slices.Contains(base.Tags, tag) {
			p.Tags = append(p.Tags, "+"+tag)
		}
	}
	for _, tag := range base.Tags {
		if !slices.Contains(p.Record.Tags, tag) {
			p.Tags = append(p.Tags, "-"+tag)
		}
	}
	return nil
}

func (t *syncTx) pendingVersions(ctx context.Context, p *Pending) error {
	keys, err := t.dirtyKeys(refs.VersionsPrefix(p.Archive))
	if err != nil {
		return err
	}
	for _, key := range keys {
		l, b, err := t.both(ctx, key)
		if err != nil {
			return err
		}
		if !l.there {
			p.keys[key] = pendingKey{}
			p.Deleted = p.Deleted || p.Record == nil
			continue
		}
		v, err := refs.DecodeVersion(l.rec)
		if err != nil {
			return err
		}
		p.keys[key] = pendingKey{true, v.Tree}
		if !b.there {
			p.Versions = append(p.Versions, v)
			continue
		}
		edited, yanked := b.differs(v)
		if edited {
			p.Edited = append(p.Edited, v)
		}
		if yanked {
			p.Yanked = append(p.Yanked, v)
		}
	}
	for _, list := range [][]refs.VersionRecord{p.Versions, p.Edited, p.Yanked} {
		slices.SortFunc(list, refs.VersionRecord.Compare)
	}
	return nil
}

// unresolved lists the conflicts of an archive as they are now: a key that has
// become the same on both sides by now is none.
func (t *syncTx) unresolved(ctx context.Context, name string, mine *refs.Archive, b baseEntry) ([]Conflict, error) {
	stored, err := t.conflicts(name)
	if err != nil {
		return nil, err
	}
	var theirs refs.Archive
	if b.there {
		if theirs, _, err = refs.DecodeArchive(refs.Record{Key: refs.ArchiveKey(name), Value: b.value}); err != nil {
			return nil, err
		}
	}
	asides, err := t.asides(ctx, name)
	if err != nil {
		return nil, err
	}
	var list []Conflict
	for _, v := range asides {
		c, err := t.versionConflict(ctx, v)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	for _, c := range stored {
		if c.Kind == ConflictMetadata {
			if mine == nil || !b.there {
				continue // that is another conflict, if it is one
			}
			c.Mine, c.Theirs = refs.MetadataValue(mine.Metadata, c.Key), refs.MetadataValue(theirs.Metadata, c.Key)
			if refs.SameValue(c.Mine, c.Theirs) {
				continue
			}
		}
		if c.Kind == ConflictDeleted && (mine != nil) == b.there {
			if l, err := t.leftovers(ctx, name); err != nil || !l {
				if err != nil {
					return nil, err
				}
				continue // it is deleted, or there, on both sides by now
			}
		}
		list = append(list, c)
	}
	return list, nil
}

// leftovers says whether versions of an archive are on one side only that the
// team had, or has.
func (t *syncTx) leftovers(ctx context.Context, name string) (bool, error) {
	keys, err := t.dirtyKeys(refs.VersionsPrefix(name))
	if err != nil {
		return false, err
	}
	for _, key := range keys {
		b, err := t.base(key)
		if err != nil {
			return false, err
		}
		l, err := t.get(ctx, key)
		if err != nil || b.gone && l.there || b.there && !l.there {
			return err == nil, err
		}
	}
	return false, nil
}

// versionConflict describes the conflict of a version that is aside.
func (t *syncTx) versionConflict(ctx context.Context, v refs.VersionRecord) (Conflict, error) {
	c := Conflict{Archive: v.Archive, Kind: ConflictVersion, Version: v.Label(), Mine: describe(v)}
	l, err := t.get(ctx, v.Key())
	if err != nil || !l.there {
		return c, err
	}
	theirs, err := refs.DecodeVersion(l.rec)
	c.Theirs = describe(theirs)
	return c, err
}
