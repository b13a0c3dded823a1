package docdb

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strconv"
	"time"

	"github.com/datafs/datafs/index/leaf"
	"github.com/datafs/datafs/refs"
)

// Options say how a Manager works.
type Options struct {
	Patience time.Duration                                    // how long a reader waits for a writer before it finishes its write for it; 0 is 5 s, below 0 it does not wait
	Rand     io.Reader                                        // for names of writers and the length of pauses; nil is crypto/rand.Reader
	Pause    func(ctx context.Context, d time.Duration) error // waits; nil is a timer
}

// Manager is a refs.Manager and a refs.Batcher over a Store. Several processes
// may use Managers over one database at the same time.
type Manager struct {
	store Store
	opts  Options
}

// New returns a Manager over store, which it closes when it is closed. Opts may
// be nil.
func New(store Store, opts *Options) *Manager {
	m := &Manager{store: store}
	if opts != nil {
		m.opts = *opts
	}
	if m.opts.Patience == 0 {
		m.opts.Patience = 5 * time.Second
	}
	if m.opts.Rand == nil {
		m.opts.Rand = rand.Reader
	}
	if m.opts.Pause == nil {
		m.opts.Pause = leaf.Sleep
	}
	return m
}

// A document's Seq is the number of the entry that wrote it, and a bit that says
// whether its key was ever fenced: then the key keeps a document for ever, if
// only a Void one, so that no create that was on its way at that time can
// succeed when it arrives at last. Seq in decimal is the record's revision.
const fenced = 1

func (d Doc) number() int64 { return d.Seq >> 1 }

func (d Doc) record() (refs.Record, error) {
	r := refs.Record{Key: d.Key, Value: bytes.Clone(d.Raw), Rev: revOf(d.Seq)}
	switch {
	case d.Raw != nil:
		return r, nil
	case d.Fields == nil:
		d.Fields = map[string]any{}
	}
	value, err := Encode(d.Fields)
	if err != nil {
		return refs.Record{}, fmt.Errorf("record %q: %w: %w", d.Key, refs.ErrCorrupt, err)
	}
	r.Value = value
	return r, nil
}

func revOf(seq int64) refs.Rev { return refs.Rev(strconv.FormatInt(seq, 10)) }

// newDoc is a record as a document, without its Seq.
func newDoc(key string, value []byte) Doc {
	if fields, ok := Decode(value); ok {
		return Doc{Key: key, Fields: fields}
	}
	return Doc{Key: key, Raw: bytes.Clone(value)}
}

func errNoRecord(key string) error {
	return leaf.Errorf(fs.ErrNotExist, "no record %q", key)
}

// checkKey refuses keys that no record can have.
func checkKey(key string) error { return refs.CheckKeyValue(key, []byte{}) }

// Get implements refs.Manager.
func (m *Manager) Get(ctx context.Context, key string) (refs.Record, error) {
	if err := ctx.Err(); err != nil {
		return refs.Record{}, err
	}
	if checkKey(key) != nil {
		return refs.Record{}, errNoRecord(key)
	}
	docs, err := m.store.Get(ctx, []string{key})
	if err != nil {
		return refs.Record{}, err
	}
	d, ok := docs[key]
	if !ok || d.Void {
		return refs.Record{}, errNoRecord(key)
	}
	return d.record()
}

// Put implements refs.Manager.
func (m *Manager) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	if err := refs.CheckKeyValue(key, value); err != nil {
		return refs.Absent, err
	}
	out, err := m.write(ctx, []refs.Change{{Key: key, Value: value, Prev: prev}})
	if err != nil {
		return refs.Absent, err
	}
	return out[0].rev, out[0].err
}

// Delete implements refs.Manager.
func (m *Manager) Delete(ctx context.Context, key string, prev refs.Rev) error {
	if checkKey(key) != nil {
		return errNoRecord(key)
	}
	out, err := m.write(ctx, []refs.Change{{Key: key, Prev: prev}})
	if err != nil {
		return err
	}
	return out[0].err
}

// PutAll implements refs.Batcher. Changes of one key are made in order, others
// several at a time.
func (m *Manager) PutAll(ctx context.Context, changes []refs.Change) ([]error, error) {
	out, err := m.write(ctx, changes)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(out))
	for i := range out {
		errs[i] = out[i].err
	}
	return errs, nil
}

// List implements refs.Manager.
func (m *Manager) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	return func(yield func(refs.Record, error) bool) {
		keys := make([]string, 0, MaxGet)
		for key, err := range m.store.Keys(ctx, prefix) {
			if err != nil {
				yield(refs.Record{}, err)
				return
			}
			if keys = append(keys, key); len(keys) < MaxGet {
				continue
			}
			if !m.give(ctx, keys, yield) {
				return
			}
			keys = keys[:0]
		}
		if err := ctx.Err(); err != nil {
			yield(refs.Record{}, err)
			return
		}
		m.give(ctx, keys, yield)
	}
}

// give gives the records of keys, and says whether to go on.
func (m *Manager) give(ctx context.Context, keys []string, yield func(refs.Record, error) bool) bool {
	docs, err := m.getAll(ctx, keys)
	if err != nil {
		yield(refs.Record{}, err)
		return false
	}
	for _, key := range keys {
		d, ok := docs[key]
		if !ok || d.Void {
			continue
		}
		r, err := d.record()
		if !yield(r, err) || err != nil {
			return false
		}
	}
	return true
}

// getAll gets any number of documents.
func (m *Manager) getAll(ctx context.Context, keys []string) (map[string]Doc, error) {
	all := make(map[string]Doc, len(keys))
	for len(keys) > 0 {
		n := min(len(keys), MaxGet)
		docs, err := m.store.Get(ctx, keys[:n])
		if err != nil {
			return nil, err
		}
		for key, d := range docs {
			all[key] = d
		}
		keys = keys[n:]
	}
	return all, nil
}

// Close implements refs.Manager.
func (m *Manager) Close() error { return m.store.Close() }

// newID gives a name that nobody else has.
func (m *Manager) newID() (string, error) {
	var b [12]byte
	if _, err := io.ReadFull(m.opts.Rand, b[:]); err != nil {
		return "", fmt.Errorf("drawing a writer's name: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}
