package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Deleted is an archive as it was when it was deleted.
type Deleted struct {
	Archive  refs.Archive
	Versions []refs.VersionRecord // in order
	Time     time.Time            // of the deletion

	graves map[string]string // record's key -> grave's key
}

// LastDeleted finds what the last deletion of an archive took from the table. The
// error wraps fs.ErrNotExist when nothing is kept of one, and says why.
func (b *Manager) LastDeleted(ctx context.Context, archive string) (Deleted, error) {
	var found deletions
	for g, err := range b.Graves(ctx) {
		if err != nil {
			return Deleted{}, err
		}
		if _, name := refs.ParseKey(g.Record.Key); g.Table == b.table && name == archive {
			found.add(g)
		}
	}
	if found.archive.Key == "" {
		return Deleted{}, b.whyNothing(ctx, archive)
	}
	return found.last()
}

// whyNothing is the error for an archive of which no deletion is kept.
func (b *Manager) whyNothing(ctx context.Context, archive string) error {
	_, err := b.Get(ctx, refs.ArchiveKey(archive))
	if err == nil {
		return leaf.Errorf(fs.ErrExist, `Archive "%s" is here, and there is no earlier one of that name to bring back`, archive)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for r, err := range b.Changes(ctx, "") {
		if err != nil {
			return err
		}
		if r.Key == refs.ArchiveKey(archive) && r.Deleted {
			return leaf.Errorf(fs.ErrNotExist, `Archive "%s" was deleted, and gc has let it go`, archive)
		}
	}
	return leaf.Errorf(fs.ErrNotExist, `Archive "%s" was never here`, refs.Printable(archive))
}

// deletions are the graves of one archive, from the last deletion of its record
// on. A pull may take a deletion over in several transactions: versions whose
// archive was gone belong to the deletion before them, others to the one behind.
type deletions struct {
	archive  Grave
	versions []Grave // of the same deletion
	next     []Grave // since
}

func (d *deletions) add(g Grave) {
	kind, _ := refs.ParseKey(g.Record.Key)
	switch {
	case kind == refs.KindArchive:
		d.archive, d.versions, d.next = g, d.next, nil
	case g.late:
		d.versions = append(d.versions, g)
	default:
		d.next = append(d.next, g)
	}
}

// last decodes the last deletion. Of each version the last record counts. One that
// had got another number before is there under that.
func (d *deletions) last() (Deleted, error) {
	a, _, err := refs.DecodeArchive(d.archive.Record)
	if err != nil {
		return Deleted{}, err
	}
	out := Deleted{Archive: a, Time: d.archive.Time, graves: map[string]string{d.archive.Record.Key: d.archive.Key}}
	for _, g := range slices.Backward(d.versions) {
		v, _, err := g.Version()
		if err != nil {
			return Deleted{}, err
		}
		if out.graves[v.Key()] == "" && !slices.ContainsFunc(out.Versions, func(w refs.VersionRecord) bool { return sameWrite(v, w) }) {
			out.graves[v.Key()] = g.Key
			out.Versions = append(out.Versions, v)
		}
	}
	slices.SortFunc(out.Versions, refs.VersionRecord.Compare)
	return out, nil
}

// sameWrite reports whether two records are of one write, perhaps under different
// numbers.
func sameWrite(v, w refs.VersionRecord) bool {
	return v.Tree == w.Tree && len(v.Updates) > 0 && len(w.Updates) > 0 && v.Updates[0].Time.Equal(w.Updates[0].Time)
}

// Undelete writes a deleted archive and the versions of it that are in d again, by
// the name as. Their graves are forgotten, but not where the name is another one:
// the archive is still deleted then. Where a part of the archive is back already, the
// rest is added. The error wraps fs.ErrExist when there is another archive of that
// name, and fs.ErrNotExist when a grave was forgotten meanwhile.
func (b *Manager) Undelete(ctx context.Context, d Deleted, as string) error {
	return b.update(ctx, func(t *transaction) error {
		stays := as != d.Archive.Name
		a := d.Archive
		a.Name = as
		value, err := refs.EncodeArchive(a)
		if err != nil {
			return err
		}
		r, err := get(t.tx, b.table, refs.ArchiveKey(as))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			err = t.undelete(d.graves[refs.ArchiveKey(d.Archive.Name)], refs.ArchiveKey(as), value, stays)
		case err == nil && (stays || !d.Back(r)):
			err = leaf.Errorf(fs.ErrExist, `Archive "%s" already exists`, as)
		}
		for _, v := range d.Versions {
			if err != nil {
				return err
			}
			grave := d.graves[v.Key()]
			v.Archive = as
			if value, err = refs.EncodeVersion(v); err == nil {
				err = t.undelete(grave, v.Key(), value, stays)
			}
		}
		return err
	})
}

// Back reports whether a record is of the archive itself, not of one that was made
// by the same name since: a colleague has brought it back.
func (d Deleted) Back(r refs.Record) bool {
	a, deleting, err := refs.DecodeArchive(r)
	return err == nil && !deleting && a.Name == d.Archive.Name && a.Created.Equal(d.Archive.Created)
}

func (t *transaction) undelete(grave, key string, value []byte, stays bool) error {
	_, err := t.tx.Get(KeptBucket(gravesBucket), grave)
	if err != nil {
		return fmt.Errorf("bringing back %q: %w", key, err)
	}
	if !stays {
		err = t.forgetGraves([]string{grave})
	}
	if err != nil {
		return err
	}
	_, err = t.put(t.b.table, key, value, refs.Absent)
	return err
}
