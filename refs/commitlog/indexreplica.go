package commitlog

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"sync"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// indexReplica is a replica in a bucket of an index, which several processes
// may share. Its records, numbers little-endian:
//
//	"p"       -> version u8 (1), number of the last commit u64, its write id 16
//	"k" + key -> commit u64, length of the value plus 1 or 0 u32
//
// A replica of another version is thrown away and made anew.
type indexReplica struct {
	db     *index.DB
	bucket string

	mu sync.Mutex // guards at
	at *place     // where it stood last; nil: not known. Other processes may have moved it.
}

// stands remembers where the replica stands.
func (r *indexReplica) stands(at place, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at = nil; err == nil {
		r.at = &at
	}
}

// remembered returns where the replica stood last, nil if that is not known.
func (r *indexReplica) remembered() *place {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at
}

const (
	replicaVersion = 1
	replicaPlace   = "p"
	replicaKey     = "k"
	placeSize      = 1 + 8 + 16
	entrySize      = 8 + 4
)

func (r *indexReplica) place(tx *index.Tx) (p place, usable bool, err error) {
	b, err := tx.Get(r.bucket, replicaPlace)
	if errors.Is(err, fs.ErrNotExist) {
		return p, true, nil
	}
	if err != nil || len(b) != placeSize || b[0] != replicaVersion {
		return p, false, err
	}
	return place{binary.LittleEndian.Uint64(b[1:]), writeID(b[9:])}, true, nil
}

func decodeEntry(key string, b []byte) (entry, error) {
	if len(b) != entrySize {
		return entry{}, fmt.Errorf("key %.80q of a log in the index: %w", key, index.ErrCorrupt)
	}
	return entry{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint32(b[8:])}, nil
}

func (r *indexReplica) look(ctx context.Context, keys []string) (at place, list []entry, err error) {
	list = make([]entry, len(keys))
	if p := r.remembered(); p != nil && len(keys) == 0 {
		return *p, list, ctx.Err()
	}
	defer func() { r.stands(at, err) }()
	err = r.db.View(ctx, func(tx *index.Tx) (err error) {
		usable := false
		if at, usable, err = r.place(tx); err != nil || !usable || at.number == 0 {
			return err // not usable is empty, until apply makes it so
		}
		for i, key := range keys {
			if list[i], err = r.entry(tx, key); err != nil {
				return err
			}
		}
		return nil
	})
	return at, list, err
}

func (r *indexReplica) entry(tx *index.Tx, key string) (entry, error) {
	if len(key) > refs.MaxKey {
		return entry{}, nil
	}
	b, err := tx.Get(r.bucket, replicaKey+key)
	if errors.Is(err, fs.ErrNotExist) {
		return entry{}, nil
	}
	if err != nil {
		return entry{}, err
	}
	return decodeEntry(key, b)
}

// errElsewhere ends a transaction on a replica that stands elsewhere.
var errElsewhere = errors.New("the replica stands elsewhere")

func (r *indexReplica) apply(ctx context.Context, from, to place, changed []keyEntry) (now place, err error) {
	err = r.db.Update(ctx, func(tx *index.Tx) error {
		at, usable, err := r.place(tx)
		if err != nil {
			return err
		}
		if now = at; at != from {
			return errElsewhere
		}
		if !usable {
			if err := tx.Drop(r.bucket); err != nil {
				return err
			}
		}
		now = to
		return r.write(tx, to, changed)
	})
	if errors.Is(err, errElsewhere) {
		err = nil
	}
	r.stands(now, err)
	return now, err
}

func (r *indexReplica) write(tx *index.Tx, to place, changed []keyEntry) error {
	var e [entrySize]byte
	for _, k := range changed {
		binary.LittleEndian.PutUint64(e[:], k.rev)
		binary.LittleEndian.PutUint32(e[8:], k.size)
		if err := tx.Put(r.bucket, replicaKey+k.key, e[:]); err != nil {
			return err
		}
	}
	p := binary.LittleEndian.AppendUint64([]byte{replicaVersion}, to.number)
	return tx.Put(r.bucket, replicaPlace, append(p, to.id[:]...))
}

func (r *indexReplica) reset(ctx context.Context, at place) error {
	err := r.db.Update(ctx, func(tx *index.Tx) error {
		now, _, err := r.place(tx)
		if err != nil {
			return err
		}
		if now != at {
			return errElsewhere
		}
		return tx.Drop(r.bucket)
	})
	if r.stands(place{}, errElsewhere); errors.Is(err, errElsewhere) {
		return nil
	}
	return err
}

func (r *indexReplica) page(ctx context.Context, prefix, after string) ([]keyEntry, error) {
	var p replicaPage
	if after != "" {
		after = replicaKey + after
	}
	err := r.db.View(ctx, func(tx *index.Tx) error {
		if _, usable, err := r.place(tx); err != nil || !usable {
			return err
		}
		for rec, err := range tx.Scan(r.bucket, replicaKey+prefix, after) {
			if err != nil {
				return err
			}
			key := rec.Key[len(replicaKey):]
			e, err := decodeEntry(key, rec.Value)
			if err != nil {
				return err
			}
			if e.live() && !p.add(keyEntry{key, e}) {
				return nil
			}
		}
		return nil
	})
	return p.keys, err
}
