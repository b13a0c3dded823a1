package bolt

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// Graves: each record of an archive or a version that is deleted, or dropped with
// its table, or a version whose number gets another tree, is put into a kept
// bucket in the same transaction, whoever does it. There it lies until
// ForgetGraves. A record that the same transaction has made needs no grave.
//
// A key is a sequence number in hexadecimal, so byte order is the order of the
// deletions. A value is a byte 1, then a byte
// that says whether the record is of a version whose archive was gone already, the
// time in nanoseconds since 1970 (varint), table and key (uvarint length, bytes),
// the sequence number (uvarint), and the record's value.
const (
	gravesBucket = "graves"
	graveForm    = 1
)

// Grave is a deleted record that is kept until ForgetGraves.
type Grave struct {
	Key    string      // names the grave
	Table  string      // of the record
	Time   time.Time   // of the deletion
	Record refs.Record // key and value as they were

	late bool // a version's, whose archive was gone already
}

// Version decodes the record of a version; false means that it is an archive's.
func (g Grave) Version() (refs.VersionRecord, bool, error) {
	if kind, _ := refs.ParseKey(g.Record.Key); kind != refs.KindVersion {
		return refs.VersionRecord{}, false, nil
	}
	v, err := refs.DecodeVersion(g.Record)
	return v, true, err
}

// Graves lists the deleted records of all tables, oldest first.
func (b *Manager) Graves(ctx context.Context) iter.Seq2[Grave, error] {
	return pages(func(_ []Grave, after Grave) (list []Grave, more bool, err error) {
		err = b.View(ctx, func(tx *index.Tx) error {
			list, more, err = gravePage(tx, after.Key)
			return err
		})
		return list, more, err
	})
}

func gravePage(tx *index.Tx, after string) (list []Grave, more bool, err error) {
	size := 0
	for r, err := range tx.Scan(KeptBucket(gravesBucket), "", after) {
		if err != nil {
			return nil, false, err
		}
		if len(list) == pageSize || size >= pageBytes {
			return list, true, nil
		}
		g, err := decodeGrave(r.Key, r.Value)
		if err != nil {
			return nil, false, err
		}
		size += len(r.Value)
		list = append(list, g)
	}
	return list, false, nil
}

// ForgetGraves forgets deleted records for good. A key that is not there is no
// error.
func (b *Manager) ForgetGraves(ctx context.Context, keys []string) error {
	return b.update(ctx, func(t *transaction) error { return t.forgetGraves(keys) })
}

func (t *transaction) forgetGraves(keys []string) error {
	for _, key := range keys {
		if err := t.keep(op{kind: opForget, table: gravesBucket, key: key}); err != nil {
			return err
		}
	}
	return nil
}

// buryBefore keeps the record old where o takes it away.
func (t *transaction) buryBefore(o op, old stored, there bool) error {
	kind, archive := refs.ParseKey(o.key)
	if !there || kind != refs.KindArchive && kind != refs.KindVersion {
		return nil
	}
	id := o.table + "\x00" + o.key
	if old.seq > t.began && !t.edited[id] {
		return nil // this transaction made it
	}
	if o.kind == opPut {
		if t.edited == nil {
			t.edited = map[string]bool{}
		}
		t.edited[id] = true
		if kind != refs.KindVersion || treeText(old.value) == treeText(o.value) {
			return nil
		}
	}
	return t.bury(o.table, o.key, archive, old)
}

// buryTable keeps the records of a table that is about to be dropped, in the order
// in which Delete takes them.
func (t *transaction) buryTable(table string) error {
	for _, prefix := range []string{refs.VersionPrefix, refs.ArchivePrefix} {
		for r, err := range t.tx.Scan(recPrefix+table, prefix, "") {
			if err != nil {
				return err
			}
			s, err := decodeStored(table, r.Key, r.Value)
			if err == nil {
				err = t.buryBefore(op{kind: opDelete, table: table, key: r.Key}, s, true)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *transaction) bury(table, key, archive string, old stored) error {
	if t.time.IsZero() {
		t.time = t.b.now()
	}
	late := false
	if kind, _ := refs.ParseKey(key); kind == refs.KindVersion {
		_, err := t.tx.Get(recPrefix+table, refs.ArchiveKey(archive))
		if late = errors.Is(err, fs.ErrNotExist); err != nil && !late {
			return err
		}
	}
	g := Grave{Table: table, Time: t.time, Record: refs.Record{Key: key, Value: old.value}, late: late}
	t.mark.Seq++
	g.Key = fmt.Sprintf("%016x", t.mark.Seq)
	return t.keep(op{kind: opKeep, table: gravesBucket, key: g.Key, value: g.encode(old.seq)})
}

func (g Grave) encode(seq uint64) []byte {
	b := make([]byte, 0, len(g.Record.Value)+len(g.Record.Key)+len(g.Table)+32)
	b = append(b, graveForm, 0)
	if g.late {
		b[1] = 1
	}
	b = binary.AppendVarint(b, g.Time.UnixNano())
	b = appendBytes(appendBytes(b, g.Table), g.Record.Key)
	return append(binary.AppendUvarint(b, seq), g.Record.Value...)
}

func decodeGrave(key string, value []byte) (Grave, error) {
	if len(value) > 0 && value[0] > graveForm {
		return Grave{}, fmt.Errorf("deleted record %q has format %d, this program knows %d: use a newer one", key, value[0], graveForm)
	}
	if len(value) < 2 || value[0] != graveForm || value[1] > 1 {
		return Grave{}, fmt.Errorf("deleted record %q in the index: %w", key, index.ErrCorrupt)
	}
	g := Grave{Key: key, late: value[1] == 1}
	at, n := binary.Varint(value[2:])
	p := payloadReader{rest: bytes.Clone(value[2+max(n, 0):])}
	if n <= 0 {
		p.fail("time")
	}
	g.Time = time.Unix(0, at).UTC()
	g.Table, g.Record.Key = string(p.bytes()), string(p.bytes())
	g.Record.Rev = refs.RevOf(p.uvarint())
	if g.Record.Value = p.rest; p.err != nil {
		return Grave{}, fmt.Errorf("deleted record %q in the index: %w", key, p.err)
	}
	return g, nil
}

// treeText gives the tree of a version's record, as text. It stands before the
// updates in what this package writes, and nothing else does: there, each
// quotation mark within a text has a backslash before it.
func treeText(value []byte) string {
	const before, length = `"tree":"`, 2 * len(index.ID{})
	if end := bytes.Index(value, []byte(`","updates":[`)); end >= len(before)+length {
		if start := end - length; string(value[start-len(before):start]) == before {
			return string(value[start:end])
		}
	}
	var record struct{ Tree string }
	if json.Unmarshal(value, &record) != nil {
		return string(value)
	}
	return record.Tree
}
