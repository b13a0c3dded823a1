package docdb

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strconv"
	"strings"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/commitlog"
)

// Options say how a Manager works. The zero value is fine.
type Options struct {
	Index *index.DB // keeps what is known of the table for the next process; nil keeps it in memory
	Rand  io.Reader // for write ids and the length of pauses; nil is crypto/rand.Reader. Safe for concurrent use

	MaxDocument int // bytes of a document; 0: as many as any record needs
}

// Manager is a refs.Manager and a refs.Batcher over a Store. Several processes
// may use Managers over one database at the same time. Its cursor is that of the
// records, and, behind a dot, that of the requirements, where there are any.
type Manager struct {
	store       Store
	maxDocument int      // bytes; 0: no limit
	parts       [2]*part // by Part
}

// New returns a Manager over store, which it closes when it is closed. Opts may
// be nil.
func New(store Store, opts *Options) *Manager {
	if opts == nil {
		opts = &Options{}
	}
	m := &Manager{store: store, maxDocument: opts.MaxDocument}
	for i, name := range []string{"records", "requirements"} {
		p := &part{store: store, part: Part(i)}
		p.Manager = commitlog.New(p, &commitlog.Options{
			Table: name, Index: opts.Index, Bucket: "refs/docdb/" + store.String() + "/" + name, Random: opts.Rand,
			MaxBytes: maxBytes, Ahead: ahead,
		})
		m.parts[i] = p
	}
	return m
}

func partOf(key string) Part {
	if strings.HasPrefix(key, SpecPrefix) {
		return Requirements
	}
	return Records
}

// Get implements refs.Manager.
func (m *Manager) Get(ctx context.Context, key string) (refs.Record, error) {
	return m.parts[partOf(key)].Get(ctx, key)
}

// besides is how many bytes a document has at most besides the key and the value.
const besides = 2560

// check refuses what no document can hold.
func (m *Manager) check(key string, value []byte) error {
	if m.maxDocument > 0 && len(key)+len(value)+besides > m.maxDocument {
		return leaf.Errorf(fs.ErrInvalid, "the record is larger than the %d KB that a document of %s holds", m.maxDocument>>10, m.store)
	}
	return nil
}

// Put implements refs.Manager.
func (m *Manager) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	if err := m.check(key, value); err != nil {
		return refs.Absent, err
	}
	p := m.parts[partOf(key)]
	rev, err := p.Manager.Put(ctx, key, value, prev)
	if err == nil {
		p.show(ctx)
	}
	return rev, err
}

// Delete implements refs.Manager.
func (m *Manager) Delete(ctx context.Context, key string, prev refs.Rev) error {
	p := m.parts[partOf(key)]
	if err := p.mayDelete(ctx); err != nil {
		return err
	}
	err := p.Manager.Delete(ctx, key, prev)
	if err == nil {
		p.show(ctx)
	}
	return err
}

// PutAll implements refs.Batcher.
func (m *Manager) PutAll(ctx context.Context, changes []refs.Change) ([]error, error) {
	errs := make([]error, len(changes))
	var slots [2][]int
	for i, c := range changes {
		part := partOf(c.Key)
		if errs[i] = m.check(c.Key, c.Value); c.Value == nil {
			errs[i] = m.parts[part].mayDelete(ctx)
		}
		if errs[i] == nil {
			slots[part] = append(slots[part], i)
		}
	}
	for i, p := range m.parts {
		own := make([]refs.Change, len(slots[i]))
		for j, slot := range slots[i] {
			own[j] = changes[slot]
		}
		each, err := p.PutAll(ctx, own)
		if err != nil {
			return nil, err
		}
		for j, slot := range slots[i] {
			errs[slot] = each[j]
		}
		if len(own) > 0 {
			p.show(ctx)
		}
	}
	return errs, nil
}

// List implements refs.Manager.
func (m *Manager) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	if !strings.HasPrefix(SpecPrefix, prefix) {
		return m.parts[partOf(prefix)].List(ctx, prefix)
	}
	return func(yield func(refs.Record, error) bool) {
		var required []refs.Record
		for r, err := range m.parts[Requirements].List(ctx, prefix) {
			if err != nil {
				yield(r, err)
				return
			}
			required = append(required, r)
		}
		for r, err := range m.parts[Records].List(ctx, prefix) {
			for err == nil && len(required) > 0 && required[0].Key < r.Key {
				if !yield(required[0], nil) {
					return
				}
				required = required[1:]
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		for _, r := range required {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// Changes implements refs.Manager: first those of the records.
func (m *Manager) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return func(yield func(refs.Record, error) bool) {
		cursors, err := parseCursor(since)
		if err != nil {
			yield(refs.Record{}, err)
			return
		}
		for i, p := range m.parts {
			for r, err := range p.Changes(ctx, cursors[i]) {
				if err == nil {
					cursors[i] = r.Cursor
					r.Cursor = cursors.join()
				}
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	}
}

// cursors are those of the parts.
type cursors [2]refs.Cursor

func (c cursors) join() refs.Cursor {
	if c[Requirements] == "" {
		return c[Records]
	}
	return c[Records] + "." + c[Requirements]
}

func parseCursor(c refs.Cursor) (list cursors, err error) {
	for i, text := range strings.SplitN(string(c), ".", 2) {
		if _, err := strconv.ParseUint(text, 10, 64); err != nil && text != "" {
			return list, fmt.Errorf("unknown cursor %.40q: %w", string(c), fs.ErrInvalid)
		}
		list[i] = refs.Cursor(text)
	}
	return list, nil
}

// Close implements refs.Manager.
func (m *Manager) Close() error { return m.store.Close() }
