package index

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/datafs/datafs/index/leaf"
)

// foreignLockTimeout is how long to wait for a program that has opened the file
// without taking our lock, such as bbolt's own tool.
const foreignLockTimeout = 5 * time.Second

// commit writes the changes of a transaction, if there are any. The caller
// holds the exclusive lock.
func (tx *Tx) commit(db *DB) error {
	var changed []*bucket
	for _, name := range slices.Sorted(maps.Keys(tx.open)) {
		if b := tx.open[name]; b.dropped || b.over.n > 0 && b.exists() {
			changed = append(changed, b)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if tx.s == nil {
		return create(db.path, changed)
	}
	if err := tx.inspect(changed); err != nil {
		return err
	}
	return writeBolt(db.path, changed)
}

// inspect checks every page that bbolt will read for these changes.
func (tx *Tx) inspect(changed []*bucket) error {
	free, err := tx.s.freePages()
	if err != nil {
		return err
	}
	if err := free.verify(); err != nil {
		return err
	}
	if err := tx.root.proveWhole(); err != nil {
		return err
	}
	var losing []*cursor // in the tree of buckets
	for _, b := range changed {
		at := tx.root.cursor()
		if err := at.approach([]byte(b.name)); err != nil {
			return err
		}
		if b.dropped {
			losing = appendLeaf(losing, at)
		}
		if err := tx.inspectBucket(b); err != nil {
			return err
		}
	}
	return tx.root.proveMerges(losing)
}

func (tx *Tx) inspectBucket(b *bucket) error {
	if !b.had {
		return nil
	}
	if b.dropped && b.prove != nil {
		return b.prove()
	}
	if b.dropped {
		return tx.inspectWhole(b)
	}
	if err := b.base.proveWhole(); err != nil {
		return err
	}
	var losing []*cursor
	for c := b.over.first(""); c != nil; c = c.next[0] {
		at := b.base.cursor()
		if err := at.approach([]byte(c.key)); err != nil {
			return err
		}
		if c.stored == nil {
			losing = appendLeaf(losing, at)
		}
	}
	return b.base.proveMerges(losing)
}

// appendLeaf appends a cursor that is at another leaf than the last.
func appendLeaf(losing []*cursor, c *cursor) []*cursor {
	if !c.valid() || len(losing) > 0 && losing[len(losing)-1].page().id == c.page().id {
		return losing
	}
	c.stack[len(c.stack)-1].p = c.page().slim()
	return append(losing, c)
}

// inspectWhole checks all of a bucket that is to be dropped: bbolt reads every
// page of it.
func (tx *Tx) inspectWhole(b *bucket) error {
	entry, _, err := tx.root.get([]byte(b.name))
	if err != nil {
		return err
	}
	t, err := tx.s.bucket(b.sum, entry)
	if err != nil {
		return err
	}
	return t.walk(func(*page) error { return nil })
}

// create makes the file under another name first: it appears with its first
// transaction or not at all, so that an empty file is always a damaged one.
func create(path string, changed []*bucket) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("create index: %w", err)
	}
	err := createEmpty(tmp)
	if err == nil {
		err = writeBolt(tmp, changed)
	}
	if err == nil {
		err = os.Rename(tmp, path)
	}
	if err != nil {
		os.Remove(tmp)
		return fmt.Errorf("create index: %w", err)
	}
	return leaf.SyncDir(filepath.Dir(path))
}

// createEmpty makes a file that bbolt then opens: nobody else may have put one
// there.
func createEmpty(name string) error {
	f, err := OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	return f.Close()
}

// writeBolt applies changes in one transaction of bbolt. A panic of bbolt means
// a damaged file that our checks did not notice; so does a fault, when the file
// was cut off meanwhile.
func writeBolt(path string, changed []*bucket) (err error) {
	var file *os.File
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			// bbolt may hold locks of its own, so that its Close would hang.
			abandon(file)
			err = corrupt(path, fmt.Sprint(p))
		}
	}()
	bolt, err := bbolt.Open(path, fileMode, boltOptions(&file, false))
	if err != nil {
		return boltError(path, err)
	}
	err = bolt.Update(func(btx *bbolt.Tx) error { return apply(btx, changed) })
	if cerr := bolt.Close(); err == nil {
		err = cerr
	}
	return boltError(path, err)
}

func boltOptions(file **os.File, readOnly bool) *bbolt.Options {
	return &bbolt.Options{
		Timeout:      foreignLockTimeout,
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		ReadOnly:     readOnly,
		OpenFile: func(name string, flag int, mode os.FileMode) (f *os.File, err error) {
			f, err = OpenFile(name, flag, mode)
			*file = f
			return f, err
		},
	}
}

func boltError(path string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("write index %s: %w by another program", path, ErrBusy)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		if err := readHead(path); err != nil { // bbolt does not say so
			return fmt.Errorf("read index: %w", err)
		}
		return corrupt(path, err.Error())
	}
	return fmt.Errorf("write index %s: %w", path, err)
}

// readHead returns an error if the beginning of a file cannot be read now.
func readHead(path string) error {
	f, err := OpenRead(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.ReadAt(make([]byte, 1), 0); err != io.EOF {
		return err
	}
	return nil
}

func apply(btx *bbolt.Tx, changed []*bucket) error {
	for _, b := range changed {
		if b.dropped {
			if err := btx.DeleteBucket([]byte(b.name)); err != nil {
				return fmt.Errorf("drop bucket %q: %w", b.name, err)
			}
		}
		if b.over.n > 0 {
			if err := applyBucket(btx, b); err != nil {
				return fmt.Errorf("bucket %q: %w", b.name, err)
			}
		}
	}
	return nil
}

func applyBucket(btx *bbolt.Tx, b *bucket) error {
	bb := btx.Bucket([]byte(b.name))
	if bb == nil {
		var err error
		if bb, err = btx.CreateBucket([]byte(b.name)); err != nil {
			return err
		}
	}
	for c := b.over.first(""); c != nil; c = c.next[0] {
		if err := applyChange(bb, c); err != nil {
			return fmt.Errorf("record %q: %w", c.key, err)
		}
	}
	c := bb.Cursor()
	var last []byte
	first, _ := c.First()
	if first != nil { // Last never returns when all of several leaves have just been emptied
		last, _ = c.Last()
	}
	return bb.SetSequence(b.sum.sealBucket(first, last))
}

func applyChange(bb *bbolt.Bucket, c *change) error {
	if c.stored == nil {
		return bb.Delete([]byte(c.key))
	}
	return bb.Put([]byte(c.key), c.stored)
}
