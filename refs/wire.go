package refs

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"strings"

	"github.com/datafs/datafs/index"
)

// ArchiveKey is the key of an archive's record.
func ArchiveKey(name string) string { return archiveKey(name) }

// VersionsPrefix begins the keys of the records of an archive's versions.
func VersionsPrefix(name string) string { return versionsPrefix(name) }

// Key is the key of the version's record.
func (v VersionRecord) Key() string { return v.key() }

// Compare orders the versions of one archive as they were written.
func (v VersionRecord) Compare(w VersionRecord) int {
	return place{v.Version, uint64(v.Number)}.compare(place{w.Version, uint64(w.Number)})
}

// SpecPrefix begins the keys of what an administrator requires.
const SpecPrefix = specPrefix

// Kind says what a record is about.
type Kind string

// The kinds of records. KindOther is one that this program does not know.
const (
	KindArchive Kind = "archive"
	KindVersion Kind = "version"
	KindSpec    Kind = "spec"
	KindOther   Kind = ""
)

// ParseKey says what kind of record a key belongs to, and to which archive.
func ParseKey(key string) (kind Kind, archive string) {
	if name, ok := strings.CutPrefix(key, archivePrefix); ok {
		return KindArchive, name
	}
	if rest, ok := strings.CutPrefix(key, versionPrefix); ok {
		name, _, _ := strings.Cut(rest, `\`)
		return KindVersion, name
	}
	if strings.HasPrefix(key, specPrefix) {
		return KindSpec, ""
	}
	return KindOther, ""
}

// ParseVersionKey reads the version, or the number of an unversioned archive,
// that a version's key ends with. The error wraps ErrCorrupt.
func ParseVersionKey(key string) (v Version, number int, err error) {
	p, err := parsePlace(key)
	return p.version, int(p.number), err
}

// EncodeArchive gives the value of an archive's record.
func EncodeArchive(a Archive) ([]byte, error) { return encodeArchive(a, false) }

// DecodeArchive reads an archive's record; deleting says that the archive is on
// its way out and counts as gone. Errors wrap ErrCorrupt, except for what a newer
// program has written.
func DecodeArchive(r Record) (a Archive, deleting bool, err error) { return decodeArchive(r) }

// EncodeVersion gives the value of a version's record.
func EncodeVersion(v VersionRecord) ([]byte, error) { return encodeVersion(v) }

// DecodeVersion reads a version's record. Errors are those of DecodeArchive.
func DecodeVersion(r Record) (VersionRecord, error) { return decodeVersion(r) }

// Together changes b, another table of the same index and journal, kept buckets
// and the index itself as one: fn's changes become visible all at once when it
// returns nil, and none does when it returns an error. What it is given is for fn
// only, which must use neither managers nor index otherwise. A table that is not
// there is an empty one for Other, and is made when something is put into it.
//
// What is written to Index is not in the journal: all else may come to pass
// without it when the machine fails in between. Then the buckets of DerivedBucket
// are empty.
func (b *Bolt) Together(ctx context.Context, other *Bolt, fn func(*Joint) error) error {
	return b.update(ctx, func(t *boltTx) error {
		t.caughtUp = true // the index is committed even if the journal gets nothing
		return fn(&Joint{Index: t.tx, Own: boltView{t, b.table}, Other: lazyView{boltView{t, other.table}}, t: t})
	})
}

// Joint is what Together gives to its function.
type Joint struct {
	Index      *index.Tx
	Own, Other Manager
	t          *boltTx
}

// Keep sets a key of a kept bucket. It is read from Index by KeptBucket's name.
func (j *Joint) Keep(bucket, key string, value []byte) error {
	return j.t.keep(op{kind: opKeep, table: bucket, key: key, value: value})
}

// Forget removes a key of a kept bucket; that it is not there is no error.
func (j *Joint) Forget(bucket, key string) error {
	return j.t.keep(op{kind: opForget, table: bucket, key: key})
}

// lazyView is a boltView of a table that need not exist.
type lazyView struct{ boltView }

func (v lazyView) missing() bool {
	return errors.Is(checkTable(v.t.tx, v.table), fs.ErrNotExist)
}

func (v lazyView) Put(ctx context.Context, key string, value []byte, prev Rev) (Rev, error) {
	if v.missing() {
		if err := v.t.do(op{kind: opCreateTable, table: v.table}); err != nil {
			return Absent, err
		}
	}
	return v.boltView.Put(ctx, key, value, prev)
}

func (v lazyView) List(ctx context.Context, prefix string) iter.Seq2[Record, error] {
	if v.missing() {
		return func(func(Record, error) bool) {}
	}
	return v.boltView.List(ctx, prefix)
}

func (v lazyView) Changes(ctx context.Context, since Cursor) iter.Seq2[Record, error] {
	if v.missing() {
		return func(func(Record, error) bool) {}
	}
	return v.boltView.Changes(ctx, since)
}
