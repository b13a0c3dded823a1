package bolt

import (
	"context"
	"errors"
	"io/fs"
	"iter"

	"github.com/datafs/datafs/index"
	"github.com/datafs/datafs/refs"
)

// snapshot is a table in a transaction that only reads.
type snapshot struct {
	tx    *index.Tx
	table string
	make  bool // a table that is not there is an empty one
}

// check refuses a table that nobody created.
func (v snapshot) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil || v.make {
		return err
	}
	return checkTable(v.tx, v.table)
}

func (v snapshot) Get(ctx context.Context, key string) (refs.Record, error) {
	if err := v.check(ctx); err != nil {
		return refs.Record{}, err
	}
	return get(v.tx, v.table, key)
}

func (v snapshot) List(ctx context.Context, prefix string) iter.Seq2[refs.Record, error] {
	return pages(func(_ []refs.Record, after refs.Record) ([]refs.Record, bool, error) {
		if err := v.check(ctx); err != nil {
			return nil, false, err
		}
		return page(v.tx, v.table, prefix, after.Key)
	})
}

func (v snapshot) Changes(ctx context.Context, since refs.Cursor) iter.Seq2[refs.Record, error] {
	return changePages(since, func(after uint64) ([]refs.Record, bool, error) {
		if err := v.check(ctx); err != nil {
			return nil, false, err
		}
		return changePage(v.tx, v.table, after)
	})
}

func (v snapshot) Put(context.Context, string, []byte, refs.Rev) (refs.Rev, error) {
	return refs.Absent, errSnapshot
}

func (v snapshot) Delete(context.Context, string, refs.Rev) error { return errSnapshot }

func (v snapshot) Close() error { return nil }

var errSnapshot = errors.New("write through a manager that only reads")

// txView is a table in a transaction that writes.
type txView struct {
	snapshot
	t *transaction
}

func (b *Manager) in(t *transaction) txView { return txView{snapshot{t.tx, b.table, b.make}, t} }

func (v txView) Put(ctx context.Context, key string, value []byte, prev refs.Rev) (refs.Rev, error) {
	err := v.check(ctx)
	if v.make && err == nil {
		if err = checkTable(v.tx, v.table); errors.Is(err, fs.ErrNotExist) {
			err = v.t.do(op{kind: opCreateTable, table: v.table})
		}
	}
	if err != nil {
		return refs.Absent, err
	}
	return v.t.put(v.table, key, value, prev)
}

func (v txView) Delete(ctx context.Context, key string, prev refs.Rev) error {
	if err := v.check(ctx); err != nil {
		return err
	}
	return v.t.delete(v.table, key, prev)
}

// Complete is an archive with its versions, in order.
type Complete struct {
	Archive  refs.Archive
	Versions []refs.VersionRecord
}

// completeVersions is how many versions are read in one transaction, unless an archive
// has more.
const completeVersions = 4096

// Complete lists the archives by name, each with its versions as they are at one
// moment. Many archives are read in one transaction; none is open while the caller has
// one.
func (b *Manager) Complete(ctx context.Context) iter.Seq2[Complete, error] {
	return pages(func(_ []Complete, after Complete) (list []Complete, more bool, err error) {
		err = b.viewTable(ctx, func(tx *index.Tx) error {
			list, more, err = completePage(ctx, snapshot{tx, b.table, b.make}, after.Archive.Name)
			return err
		})
		return list, more, err
	})
}

func completePage(ctx context.Context, s snapshot, after string) (list []Complete, more bool, err error) {
	if after != "" {
		after = refs.ArchiveKey(after)
	}
	records, more, err := page(s.tx, s.table, refs.ArchivePrefix, after)
	if err != nil {
		return nil, false, err
	}
	db, n := refs.New(s, nil), 0
	for i, r := range records {
		a, _, err := refs.DecodeArchive(r)
		if err != nil {
			return nil, false, err
		}
		versions, err := db.Versions(ctx, a.Name)
		if err != nil {
			return nil, false, err
		}
		list = append(list, Complete{a, versions})
		if n += len(versions); n >= completeVersions {
			return list, more || i+1 < len(records), nil
		}
	}
	return list, more, nil
}
