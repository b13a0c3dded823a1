package team

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/zeebo/blake3"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/bolt"
)

// baseEntry is what both sides had in common of a record. The zero entry is of a
// record that the team never had.
type baseEntry struct {
	there bool // the team has it
	gone  bool // the team had it: the entry is kept for ever, so that no number is given again
	rev   refs.Rev
	sum   [32]byte // BLAKE3 of the value
	value []byte   // of an archive or a spec: merges need it; of a version: see countsOf
}

// The first byte of an entry as it is stored.
const (
	baseThere = 1
	baseGone  = 2
)

func (b baseEntry) encode() []byte {
	if b.gone {
		return []byte{baseGone}
	}
	out := append([]byte{baseThere}, b.sum[:]...)
	out = binary.AppendUvarint(out, uint64(len(b.rev)))
	out = append(out, b.rev...)
	return append(out, b.value...)
}

func decodeBase(key string, p []byte) (b baseEntry, err error) {
	if len(p) == 1 && p[0] == baseGone {
		return baseEntry{gone: true}, nil
	}
	if len(p) > 33 && p[0] == baseThere {
		copy(b.sum[:], p[1:])
		n, width := binary.Uvarint(p[33:])
		if rest := p[33+max(width, 0):]; width > 0 && n <= uint64(len(rest)) {
			b.there, b.rev, b.value = true, refs.Rev(rest[:n]), rest[n:]
			return b, nil
		}
	}
	return baseEntry{}, fmt.Errorf("what the team had of record %q, in the index: %w", key, index.ErrCorrupt)
}

func baseIn(tx *index.Tx, bucket, key string) (baseEntry, error) {
	p, err := tx.Get(bucket, key)
	if errors.Is(err, fs.ErrNotExist) {
		return baseEntry{}, nil
	}
	if err != nil {
		return baseEntry{}, err
	}
	return decodeBase(key, p)
}

// here is a record in the repository.
type here struct {
	there bool // and not on its way out
	rec   refs.Record
}

// same says whether a record is what the team had.
func (h here) same(b baseEntry) bool {
	if !h.there || !b.there {
		return h.there == b.there
	}
	return blake3.Sum256(h.rec.Value) == b.sum
}

// syncTx is one step of a Sync: all that it changes is changed at once. It is
// for one goroutine, and ends with the function that it was given to.
type syncTx struct {
	s            *Sync
	tx           *index.Tx
	joint        *bolt.Joint
	local, aside refs.Manager
	wrote        bool
	changed      map[string]bool // keys of the repository that this step has changed

	marks map[string]bool // of a look: keys that have changed since the last step, and whether they differ

	edited map[string]bool // archives: whether something of them was changed here, when the step began to look
}

// errUnwritten ends a step that has nothing to keep.
var errUnwritten = errors.New("nothing written")

func (s *Sync) on(j *bolt.Joint) *syncTx {
	return &syncTx{s: s, tx: j.Index, joint: j, local: j.Own, aside: j.Other, changed: map[string]bool{}, edited: map[string]bool{}}
}

// look calls fn in a transaction that only reads. What has changed in the repository
// since the last step is marked in memory, as long as one step of scan takes it in.
func (s *Sync) look(ctx context.Context, fn func(*syncTx) error) error {
	for {
		more := false
		err := s.opts.Local.Look(ctx, s.opts.Aside, func(j *bolt.Joint) (err error) {
			t := s.on(j)
			t.marks = map[string]bool{}
			if more, err = t.scan(ctx); err != nil || more {
				return err
			}
			return fn(t)
		})
		if err != nil || !more {
			return err
		}
		if err := s.scan(ctx); err != nil {
			return err
		}
	}
}

// step calls fn in a transaction.
func (s *Sync) step(ctx context.Context, fn func(*syncTx) error) error {
	err := s.opts.Local.Together(ctx, s.opts.Aside, func(j *bolt.Joint) error {
		t := s.on(j)
		err := fn(t)
		if err == nil && !t.wrote {
			return errUnwritten
		}
		return err
	})
	if errors.Is(err, errUnwritten) {
		return nil
	}
	return err
}

func (t *syncTx) meta(key string) (string, error) { return textIn(t.tx, t.s.bucket("meta"), key) }

func (t *syncTx) setMeta(key, value string) error { return t.keep("meta", key, []byte(value)) }

// get reads a record of the repository. An archive that is being deleted is gone.
func (t *syncTx) get(ctx context.Context, key string) (here, error) {
	r, err := t.local.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return here{}, nil
	}
	if err != nil {
		return here{}, err
	}
	return asHere(r)
}

func asHere(r refs.Record) (here, error) {
	if kind, _ := refs.ParseKey(r.Key); kind == refs.KindArchive {
		_, deleting, err := refs.DecodeArchive(r)
		return here{!deleting, r}, err
	}
	return here{true, r}, nil
}

// put sets a record of the repository, delete with a nil value.
func (t *syncTx) put(ctx context.Context, key string, value []byte) error {
	t.wrote, t.changed[key] = true, true
	r, err := t.local.Get(ctx, key)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return err
	}
	if value != nil {
		_, err = t.local.Put(ctx, key, value, r.Rev)
		return err
	}
	if missing {
		return nil
	}
	return t.local.Delete(ctx, key, r.Rev)
}

func (t *syncTx) base(key string) (baseEntry, error) {
	return baseIn(t.tx, t.s.bucket("base"), key)
}

// both returns a record as it is here, and what the team had of it.
func (t *syncTx) both(ctx context.Context, key string) (l here, b baseEntry, err error) {
	if l, err = t.get(ctx, key); err == nil {
		b, err = t.base(key)
	}
	return l, b, err
}

// setBase notes what the team has of a record.
func (t *syncTx) setBase(r refs.Record) error {
	b, err := baseOf(r)
	if err != nil {
		return err
	}
	return t.keep("base", r.Key, b.encode())
}

// baseOf is the entry of a record that both sides have in common.
func baseOf(r refs.Record) (b baseEntry, err error) {
	if r.Deleted {
		return baseEntry{gone: true}, nil
	}
	b = baseEntry{there: true, rev: r.Rev, sum: blake3.Sum256(r.Value)}
	b.value, err = keptValue(r)
	return b, err
}

// keptValue is what is kept of a record's value.
func keptValue(r refs.Record) ([]byte, error) {
	if kind, _ := refs.ParseKey(r.Key); kind != refs.KindVersion {
		return r.Value, nil
	}
	v, err := refs.DecodeVersion(r)
	return countsOf(v), err
}

// countsOf gives how many updates and yanks a version has, as two uvarints. Both
// lists only ever grow, so these say which of them has changed.
func countsOf(v refs.VersionRecord) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(v.Updates))), uint64(len(v.Yanks)))
}

// differs says what was changed here of a version that the team has and that is
// not the same here.
func (b baseEntry) differs(v refs.VersionRecord) (edited, yanked bool) {
	updates, width := binary.Uvarint(b.value)
	yanks, _ := binary.Uvarint(b.value[max(width, 0):])
	edited, yanked = updates != uint64(len(v.Updates)), yanks != uint64(len(v.Yanks))
	return edited || !yanked, yanked
}

// mark notes whether a record differs from what the team had.
func (t *syncTx) mark(ctx context.Context, key string) error {
	h, b, err := t.both(ctx, key)
	if err != nil {
		return err
	}
	return t.setDirty(key, !h.same(b))
}

func (t *syncTx) setDirty(key string, dirty bool) error {
	if t.marks != nil {
		t.marks[key] = dirty
		return nil
	}
	was, err := t.isDirty(key)
	if err != nil || was == dirty {
		return err
	}
	t.wrote = true
	if dirty {
		return t.tx.Put(t.s.dirty(), dirtyKey+key, nil)
	}
	return t.tx.Delete(t.s.dirty(), dirtyKey+key)
}

func (t *syncTx) isDirty(key string) (bool, error) {
	if dirty, ok := t.marks[key]; ok {
		return dirty, nil
	}
	_, err := t.tx.Get(t.s.dirty(), dirtyKey+key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// dirtyKeys lists the keys that begin with prefix and differ from the team's.
func (t *syncTx) dirtyKeys(prefix string) ([]string, error) {
	var keys []string
	for r, err := range t.tx.Scan(t.s.dirty(), dirtyKey+prefix, "") {
		if err != nil {
			return nil, err
		}
		key := r.Key[len(dirtyKey):]
		if dirty, ok := t.marks[key]; dirty || !ok {
			keys = append(keys, key)
		}
	}
	for key, dirty := range t.marks {
		if dirty && strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

const scanStep = 5000 // changes that are marked in one step

// scan marks what has changed in the repository since the last time.
func (s *Sync) scan(ctx context.Context) error {
	for more := true; more; {
		err := s.step(ctx, func(t *syncTx) (err error) {
			more, err = t.scan(ctx)
			return err
		})
		if err != nil {
			return fmt.Errorf("looking for what has changed here: %w", err)
		}
	}
	return nil
}

func (t *syncTx) scan(ctx context.Context) (more bool, err error) {
	since, err := textIn(t.tx, t.s.dirty(), localCursor)
	if err != nil {
		return false, err
	}
	n, last := 0, since
	for r, err := range t.local.Changes(ctx, refs.Cursor(since)) {
		if err != nil {
			return false, err
		}
		if err := t.mark(ctx, r.Key); err != nil {
			return false, err
		}
		last = string(r.Cursor)
		if n++; n == scanStep {
			more = true
			break
		}
	}
	if last != since && t.marks == nil {
		t.wrote = true
		err = t.tx.Put(t.s.dirty(), localCursor, []byte(last))
	}
	return more, err
}

// isEdited says whether something of an archive was changed here, as it was
// before the step changed anything of it.
func (t *syncTx) isEdited(archive string) (bool, error) {
	if edited, ok := t.edited[archive]; ok {
		return edited, nil
	}
	edited, err := t.isDirty(refs.ArchiveKey(archive))
	if err != nil {
		return false, err
	}
	for _, err := range t.tx.Scan(t.s.dirty(), dirtyKey+refs.VersionsPrefix(archive), "") {
		if err != nil {
			return false, err
		}
		edited = true
		break
	}
	t.edited[archive] = edited
	return edited, nil
}
