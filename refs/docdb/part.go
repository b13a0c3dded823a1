package docdb

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"

	"github.com/datafs/datafs/refs"
	"github.com/datafs/datafs/refs/commitlog"
)

// maxBytes is how many bytes of keys and values a commit has at most, unless it has
// but one change: with the least that a database keeps as a document in mind.
const maxBytes = 350 << 10

// ahead is how many commits are read at once: what DynamoDB answers at most is 16 MB.
const ahead = 32

// part is a part of a table: a Manager over a log that lies in a Store, and the log.
type part struct {
	*commitlog.Manager
	store   Store
	part    Part
	deletes atomic.Bool // the user may delete
}

// gapTries is how often a log is read in which a commit is missing.
const gapTries = 3

// Commits implements commitlog.Log. It reads one commit more than it was asked for,
// as one that is there behind one that is missing shows that something is wrong: the
// log is damaged, or the database has looked at one after another.
func (p *part) Commits(ctx context.Context, n uint64, most int) ([][]byte, error) {
	for range gapTries {
		list, err := p.store.Commits(ctx, p.part, n, most+1)
		if err != nil {
			return nil, err
		}
		data, there := make([][]byte, most+2), 0 // the last one is never there
		for _, c := range list {
			data[c.N-n] = c.Data
		}
		for data[there] != nil {
			there++
		}
		if there == len(list) {
			return data[:min(there, most)], nil
		}
	}
	return nil, fmt.Errorf("a commit behind %d of %s is missing: %w", n, p.store, refs.ErrCorrupt)
}

// Head implements commitlog.Log.
func (p *part) Head(ctx context.Context, n uint64) ([]byte, error) {
	list, err := p.store.Commits(ctx, p.part, n, 1)
	if err == nil && len(list) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	return list[0].Data, nil
}

// Add implements commitlog.Log.
func (p *part) Add(ctx context.Context, n uint64, commit []byte) error {
	return p.store.Add(ctx, p.part, Commit{n, commit})
}

// mayDelete asks the database, until it has said so, whether the user may delete.
func (p *part) mayDelete(ctx context.Context) error {
	if p.deletes.Load() {
		return nil
	}
	err := p.store.MayDelete(ctx, p.part)
	p.deletes.Store(err == nil)
	return err
}

// show brings the documents up to date. What fails is for the next writer: all is
// committed already. So is what this user may not write.
func (p *part) show(ctx context.Context) {
	shown, err := p.store.Shown(ctx, p.part)
	if err != nil {
		return
	}
	whole := true
	_ = p.Walk(ctx, shown, func(n uint64, records []refs.Record) error {
		err := p.store.Show(ctx, p.part, n, records)
		if whole = whole && !errors.Is(err, fs.ErrPermission); !whole {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrInvalid) {
			return err
		}
		return p.store.SetShown(ctx, p.part, n)
	})
}
