package bolt

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// namesPage is how many names are read at a time: some 2 MB.
const namesPage = 10_000

// ArchiveNames implements refs.Namer.
func (b *Manager) ArchiveNames(ctx context.Context, prefix string, skip refs.SkipNames) (iter.Seq2[refs.NamedArchive, error], bool) {
	complete := false
	err := b.viewTable(ctx, func(tx *index.Tx) (err error) {
		complete, err = hasNames(tx, b.table)
		return err
	})
	if err != nil || !complete {
		return nil, false // List says why, or does without
	}
	return pages(func(room []refs.NamedArchive, after refs.NamedArchive) (list []refs.NamedArchive, more bool, err error) {
		err = b.viewTable(ctx, func(tx *index.Tx) error {
			list, more, err = namesAfter(room, tx, b.table, prefix, after.Name, skip)
			return err
		})
		return list, more, err
	}), true
}

// namesAfter appends the next names to an empty page.
func namesAfter(page []refs.NamedArchive, tx *index.Tx, table, prefix, after string, skip refs.SkipNames) (_ []refs.NamedArchive, more bool, err error) {
	for again := true; again; {
		again = false
		for r, err := range tx.Scan(namesPrefix+table, prefix, after) {
			if err != nil {
				return nil, false, err
			}
			if len(page) == namesPage {
				return page, true, nil
			}
			a, err := decodeNamed(r.Key, r.Value)
			if err != nil {
				return nil, false, err
			}
			page = append(page, a)
			if skip == nil {
				continue
			}
			if after = skip(a); after != "" {
				again = true
				break
			}
		}
	}
	return page, false, nil
}

// TaggedNames implements refs.Namer.
func (b *Manager) TaggedNames(ctx context.Context, prefix string, tags []string) (list iter.Seq2[string, error], ok bool) {
	var terms []term
	for _, tag := range tags {
		if strings.Contains(tag, "\n") {
			return nil, false // in the list of names it is two
		}
		terms = append(terms, tagTerm(tag))
	}
	err := b.viewTable(ctx, func(tx *index.Tx) (err error) {
		ok, err = allTermsOf(tx, b.table)
		return err
	})
	if err != nil || !ok {
		return nil, false
	}
	return pages(func(_ []string, after string) (list []string, more bool, err error) {
		err = b.viewTable(ctx, func(tx *index.Tx) error {
			list, more, err = withTerms(tx, b.table, prefix, after, terms, namesPage)
			return err
		})
		return list, more, err
	}), true
}

func allTermsOf(tx *index.Tx, table string) (bool, error) {
	kept, upTo, err := termsFor(tx, table)
	return kept && upTo == allTerms, err
}

// SimilarNames implements refs.Namer.
func (b *Manager) SimilarNames(ctx context.Context, form string) (names []string, ok bool, err error) {
	err = b.viewTable(ctx, func(tx *index.Tx) (err error) {
		if ok, err = allTermsOf(tx, b.table); err != nil || !ok {
			return err
		}
		if names, _, err = withTerms(tx, b.table, "", "", []term{similarTerm(form)}, namesPage); err != nil {
			return err
		}
		_, err = tx.Get(namesPrefix+b.table, form)
		if err == nil {
			names = append(names, form)
		}
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return err
	})
	return names, ok, err
}

// withTerms lists the names behind after that have a prefix and all of some
// terms. It goes through the lists of the terms side by side.
func withTerms(tx *index.Tx, table, prefix, after string, terms []term, most int) (names []string, more bool, err error) {
	lists := make([]*termList, len(terms))
	for i, x := range terms {
		lists[i] = &termList{tx: tx, bucket: termsPrefix + table, head: string(x[:]), prefix: prefix}
		defer lists[i].stop()
	}
	name, same := after+"\x00", 0 // the smallest behind it, and how many lists in a row are at it
	for i := 0; ; i = (i + 1) % len(lists) {
		l := lists[i]
		if !l.seek(name) {
			return names, false, l.err
		}
		if l.name != name {
			name, same = l.name, 0
		}
		if same++; same < len(lists) {
			continue
		}
		names = append(names, name)
		if len(names) == most {
			return names, true, nil
		}
		name, same = name+"\x00", 0
	}
}

// termList goes through the names that have a term and a prefix.
type termList struct {
	tx                   *index.Tx
	bucket, head, prefix string

	pull func() (index.Record, error, bool)
	end  func()
	name string // that it is at
	err  error
}

// nearby is how many names are looked at one by one before a tree is searched.
const nearby = 8

// seek goes on to the first name that is not less than name; false: there is none,
// or an error.
func (l *termList) seek(name string) bool {
	for range nearby {
		if l.pull == nil || l.name >= name {
			break
		}
		if !l.next() {
			return false
		}
	}
	if l.pull != nil && l.name >= name {
		return true
	}
	l.stop()
	l.pull, l.end = iter.Pull2(l.tx.Scan(l.bucket, l.head+l.prefix, l.head+before(name)))
	return l.next()
}

// before is a text behind all names that are less than one, and less than it.
func before(name string) string {
	last := len(name) - 1
	if name[last] == 0 {
		return name[:last]
	}
	return name[:last] + string([]byte{name[last] - 1, 0xFF}) // names are UTF-8, in which no byte is 0xFF
}

func (l *termList) next() bool {
	r, err, ok := l.pull()
	if l.err = err; !ok || err != nil {
		return false
	}
	l.name = r.Key[sumSize:]
	return true
}

func (l *termList) stop() {
	if l.end != nil {
		l.end()
	}
}
