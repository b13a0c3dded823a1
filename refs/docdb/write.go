package docdb

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/datafs/datafs/refs"
)

const (
	parallel = 8  // documents of one batch that are written at a time
	maxTries = 10 // of what others get in between
)

// An outcome is what became of a change.
type outcome struct {
	rev refs.Rev
	err error
}

// write makes changes, in order where it matters: a batch has no key twice.
func (m *Manager) write(ctx context.Context, changes []refs.Change) ([]outcome, error) {
	out := make([]outcome, len(changes))
	for start := 0; start < len(changes); {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		end := start + batch(changes[start:])
		if err := m.writeBatch(ctx, changes[start:end], out[start:end]); err != nil {
			return nil, err
		}
		start = end
	}
	return out, nil
}

// batch says how many changes go into one entry.
func batch(changes []refs.Change) int {
	seen, size := map[string]bool{}, 0
	for i, c := range changes {
		if size += len(c.Key); i > 0 && (i == MaxChanges || size > MaxKeys || seen[c.Key]) {
			return i
		}
		seen[c.Key] = true
	}
	return len(changes)
}

func (m *Manager) writeBatch(ctx context.Context, changes []refs.Change, out []outcome) error {
	var todo []int
	for i, c := range changes {
		if out[i].err = check(c); out[i].err == nil {
			todo = append(todo, i)
		}
	}
	for range maxTries {
		if len(todo) == 0 {
			return nil
		}
		var err error
		if todo, err = m.attempt(ctx, changes, todo, out); err != nil {
			return err
		}
	}
	for _, i := range todo {
		out[i].err = fmt.Errorf("record %q: %w", changes[i].Key, refs.ErrConflict)
	}
	return nil
}

func check(c refs.Change) error {
	switch {
	case c.Value != nil:
		return refs.CheckKeyValue(c.Key, c.Value)
	case checkKey(c.Key) != nil:
		return errNoRecord(c.Key)
	}
	return nil
}

// attempt makes the changes todo as one entry, and gives the ones that have to be
// looked at anew because somebody got in between.
func (m *Manager) attempt(ctx context.Context, changes []refs.Change, todo []int, out []outcome) ([]int, error) {
	keys := make([]string, len(todo))
	for i, slot := range todo {
		keys[i] = changes[slot].Key
	}
	docs, err := m.getAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	var steps []step
	for _, slot := range todo {
		d, ok := docs[changes[slot].Key]
		s, err := plan(changes[slot], d, ok && !d.Void)
		if s.slot = slot; err == nil {
			steps = append(steps, s)
		}
		out[slot].err = err
	}
	if len(steps) == 0 {
		return nil, nil
	}
	e, err := m.append(ctx, steps)
	if err != nil {
		return nil, err
	}
	return m.perform(ctx, e, steps, out)
}

// A step is the write of one document.
type step struct {
	slot int // of the change that it is for
	doc  Doc // to be written; its Seq is the fenced bit until the entry is known
	prev int64
	op   op
}

type op int

const (
	opInsert op = iota
	opReplace
	opDelete
)

// plan says how to make a change of a record which is as d says, if it is there.
// A d that is not there may be Void.
func plan(c refs.Change, d Doc, there bool) (step, error) {
	s := step{prev: d.Seq, op: opReplace}
	switch {
	case !there && c.Value == nil:
		return s, errNoRecord(c.Key)
	case !there && c.Prev != refs.Absent:
		return s, fmt.Errorf("record %q is gone: %w", c.Key, refs.ErrConflict)
	case there && c.Value != nil && c.Prev == refs.Absent:
		return s, fmt.Errorf("record %q exists already: %w", c.Key, refs.ErrConflict)
	case there && c.Prev != revOf(d.Seq):
		return s, fmt.Errorf("record %q: %w", c.Key, refs.ErrConflict)
	}
	switch s.doc = newDoc(c.Key, c.Value); {
	case c.Value == nil:
		s.op, s.doc = opDelete, Doc{Key: c.Key, Void: true}
	case !there && !d.Void:
		s.op = opInsert
	}
	s.doc.Seq = d.Seq & fenced
	return s, nil
}

// change says what the step does, for the log.
func (s step) change() EntryChange { return EntryChange{s.doc.Key, s.op == opDelete} }

// perform makes the steps of an entry that was appended, and finishes it. It
// gives the slots that have to be looked at anew.
func (m *Manager) perform(ctx context.Context, e Entry, steps []step, out []outcome) ([]int, error) {
	errs := m.apply(ctx, steps)
	docs, open, err := m.verify(ctx, e, errs)
	if err != nil {
		return nil, err
	}
	var again, failed []int
	for i, s := range steps {
		d, there := docs[s.doc.Key]
		done := took(e, i, d, there)
		switch err := errs[i]; {
		case err == nil, (!refused(err) || contended(err)) && done:
			out[s.slot] = outcome{rev: revOf(s.doc.Seq)}
			if there && done { // a reader may have fenced it
				out[s.slot].rev = revOf(d.Seq)
			}
			continue
		case contended(err):
			again = append(again, s.slot)
		default:
			out[s.slot].err = err
		}
		failed = append(failed, i)
	}
	if !open {
		return again, nil
	}
	return again, m.finish(ctx, e.N, e.Writer, failed)
}

// verify gives the documents of an entry as far as it is not plain from errs what
// has become of them, and says whether the entry is still open. When nobody can
// know what is still on its way, it settles the entry, as a reader would.
func (m *Manager) verify(ctx context.Context, e Entry, errs []error) (docs map[string]Doc, open bool, err error) {
	var keys []string
	for i, err := range errs {
		switch {
		case err == nil:
		case !refused(err):
			docs, err = m.settle(ctx, e)
			return docs, false, err
		case contended(err):
			keys = append(keys, e.Changes[i].Key)
		}
	}
	docs, err = m.getAll(ctx, keys)
	return docs, true, err
}

// took says whether change i of an entry took place, given what is there now and
// that nothing is on its way any more. A record that is gone was deleted, by
// whomever.
func took(e Entry, i int, d Doc, there bool) bool {
	if there = there && !d.Void; e.Changes[i].Delete {
		return !there
	}
	return there && d.number() == e.N
}

// apply makes the steps, several at a time; the errors come by slot.
func (m *Manager) apply(ctx context.Context, steps []step) []error {
	errs := make([]error, len(steps))
	var g errgroup.Group
	g.SetLimit(parallel)
	var inserts []int
	for i, s := range steps {
		if s.op == opInsert {
			inserts = append(inserts, i)
			continue
		}
		g.Go(func() error {
			errs[i] = m.applyOne(ctx, s)
			return nil
		})
	}
	if len(inserts) > 0 {
		m.insert(ctx, steps, inserts, errs)
	}
	_ = g.Wait() // the errors are in their slots
	return errs
}

func (m *Manager) insert(ctx context.Context, steps []step, inserts []int, errs []error) {
	docs := make([]Doc, len(inserts))
	for i, slot := range inserts {
		docs[i] = steps[slot].doc
	}
	each, err := m.store.Insert(ctx, docs)
	for i, slot := range inserts {
		if errs[slot] = err; err == nil {
			errs[slot] = each[i]
		}
	}
}

// noSeq is what no document has.
const noSeq = -1

func (m *Manager) applyOne(ctx context.Context, s step) error {
	switch {
	case s.op == opReplace:
		return m.store.Replace(ctx, s.doc, s.prev)
	case s.prev&fenced == 0:
		return m.store.Delete(ctx, s.doc.Key, s.prev)
	}
	// The key keeps a Void document, but who may not delete must not do so
	// this way either.
	if err := m.store.Delete(ctx, s.doc.Key, noSeq); !contended(err) {
		return err
	}
	return m.store.Replace(ctx, s.doc, s.prev)
}
