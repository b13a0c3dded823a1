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

// The names of archives, each with its tags, have a bucket of their own, so that
// looking through all of them need not read the records, which are some ten
// times as long. It is kept up with every change; a table from before there was
// one gets it with the next change.
const (
	namesPrefix = "refs/names/" // then the table: name -> tags, each with a line feed behind it
	namesFlag   = "names/"      // then the table, in metaBucket: the names are complete

	namesPage = 200_000 // names read at a time: some 20 MB
)

// namedArchive is what the bucket has of an archive.
type namedArchive struct {
	name string
	tags string // each with a line feed before and behind it, so that they can be found
}

// has says whether the archive has all of some tags.
func (a namedArchive) has(tags []string) bool {
	return !slices.ContainsFunc(tags, func(tag string) bool { return !strings.Contains(a.tags, "\n"+tag+"\n") })
}

// namer is a Manager that can list names and tags without the records. ok is
// false when it cannot just now.
type namer interface {
	names(ctx context.Context, prefix string) (list iter.Seq2[namedArchive, error], ok bool)
}

// named lists the names of the archives that have all of some tags, without
// their records, where the manager can.
func (d *DB) named(ctx context.Context, prefix string, tags []string) (iter.Seq2[string, error], bool) {
	n, ok := d.m.(namer)
	if !ok {
		return nil, false
	}
	list, ok := n.names(ctx, prefix)
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

// names implements namer.
func (b *Bolt) names(ctx context.Context, prefix string) (iter.Seq2[namedArchive, error], bool) {
	complete := false
	err := b.view(ctx, func(tx *index.Tx) (err error) {
		complete, err = hasNames(tx, b.table)
		return err
	})
	if err != nil || !complete {
		return nil, false // List says why, or does without
	}
	return func(yield func(namedArchive, error) bool) {
		after := ""
		for more := true; more; {
			var page []namedArchive
			err := b.view(ctx, func(tx *index.Tx) (err error) {
				page, more, err = namesAfter(tx, b.table, prefix, after)
				return err
			})
			if err != nil {
				yield(namedArchive{}, err)
				return
			}
			for _, a := range page {
				if !yield(a, nil) {
					return
				}
				after = a.name
			}
		}
	}, true
}

func hasNames(tx *index.Tx, table string) (bool, error) {
	_, err := tx.Get(metaBucket, namesFlag+table)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func namesAfter(tx *index.Tx, table, prefix, after string) (page []namedArchive, more bool, err error) {
	if err := checkTable(tx, table); err != nil {
		return nil, false, err
	}
	for r, err := range tx.Scan(namesPrefix+table, prefix, after) {
		if err != nil {
			return nil, false, err
		}
		if len(page) == namesPage {
			return page, true, nil
		}
		a := namedArchive{name: r.Key}
		if len(r.Value) > 0 {
			a.tags = "\n" + string(r.Value)
		}
		page = append(page, a)
	}
	return page, false, nil
}

// name keeps the bucket in step with one change.
func (t *boltTx) name(o op) error {
	name, ok := strings.CutPrefix(o.key, archivePrefix)
	if !ok || name == "" {
		return nil
	}
	if err := t.completeNames(o.table); err != nil {
		return err
	}
	if o.kind == opDelete {
		return t.tx.Delete(namesPrefix+o.table, name)
	}
	return t.tx.Put(namesPrefix+o.table, name, tagLines(o.value))
}

// tagLines gives the tags of an archive's record; of what is no such record none.
func tagLines(value []byte) []byte {
	var a struct {
		Tags []string `json:"tags"`
	}
	if json.Unmarshal(value, &a) != nil || len(a.Tags) == 0 {
		return nil
	}
	return []byte(strings.Join(a.Tags, "\n") + "\n")
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
			if err := t.tx.Put(namesPrefix+table, strings.TrimPrefix(r.Key, archivePrefix), tagLines(s.value)); err != nil {
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
// among its records, each with its tags.
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
		tags, err := tx.Get(namesPrefix+table, strings.TrimPrefix(r.Key, archivePrefix))
		if errors.Is(err, fs.ErrNotExist) || err == nil && string(tags) != string(tagLines(s.value)) {
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
