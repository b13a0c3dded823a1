package bolt

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
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

// encode is what the bucket has behind the name.
func encodeNamed(a refs.NamedArchive) []byte {
	versions := "\n"
	if a.Versions {
		versions = "v\n"
	}
	return []byte(a.Authority + "\n" + versions + strings.TrimPrefix(a.Tags, "\n"))
}

func decodeNamed(name string, value []byte) (refs.NamedArchive, error) {
	authority, rest, ok := strings.Cut(string(value), "\n")
	versions, tags, ok2 := strings.Cut(rest, "\n")
	if !ok || !ok2 {
		return refs.NamedArchive{}, fmt.Errorf("archive %q in the list of names: %w", name, index.ErrCorrupt)
	}
	a := refs.NamedArchive{Name: name, Authority: authority, Versions: versions != ""}
	if tags != "" {
		a.Tags = "\n" + tags
	}
	return a, nil
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
func (t *transaction) name(o op) error {
	kind, name := refs.ParseKey(o.key)
	if name == "" || kind != refs.KindArchive && kind != refs.KindVersion {
		return nil
	}
	if err := t.completeNames(o.table); err != nil {
		return err
	}
	if kind == refs.KindVersion {
		return t.nameVersions(o, name)
	}
	return t.nameArchive(o, name)
}

// nameArchive puts what the bucket is to have of an archive in the place of what
// it has.
func (t *transaction) nameArchive(o op, name string) error {
	var old, now []term
	value, err := t.tx.Get(namesPrefix+o.table, name)
	if err == nil {
		was, err := decodeNamed(name, value)
		if err != nil {
			return err
		}
		old = termsOf(was)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if o.kind == opDelete {
		err = t.tx.Delete(namesPrefix+o.table, name)
	} else {
		var a refs.NamedArchive
		if a, err = nameOf(t.tx, o.table, name, o.value); err != nil {
			return err
		}
		now = termsOf(a)
		err = t.tx.Put(namesPrefix+o.table, name, encodeNamed(a))
	}
	if err != nil {
		return err
	}
	return t.changeTerms(o.table, name, old, now)
}

// nameVersions notes that an archive has got its first version, or lost its last
// one.
func (t *transaction) nameVersions(o op, name string) error {
	value, err := t.tx.Get(namesPrefix+o.table, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // its record comes later, or is gone already
	}
	if err != nil {
		return err
	}
	a, err := decodeNamed(name, value)
	if err != nil || a.Versions && o.kind == opPut {
		return err
	}
	if a.Versions, err = hasVersions(t.tx, o.table, name); err != nil {
		return err
	}
	return t.tx.Put(namesPrefix+o.table, name, encodeNamed(a))
}

// nameOf gives what the bucket should have of an archive with this record; of
// what is no such record only the name.
func nameOf(tx *index.Tx, table, name string, value []byte) (refs.NamedArchive, error) {
	var record struct {
		Authority string   `json:"authority"`
		Tags      []string `json:"tags"`
	}
	a := refs.NamedArchive{Name: name}
	if json.Unmarshal(value, &record) == nil {
		a.Authority = record.Authority
		if len(record.Tags) > 0 {
			a.Tags = "\n" + strings.Join(record.Tags, "\n") + "\n"
		}
	}
	var err error
	a.Versions, err = hasVersions(tx, table, name)
	return a, err
}

func hasVersions(tx *index.Tx, table, name string) (bool, error) {
	for _, err := range tx.Scan(recPrefix+table, refs.VersionsPrefix(name), "") {
		return err == nil, err
	}
	return false, nil
}

// completeNames makes the bucket of a table that has none.
func (t *transaction) completeNames(table string) error {
	if t.named[table] {
		return nil
	}
	complete, err := hasNames(t.tx, table)
	if err != nil {
		return err
	}
	if !complete {
		for r, err := range t.tx.Scan(recPrefix+table, refs.ArchivePrefix, "") {
			if err != nil {
				return err
			}
			s, err := decodeStored(table, r.Key, r.Value)
			if err != nil {
				return err
			}
			a, err := nameOf(t.tx, table, strings.TrimPrefix(r.Key, refs.ArchivePrefix), s.value)
			if err != nil {
				return err
			}
			if err := t.tx.Put(namesPrefix+table, a.Name, encodeNamed(a)); err != nil {
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
	for r, err := range tx.Scan(recPrefix+table, refs.ArchivePrefix, "") {
		if err != nil {
			return err
		}
		s, err := decodeStored(table, r.Key, r.Value)
		if err != nil {
			return err
		}
		want, err := nameOf(tx, table, strings.TrimPrefix(r.Key, refs.ArchivePrefix), s.value)
		if err != nil {
			return err
		}
		got, err := tx.Get(namesPrefix+table, want.Name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && string(got) != string(encodeNamed(want)) {
			return fmt.Errorf("record %q of table %q and the list of names differ: %w", r.Key, table, index.ErrCorrupt)
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
		return fmt.Errorf("the list of names of table %q has others: %w", table, index.ErrCorrupt)
	}
	return nil
}
