package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// transaction is a transaction on the index and the journal. It is used under the
// index's exclusive lock, which guards the journal too.
type transaction struct {
	b    *Manager
	tx   *index.Tx
	mark mark // as it will be

	loaded mark   // as the index had it
	from   mark   // as it was when fn began: the index is in step, nothing is written
	began  uint64 // last sequence number then

	w         *journalWriter // nil until something is written
	failed    error          // a change was made by half, so nothing may be committed
	caughtUp  bool           // the index was behind
	durable   bool           // the transaction is in the journal for good
	compacted bool
	anew      bool              // a journal may be made where one was lost
	others    []string          // journals of lower generations
	rewrite   bool              // the journal may lack what the index keeps
	edited    map[string]bool   // table and key, with a zero between them, of records that were there before and were put
	time      time.Time         // of the transaction, once it is asked for
	named     map[string]bool   // tables whose names are complete
	upTo      map[string]string // by table: up to which name the terms are complete
}

// begin brings the index in step with the journal; with rebuild, from nothing.
func (t *transaction) begin(rebuild bool) error {
	var err error
	if t.mark, err = loadMark(t.tx); err != nil {
		return err
	}
	if err := errors.Join(t.freshTerms(), t.freshKept()); err != nil {
		return err
	}
	generation, size, others, err := newestJournal(t.b.dir)
	if err != nil {
		return err
	}
	if err := t.mark.check(t.b.dir, generation, size); err != nil {
		return err
	}
	t.others, t.loaded = others, t.mark
	if t.mark.Generation == generation && !rebuild {
		removeAll(others)
	}
	if generation != 0 && (rebuild || t.mark.Generation != generation || t.mark.Offset != size) {
		if err := t.catchUp(journalPath(t.b.dir, generation), rebuild); err != nil {
			return err
		}
	}
	t.from, t.began = t.mark, t.mark.Seq
	return nil
}

// catchUp applies what the index lacks of the journal and cuts off a torn tail.
func (t *transaction) catchUp(path string, rebuild bool) error {
	f, err := index.OpenRead(path)
	if err != nil {
		return fmt.Errorf("opening journal: %w", err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("opening journal: %w", err)
	}
	j, err := readJournal(f, fi.Size(), path)
	if err != nil {
		return err
	}
	known := t.mark.Offset
	if t.mark.Generation != j.head.generation {
		known = unknown
		if err := settleJournal(t.b.dir); err != nil {
			return err
		}
	}
	if rebuild || known == unknown {
		if err := t.reset(j); err != nil {
			return err
		}
	}
	return t.read(j, known)
}

// read applies the journal from where the index is. All before the offset known
// is acknowledged.
func (t *transaction) read(j *journalReader, known int64) error {
	from := t.mark.position()
	end, torn, err := j.scan(from, known)
	if err != nil {
		return err
	}
	if err := j.replay(from, end, t.apply, t.setSeq); err != nil {
		return err
	}
	if torn {
		if err := cutJournal(j.path, end.offset); err != nil {
			return err
		}
	}
	if end != from {
		t.caughtUp = true
		if err := errors.Join(t.dropDerived(), t.tx.NoteBehind()); err != nil {
			return err
		}
	}
	return t.setPosition(end)
}

// reset forgets all that the index has of tables, before a journal is read
// from its beginning.
func (t *transaction) reset(j *journalReader) error {
	buckets, err := t.tx.Buckets(metaBucket + "/")
	if err != nil {
		return err
	}
	for _, name := range append(buckets, metaBucket) {
		if err := t.tx.Drop(name); err != nil {
			return err
		}
	}
	start := j.start()
	t.mark = mark{Generation: j.head.generation, Offset: start.offset, Sum: start.sum[:], Terms: termsForm, Kept: keptForm}
	t.caughtUp, t.rewrite = true, false
	return nil
}

func (t *transaction) setSeq(seq uint64) error {
	t.mark.Seq = max(t.mark.Seq, seq)
	return nil
}

func (t *transaction) setPosition(p position) error {
	t.mark.Offset, t.mark.Sum = p.offset, p.sum[:]
	return t.mark.store(t.tx)
}

// apply makes the index say what o says.
func (t *transaction) apply(o op) error {
	switch o.kind {
	case opCreateTable:
		return t.tx.Put(tablesBucket, o.table, []byte{})
	case opDeleteTable:
		return t.dropTable(o.table)
	case opKeep, opForget:
		_, err := t.setKept(o)
		return err
	}
	old, err := getStored(t.tx, o.table, o.key)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.replace(o, old, err == nil)
}

// replace puts o in the place of the record old, if there is one.
func (t *transaction) replace(o op, old stored, there bool) error {
	if there {
		t.mark.Live -= opSize(o.table, o.key, old.seq, len(old.value), opPut)
		if err := t.tx.Delete(logPrefix+o.table, seqKey(old.seq)); err != nil {
			return err
		}
	}
	t.mark.Live += o.size()
	t.mark.Seq = max(t.mark.Seq, o.seq)
	change := append([]byte{o.kind}, o.key...)
	if err := t.tx.Put(logPrefix+o.table, seqKey(o.seq), change); err != nil {
		return err
	}
	var err error
	if o.kind == opDelete {
		err = t.tx.Delete(recPrefix+o.table, o.key)
	} else {
		value := append(binary.LittleEndian.AppendUint64(make([]byte, 0, 8+len(o.value)), o.seq), o.value...)
		err = t.tx.Put(recPrefix+o.table, o.key, value)
	}
	if err != nil {
		return err
	}
	return t.name(o)
}

// write puts o into the journal. The index has it already.
func (t *transaction) write(o op) error {
	if t.w == nil {
		if err := t.openJournal(); err != nil {
			return err
		}
	}
	return t.w.add(o, t.mark.Seq)
}

func (t *transaction) openJournal() error {
	if t.mark.Generation == 0 {
		if t.b.first != nil && !t.anew {
			if err := t.b.first(); err != nil {
				return err
			}
		}
		if err := makeJournalDir(t.b.dir); err != nil {
			return err
		}
		pos, err := createJournal(t.b.dir, 1, nil)
		if err != nil {
			return err
		}
		t.mark.Generation, t.mark.Offset, t.mark.Sum = 1, pos.offset, pos.sum[:]
		t.from = t.mark
	}
	var err error
	t.w, err = openJournal(journalPath(t.b.dir, t.mark.Generation), t.mark.position())
	return err
}

// rollback takes back what was written to the journal, because of cause.
func (t *transaction) rollback(cause error) error {
	if t.w == nil || t.w.pos.offset == t.from.Offset {
		return cause
	}
	err := t.w.file.Truncate(t.from.Offset)
	if err == nil {
		err = t.w.sync()
	}
	if err != nil {
		return fmt.Errorf("%w (and then: cutting journal: %w)", cause, err)
	}
	return cause
}

// commit makes the transaction last in the journal. The index commits when it
// returns nil.
func (t *transaction) commit() error {
	if t.failed != nil {
		return t.rollback(t.failed)
	}
	if t.w == nil {
		if t.caughtUp {
			return nil
		}
		return errNothing
	}
	if err := t.w.end(); err != nil {
		return t.rollback(err)
	}
	if err := t.w.sync(); err != nil {
		return t.rollback(err)
	}
	t.durable = true
	if err := t.setPosition(t.w.pos); err != nil {
		return err
	}
	if t.rewrite || t.mark.Offset > t.b.compactAt && t.mark.Offset > 2*t.mark.Live {
		// Nothing is lost when it fails, for want of space say: the journal
		// stays as it is, and the next change tries again.
		_ = t.compact(t.mark.Generation + 1)
	}
	return nil
}

func (t *transaction) close() {
	if t.w != nil {
		t.w.file.Close() // all that matters was synced
	}
}

// put writes a record on the terms of Manager.Put.
func (t *transaction) put(table, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	if err := refs.CheckKeyValue(key, value); err != nil {
		return refs.Absent, err
	}
	old, there, err := t.current(table, key)
	if err != nil {
		return refs.Absent, err
	}
	if err := refs.CheckPut(key, there, old.seq, prev); err != nil {
		return refs.Absent, err
	}
	o := op{opPut, table, key, t.mark.Seq + 1, value}
	return refs.RevOf(o.seq), t.record(o, old, there)
}

// delete removes a record on the terms of Manager.Delete.
func (t *transaction) delete(table, key string, prev refs.Rev) error {
	old, there, err := t.current(table, key)
	if err != nil {
		return err
	}
	if err := refs.CheckDelete(key, there, old.seq, prev); err != nil {
		return err
	}
	return t.record(op{kind: opDelete, table: table, key: key, seq: t.mark.Seq + 1}, old, there)
}

// record makes a change of a record in the index and the journal.
func (t *transaction) record(o op, old stored, there bool) error {
	err := t.buryBefore(o, old, there)
	if err == nil {
		err = t.replace(o, old, there)
	}
	if err == nil {
		err = t.write(o)
	}
	if err != nil {
		t.failed = err
	}
	return err
}

func (t *transaction) current(table, key string) (old stored, there bool, err error) {
	old, err = getStored(t.tx, table, key)
	if errors.Is(err, fs.ErrNotExist) {
		return old, false, nil
	}
	return old, err == nil, err
}
