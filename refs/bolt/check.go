package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// Check reads the whole journal and compares it with the index: both must say
// the same, or one of them is damaged. What it finds wrong is index.ErrCorrupt. It
// holds sequence numbers and keys of all records in memory.
func (b *Manager) Check(ctx context.Context) error {
	return b.View(ctx, func(tx *index.Tx) error {
		m, err := loadMark(tx)
		if err != nil || m.Generation == 0 {
			return err
		}
		f, err := index.OpenRead(journalPath(b.dir, m.Generation))
		if err != nil {
			return fmt.Errorf("checking the journal: %w", err)
		}
		defer f.Close()
		j, err := readJournal(f, m.Offset, f.Name())
		if err != nil {
			return err
		}
		end, _, err := j.scan(j.start(), m.Offset)
		if err != nil {
			return err
		}
		if end.sum != m.position().sum {
			return j.corrupt(end.offset, "journal and index differ")
		}
		return j.compare(ctx, tx, end)
	})
}

// compare checks that replaying the journal gives what the index has.
func (j *journalReader) compare(ctx context.Context, tx *index.Tx, end position) error {
	state := map[string]map[string]uint64{refs.DefaultTable: {}}
	kept := keptSums{}
	err := j.replay(j.start(), end, func(o op) error {
		if kept.apply(o) {
			return ctx.Err()
		}
		if state[o.table] == nil {
			state[o.table] = map[string]uint64{}
		}
		switch o.kind {
		case opPut:
			state[o.table][o.key] = o.seq
		case opDelete:
			delete(state[o.table], o.key)
		case opDeleteTable:
			delete(state, o.table)
		}
		return ctx.Err()
	}, func(uint64) error { return nil })
	if err != nil {
		return err
	}
	for table, records := range state {
		if err := sameRecords(tx, table, records); err != nil {
			return fmt.Errorf("journal %s: %w", j.path, err)
		}
		if err := errors.Join(sameNames(tx, table), sameTerms(tx, table)); err != nil {
			return err
		}
	}
	if err := kept.same(tx); err != nil {
		return fmt.Errorf("journal %s: %w", j.path, err)
	}
	return nil
}

// sameRecords checks that a table in the index has these records, by sequence
// number, and that its change log has each of them.
func sameRecords(tx *index.Tx, table string, want map[string]uint64) error {
	differ := func(key string) error {
		return fmt.Errorf("record %q of table %q differs between journal and index: %w", key, table, index.ErrCorrupt)
	}
	found := 0
	for r, err := range tx.Scan(recPrefix+table, "", "") {
		if err != nil {
			return err
		}
		s, err := decodeStored(table, r.Key, r.Value)
		if err != nil {
			return err
		}
		if seq, ok := want[r.Key]; !ok || seq != s.seq {
			return differ(r.Key)
		}
		change, err := tx.Get(logPrefix+table, seqKey(s.seq))
		if errors.Is(err, fs.ErrNotExist) || err == nil && string(change) != string([]byte{opPut})+r.Key {
			return differ(r.Key)
		}
		if err != nil {
			return err
		}
		found++
	}
	if found != len(want) {
		return fmt.Errorf("table %q has %d records in the index and %d in the journal: %w", table, found, len(want), index.ErrCorrupt)
	}
	return nil
}
