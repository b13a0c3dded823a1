package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// What archives are looked for by, terms, have a bucket of their own as well: the
// archives of a term lie together there, by name. The terms of an archive are its
// tags and, if its name is another in the form that SimilarName compares, that
// form. A key is the hash of the term, as terms may be longer than keys, and then
// the name.
//
// The bucket follows that of the names. In metaBucket stands up to which name,
// inclusive, it has all archives of a table. A table that had none, as an older
// program wrote it, gets them bit by bit: each transaction that changes an archive
// adds some. An older program that changes something later does not know the
// bucket; then the mark of the journal lacks the number of its form, and it is
// made anew.
const (
	termsPrefix = "refs/terms/" // then the table
	termsUpTo   = "terms/"      // then the table, in metaBucket
	termsForm   = 1             // of the bucket, in the mark

	allTerms = "\xff" // which no name reaches
)

// term is what a key of the bucket begins with.
type term [sumSize]byte

func tagTerm(tag string) term      { return makeTerm("tag\n" + tag) }
func similarTerm(form string) term { return makeTerm("similar\n" + form) }

func makeTerm(s string) (t term) {
	sum := blake3.Sum256([]byte(s))
	copy(t[:], sum[:])
	return t
}

// terms are those of an archive, each once.
func termsOf(a refs.NamedArchive) []term {
	var list []term
	for tag := range strings.SplitSeq(strings.Trim(a.Tags, "\n"), "\n") {
		if t := tagTerm(tag); tag != "" && !slices.Contains(list, t) {
			list = append(list, t)
		}
	}
	if form := refs.FoldName(a.Name); form != a.Name {
		list = append(list, similarTerm(form))
	}
	return list
}

// hasTerms says up to which name the bucket has all archives of a table.
func hasTerms(tx *index.Tx, table string) (upTo string, err error) {
	value, err := tx.Get(metaBucket, termsUpTo+table)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(value), err
}

// termsFor is hasTerms for who only reads. They are not kept where an older
// program has changed something since.
func termsFor(tx *index.Tx, table string) (kept bool, upTo string, err error) {
	m, err := loadMark(tx)
	if err != nil || m.Terms != termsForm {
		return false, "", err
	}
	upTo, err = hasTerms(tx, table)
	return true, upTo, err
}

// freshTerms forgets a bucket that an older program has not kept up.
func (t *transaction) freshTerms() error {
	if t.mark.Terms == termsForm {
		return nil
	}
	t.mark.Terms = termsForm
	buckets, err := t.tx.Buckets(termsPrefix)
	if err != nil {
		return err
	}
	for _, name := range buckets {
		if err := t.tx.Drop(name); err != nil {
			return err
		}
		if err := t.tx.Delete(metaBucket, termsUpTo+strings.TrimPrefix(name, termsPrefix)); err != nil {
			return err
		}
	}
	return nil
}

// addTerms adds the next archives to the bucket of a table that lacks some, once
// in a transaction, and gives up to which name the bucket has all.
func (t *transaction) addTerms(table string) (upTo string, err error) {
	if upTo, ok := t.upTo[table]; ok {
		return upTo, nil
	}
	if upTo, err = hasTerms(t.tx, table); err != nil {
		return "", err
	}
	if upTo != allTerms {
		if upTo, err = t.addTermsAfter(table, upTo); err != nil {
			return "", err
		}
		if err := t.tx.Put(metaBucket, termsUpTo+table, []byte(upTo)); err != nil {
			return "", err
		}
	}
	if t.upTo == nil {
		t.upTo = map[string]string{}
	}
	t.upTo[table] = upTo
	return upTo, nil
}

func (t *transaction) addTermsAfter(table, after string) (upTo string, err error) {
	n := 0
	for r, err := range t.tx.Scan(namesPrefix+table, "", after) {
		if err != nil {
			return "", err
		}
		if n++; n > t.b.termsStep {
			return upTo, nil
		}
		a, err := decodeNamed(r.Key, r.Value)
		if err != nil {
			return "", err
		}
		upTo = a.Name
		for _, x := range termsOf(a) {
			if err := t.tx.Put(termsPrefix+table, string(x[:])+a.Name, nil); err != nil {
				return "", err
			}
		}
	}
	return allTerms, nil
}

// changeTerms puts the terms of an archive in the place of those that it had.
// Either is nil where it is not there.
func (t *transaction) changeTerms(table, name string, old, now []term) error {
	upTo, err := t.addTerms(table)
	if err != nil || name > upTo {
		return err
	}
	for _, x := range old {
		if !slices.Contains(now, x) {
			if err := t.tx.Delete(termsPrefix+table, string(x[:])+name); err != nil {
				return err
			}
		}
	}
	for _, x := range now {
		if !slices.Contains(old, x) {
			if err := t.tx.Put(termsPrefix+table, string(x[:])+name, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// sameTerms checks that the bucket of a table has the terms of the archives that
// it should have, and no others.
func sameTerms(tx *index.Tx, table string) error {
	kept, upTo, err := termsFor(tx, table)
	if err != nil || !kept {
		return err
	}
	var want, got sumOfKeys
	for r, err := range tx.Scan(namesPrefix+table, "", "") {
		if err != nil {
			return err
		}
		if r.Key > upTo {
			break
		}
		a, err := decodeNamed(r.Key, r.Value)
		if err != nil {
			return err
		}
		for _, x := range termsOf(a) {
			want.add(string(x[:]) + a.Name)
		}
	}
	for r, err := range tx.Scan(termsPrefix+table, "", "") {
		if err != nil {
			return err
		}
		got.add(r.Key)
	}
	if want != got {
		return fmt.Errorf("the lists of tags of table %q and its archives differ: %w", table, index.ErrCorrupt)
	}
	return nil
}

// sumOfKeys is the same for the same keys, in whatever order they come.
type sumOfKeys struct{ n, sum uint64 }

func (s *sumOfKeys) add(key string) {
	sum := blake3.Sum256([]byte(key))
	s.n, s.sum = s.n+1, s.sum+binary.LittleEndian.Uint64(sum[:])
}
