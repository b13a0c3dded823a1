package refs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"slices"
	"strings"

	"github.com/datafs/datafs/index"
)

// The names of archives, each with what lists are made of, have a bucket of their
// own, so that looking through all of them need not read the records, which are
// some ten times as long. It is kept up with every change; a table from before
// there was one, or with one of another form, gets it with the next change.
//
// Behind a name stand the authority, then "v" if there are versions, then the
// tags, each with a line feed behind it.
const (
	namesPrefix = "refs/names/" // then the table
	namesFlag   = "names.2/"    // then the table, in metaBucket: the names are complete, in this form
)

// namedArchive is what the bucket has of an archive.
type namedArchive struct {
	name      string
	authority string
	versions  bool   // there are some
	tags      string // with a line feed before the first and behind each, so that they can be found
}

// encode is what the bucket has behind the name.
func (a namedArchive) encode() []byte {
	versions := "\n"
	if a.versions {
		versions = "v\n"
	}
	return []byte(a.authority + "\n" + versions + strings.TrimPrefix(a.tags, "\n"))
}

func decodeNamed(name string, value []byte) (namedArchive, error) {
	authority, rest, ok := strings.Cut(string(value), "\n")
	versions, tags, ok2 := strings.Cut(rest, "\n")
	if !ok || !ok2 {
		return namedArchive{}, fmt.Errorf("archive %q in the list of names: %w", name, ErrCorrupt)
	}
	a := namedArchive{name: name, authority: authority, versions: versions != ""}
	if tags != "" {
		a.tags = "\n" + tags
	}
	return a, nil
}

// has says whether the archive has all of some tags.
func (a namedArchive) has(tags []string) bool {
	return !slices.ContainsFunc(tags, func(tag string) bool { return !strings.Contains(a.tags, "\n"+tag+"\n") })
}

// skipNames gives a name behind that of an archive, or "".
type skipNames func(namedArchive) string

// namer is a Manager that can list archives without their records. ok is
// false when it cannot just now.
type namer interface {
	// names lists those with a prefix. skip, if set, is asked after each archive for
	// a name up to which, inclusive, nothing more is wanted; it may be given some
	// all the same.
	names(ctx context.Context, prefix string, skip skipNames) (list iter.Seq2[namedArchive, error], ok bool)

	// tagged lists those with a prefix and all of some tags.
	tagged(ctx context.Context, prefix string, tags []string) (list iter.Seq2[string, error], ok bool)

	// similar gives, in no order, those whose names have a form, the one that
	// SimilarName compares.
	similar(ctx context.Context, form string) (names []string, ok bool, err error)
}

// named lists the names of the archives that have all of some tags, without
// their records, where the manager can.
func (d *DB) named(ctx context.Context, prefix string, tags []string) (iter.Seq2[string, error], bool) {
	if n, ok := d.m.(namer); ok && len(tags) > 0 {
		if list, ok := n.tagged(ctx, prefix, tags); ok {
			return list, true
		}
	}
	list, ok := d.namedArchives(ctx, prefix, nil)
	return func(yield func(string, error) bool) {
		for a, err := range list {
			if err == nil && !a.has(tags) {
				continue
			}
			if !yield(a.name, err) || err != nil {
				return
			}
		}
	}, ok
}

func (d *DB) namedArchives(ctx context.Context, prefix string, skip skipNames) (iter.Seq2[namedArchive, error], bool) {
	n, ok := d.m.(namer)
	if !ok {
		return nil, false
	}
	return n.names(ctx, prefix, skip)
}

func hasNames(tx *index.Tx, table string) (bool, error) {
	_, err := tx.Get(metaBucket, namesFlag+table)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// name keeps the bucket in step with one change of a record, which the index has
// already.
func (t *boltTx) name(o op) error {
	kind, name := ParseKey(o.key)
	if name == "" || kind != KindArchive && kind != KindVersion {
		return nil
	}
	if err := t.completeNames(o.table); err != nil {
		return err
	}
	if kind == KindVersion {
		return t.nameVersions(o, name)
	}
	return t.nameArchive(o, name)
}

// nameArchive puts what the bucket is to have of an archive in the place of what
// it has.
func (t *boltTx) nameArchive(o op, name string) error {
	var old, now []term
	value, err := t.tx.Get(namesPrefix+o.table, name)
	if err == nil {
		was, err := decodeNamed(name, value)
		if err != nil {
			return err
		}
		old = was.terms()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if o.kind == opDelete {
		err = t.tx.Delete(namesPrefix+o.table, name)
	} else {
		var a namedArchive
		if a, err = nameOf(t.tx, o.table, name, o.value); err != nil {
			return err
		}
		now = a.terms()
		err = t.tx.Put(namesPrefix+o.table, name, a.encode())
	}
	if err != nil {
		return err
	}
	return t.changeTerms(o.table, name, old, now)
}

// nameVersions notes that an archive has got its first version, or lost its last
// one.
func (t *boltTx) nameVersions(o op, name string) error {
	value, err := t.tx.Get(namesPrefix+o.table, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its record comes later, or is gone already
	}
	if err != nil {
		return err
	}
	a, err := decodeNamed(name, value)
	if err != nil || a.versions && o.kind == opPut {
		return err
	}
	if a.versions, err = hasVersions(t.tx, o.table, name); err != nil {
		return err
	}
	return t.tx.Put(namesPrefix+o.table, name, a.encode())
}

// nameOf gives what the bucket should have of an archive with this record; of
// what is no such record only the name.
func nameOf(tx *index.Tx, table, name string, value []byte) (namedArchive, error) {
	var record struct {
		Authority string   `json:"authority"`
		Tags      []string `json:"tags"`
	}
	a := namedArchive{name: name}
	if json.Unmarshal(value, &record) == nil {
		a.authority = record.Authority
		if len(record.Tags) > 0 {
			a.tags = "\n" + strings.Join(record.Tags, "\n") + "\n"
		}
	}
	var err error
	a.versions, err = hasVersions(tx, table, name)
	return a, err
}

func hasVersions(tx *index.Tx, table, name string) (bool, error) {
	for _, err := range tx.Scan(recPrefix+table, versionsPrefix(name), "") {
		return err == nil, err
	}
	return false, nil
}

// completeNames makes the bucket of a table that has none.
func (t *boltTx) completeNames(table string) error {
	if t.named[table] {
		return nil
	}
	complete, err := hasNames(t.tx, table)
	if err != nil {
		return err
	}
	if !complete {
		for r, err := range t.tx.Scan(recPrefix+table, archivePrefix, "") {
			if err != nil {
				return err
			}
			s, err := decodeStored(table, r.Key, r.Value)
			if err != nil {
				return err
			}
			a, err := nameOf(t.tx, table, strings.TrimPrefix(r.Key, archivePrefix), s.value)
			if err != nil {
				return err
			}
			if err := t.tx.Put(namesPrefix+table, a.name, a.encode()); err != nil {
				return err
			}
		}
		if err := t.tx.Put(metaBucket, namesFlag+table, nil); err != nil {
			return err
		}
	}
	if t.named == nil {
		t.named = map[string]bool{}
	}
	t.named[table] = true
	return nil
}

// sameNames checks that the bucket of a table, if it has one, has the archives
// among its records, each as it should be there.
func sameNames(tx *index.Tx, table string) error {
	complete, err := hasNames(tx, table)
	if err != nil || !complete {
		return err
	}
	found := 0
	for r, err := range tx.Scan(recPrefix+table, archivePrefix, "") {
		if err != nil {
			return err
		}
		s, err := decodeStored(table, r.Key, r.Value)
		if err != nil {
			return err
		}
		want, err := nameOf(tx, table, strings.TrimPrefix(r.Key, archivePrefix), s.value)
		if err != nil {
			return err
		}
		got, err := tx.Get(namesPrefix+table, want.name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && string(got) != string(want.encode()) {
			return fmt.Errorf("record %q of table %q and the list of names differ: %w", r.Key, table, ErrCorrupt)
		}
		if err != nil {
			return err
		}
		found++
	}
	for _, err := range tx.Scan(namesPrefix+table, "", "") {
		if err != nil {
			return err
		}
		found--
	}
	if found != 0 {
		return fmt.Errorf("the list of names of table %q has others: %w", table, ErrCorrupt)
	}
	return nil
}
