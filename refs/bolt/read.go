package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// pageSize is how many records are read at a time, so that nothing is locked
// while a caller looks at them.
const pageSize = 1000

// pageBytes is how many bytes of values are read at a time, about.
const pageBytes = 4 << 20

// stored is a record as the index has it: sequence number, then value.
type stored struct {
	seq   uint64
	value []byte
}

func decodeStored(table, key string, b []byte) (stored, error) {
	if len(b) < 8 {
		return stored{}, fmt.Errorf("record %q of table %q in the index: %w", key, table, index.ErrCorrupt)
	}
	return stored{binary.LittleEndian.Uint64(b), b[8:]}, nil
}

func getStored(tx *index.Tx, table, key string) (stored, error) {
	b, err := tx.Get(recPrefix+table, key)
	if err != nil {
		return stored{}, err
	}
	return decodeStored(table, key, b)
}

// get reads a record on the terms of Manager.Get.
func get(tx *index.Tx, table, key string) (refs.Record, error) {
	if key == "" || len(key) > refs.MaxKey {
		return refs.Record{}, refs.NoRecord(key)
	}
	s, err := getStored(tx, table, key)
	if errors.Is(err, fs.ErrNotExist) {
		return refs.Record{}, refs.NoRecord(key)
	}
	if err != nil {
		return refs.Record{}, err
	}
	return refs.LiveRecord(key, s.value, s.seq), nil
}

// page reads the records of one page of List: those with prefix whose keys are
// greater than after.
func page(tx *index.Tx, table, prefix, after string) (list []refs.Record, more bool, err error) {
	size := 0
	for r, err := range tx.Scan(recPrefix+table, prefix, after) {
		if err != nil {
			return nil, false, err
		}
		if len(list) == pageSize || size >= pageBytes {
			return list, true, nil
		}
		s, err := decodeStored(table, r.Key, r.Value)
		if err != nil {
			return nil, false, err
		}
		size += len(s.value)
		list = append(list, refs.LiveRecord(r.Key, s.value, s.seq))
	}
	return list, false, nil
}

// changePage reads one page of Changes: those with a sequence number above after.
func changePage(tx *index.Tx, table string, after uint64) (list []refs.Record, more bool, err error) {
	start, err := changeStart(tx, table, after)
	if err != nil {
		return nil, false, err
	}
	size := 0
	for r, err := range tx.Scan(logPrefix+table, "", start) {
		if err != nil {
			return nil, false, err
		}
		if len(list) == pageSize || size >= pageBytes {
			return list, true, nil
		}
		c, err := changed(tx, table, r)
		if err != nil {
			return nil, false, err
		}
		size += len(c.Value)
		list = append(list, c)
	}
	return list, false, nil
}

// changeStart gives the key behind which the changes after a number stand. The
// last change of a record is never forgotten, so a number above all others is
// from a state that was lost, and all is given again.
func changeStart(tx *index.Tx, table string, after uint64) (string, error) {
	last, err := tx.Last(logPrefix+table, "")
	if errors.Is(err, fs.ErrNotExist) || after == 0 {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if start := seqKey(after); start <= last.Key {
		return start, nil
	}
	return "", nil
}

// changed gives the record that an entry of the change log is about.
func changed(tx *index.Tx, table string, entry index.Record) (refs.Record, error) {
	broken := fmt.Errorf("changes of table %q in the index: %w", table, index.ErrCorrupt)
	if len(entry.Key) != 8 || len(entry.Value) < 1 {
		return refs.Record{}, broken
	}
	seq, key := binary.BigEndian.Uint64([]byte(entry.Key)), string(entry.Value[1:])
	if entry.Value[0] == opDelete {
		return refs.DeadRecord(key, seq), nil
	}
	s, err := getStored(tx, table, key)
	if errors.Is(err, fs.ErrNotExist) || err == nil && s.seq != seq {
		return refs.Record{}, broken
	}
	if err != nil {
		return refs.Record{}, err
	}
	return refs.LiveRecord(key, s.value, s.seq), nil
}

// pages turns a function that reads one page of a list, what comes behind after,
// into a sequence. It may put the page into the memory of the one before. Nothing
// is open while the caller has what was read.
func pages[T any](read func(room []T, after T) (list []T, more bool, err error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none, after T
		var list []T
		for more := true; more; {
			var err error
			if list, more, err = read(list[:0], after); err != nil {
				yield(none, err)
				return
			}
			for _, after = range list {
				if !yield(after, nil) {
					return
				}
			}
		}
	}
}

// changePages is pages for Changes.
func changePages(since refs.Cursor, read func(after uint64) (list []refs.Record, more bool, err error)) iter.Seq2[refs.Record, error] {
	return func(yield func(refs.Record, error) bool) {
		after, err := refs.ParseCursor(since)
		for more := true; more && err == nil; {
			var list []refs.Record
			if list, more, err = read(after); err != nil {
				break
			}
			for _, r := range list {
				if !yield(r, nil) {
					return
				}
				after, _ = refs.ParseCursor(r.Cursor)
			}
		}
		if err != nil {
			yield(refs.Record{}, err)
		}
	}
}
