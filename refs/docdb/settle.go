package docdb

import (
	"context"
	"errors"
	"fmt"

	"github.com/datafs/datafs/refs"
)

// settle finishes a pending entry e whose writer has stalled, or has lost track
// of its own requests: any of them may still arrive, at any time. It makes the
// ones that have not taken place impossible, and gives the documents of the
// entry as they are then. Several may settle one entry at the same time.
//
// All that e's writer can send is, for each key once: an insert of a document,
// or a replacement or deletion of one whose Seq it saw before it appended e, so
// whose number is less than e's. Therefore:
//
//   - A document of a higher number stands against replacing and deleting for
//     ever, as numbers never come back. Where there is one of a lower number,
//     settle writes it again, as it is, by an entry of its own.
//   - Any document stands against inserting as long as the key has one. Fenced
//     documents are never removed, only made Void, so settle fences each that e
//     may have wanted to insert, and puts a Void one where there is none.
//   - A document with e's own number shows that the change took place. It is
//     fenced as well, since a client may send an insert twice, and its record
//     may be deleted in between.
//
// Settle's own writes are conditional on what it saw. They are those of an
// entry which others may have to settle in turn, if it does not come to its end;
// they change no record, so it does not matter which of them take place.
func (m *Manager) settle(ctx context.Context, e Entry) (map[string]Doc, error) {
	keys := make([]string, len(e.Changes))
	for i, c := range e.Changes {
		keys[i] = c.Key
	}
	for range maxTries {
		docs, err := m.getAll(ctx, keys)
		if err != nil {
			return nil, err
		}
		marks, fences := fence(e, docs)
		if len(marks)+len(fences) == 0 {
			return docs, m.giveUp(ctx, e, docs)
		}
		if err := m.fenceAll(ctx, marks, fences); err != nil {
			return nil, fmt.Errorf("finishing write %d, which its writer has left unfinished: %w", e.N, err)
		}
	}
	return nil, fmt.Errorf("finishing write %d, which its writer has left unfinished: too many others do: %w", e.N, refs.ErrUnavailable)
}

// giveUp marks a settled entry as done.
func (m *Manager) giveUp(ctx context.Context, e Entry, docs map[string]Doc) error {
	id, err := m.newID()
	if err != nil {
		return err
	}
	var failed []int
	for i, c := range e.Changes {
		if d, there := docs[c.Key]; !took(e, i, d, there) {
			failed = append(failed, i)
		}
	}
	return m.finish(ctx, e.N, id, failed)
}

// fence gives the writes that make those of e impossible: marks leave the number
// of the document alone, fences need one of their own.
func fence(e Entry, docs map[string]Doc) (marks, fences []step) {
	for _, c := range e.Changes {
		d, there := docs[c.Key]
		s := step{doc: d, prev: d.Seq, op: opReplace}
		switch {
		case !there && c.Delete, there && d.number() > e.N && (c.Delete || d.Seq&fenced != 0):
			continue
		case !there:
			s = step{doc: Doc{Key: c.Key, Void: true}, op: opInsert}
		case d.number() == e.N:
			if s.doc.Seq |= fenced; s.doc.Seq != s.prev {
				marks = append(marks, s)
			}
			continue
		}
		s.doc.Seq = fenced
		fences = append(fences, s)
	}
	return marks, fences
}

// fenceAll makes the writes; those that others got in between of are left to the
// next look.
func (m *Manager) fenceAll(ctx context.Context, marks, fences []step) error {
	if err := worst(m.apply(ctx, marks)); err != nil || len(fences) == 0 {
		return err
	}
	e, err := m.append(ctx, fences)
	if err != nil {
		return err
	}
	bad := worst(m.apply(ctx, fences))
	if bad != nil && !refused(bad) {
		return bad // what is on its way is for others to settle
	}
	return errors.Join(bad, m.finish(ctx, e.N, e.Writer, nil))
}

// worst gives the error that matters most: one that leaves open what has
// happened, or else a refusal other than that somebody got in between.
func worst(errs []error) (worst error) {
	for _, err := range errs {
		switch {
		case err == nil, contended(err):
		case !refused(err):
			return err
		case worst == nil:
			worst = err
		}
	}
	return worst
}
