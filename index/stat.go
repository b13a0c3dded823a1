package index

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
)

// Stat is what tells one state of a file from another without reading it. Times
// are in nanoseconds since 1970, Size is in bytes.
type Stat struct {
	Size, MTime, CTime int64
	Dev, Inode         uint64
}

// StatOf returns the Stat of a file. CTime, Dev and Inode are zero where the
// platform does not tell them.
func StatOf(fi fs.FileInfo) Stat {
	st := Stat{Size: fi.Size(), MTime: fi.ModTime().UnixNano()}
	st.platform(fi)
	return st
}

// Cached is what is known of a file: its state and what it held then. Hash is
// of the whole content, Tree of the tree that describes it. At is when the Stat
// was taken, in nanoseconds since 1970; it must be read from the clock before
// the content is read, or Fresh cannot keep its promise.
type Cached struct {
	Stat
	Hash, Tree ID
	At         int64
}

const (
	// racyMargin covers the granularity of timestamps: the kernel's clock ticks
	// every 1 to 10 ms.
	racyMargin = 10 * time.Millisecond

	// coarseMargin covers filesystems that keep whole seconds, or, as FAT does,
	// every other second.
	coarseMargin = 2 * time.Second
)

// Fresh tells whether a file whose state is now still holds what c says. That
// is so when the state is the same and was not racy: a file that changed
// shortly before At may change again without its timestamps showing it, so the
// file must have been left alone for longer than a tick of its clock before At
// (git's rule, see "racy git" in its technical documentation). Timestamps of
// whole seconds are taken to come from a clock that ticks every two seconds.
func (c Cached) Fresh(now Stat) bool {
	return c.At != 0 && c.Stat == now && settled(c.MTime, c.At) && settled(c.CTime, c.At)
}

func settled(t, at int64) bool {
	margin := racyMargin
	if t%int64(time.Second) == 0 {
		margin = coarseMargin
	}
	return t < at-int64(margin)
}

// A cached stat is stored by path in the bucket .stats, as little-endian size,
// mtime, ctime, dev, inode and at, of 8 bytes each, the hash, and the tree,
// which is left out when it is zero.
const (
	statsBucket  = ".stats"
	statSize     = 48 + 32
	statTreeSize = statSize + 32

	// maxCachedPath is the longest path that is cached, in bytes; what is known
	// of longer ones is not kept.
	maxCachedPath = 4096
)

func (c Cached) encode() []byte {
	b := make([]byte, 0, statTreeSize)
	for _, n := range [...]uint64{uint64(c.Size), uint64(c.MTime), uint64(c.CTime), c.Dev, c.Inode, uint64(c.At)} {
		b = binary.LittleEndian.AppendUint64(b, n)
	}
	b = append(b, c.Hash[:]...)
	if !c.Tree.IsZero() {
		b = append(b, c.Tree[:]...)
	}
	return b
}

func decodeCached(b []byte) (c Cached, err error) {
	if len(b) != statSize && len(b) != statTreeSize {
		return c, fmt.Errorf("cached stat: %w: %d bytes", ErrCorrupt, len(b))
	}
	at := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	c.Stat = Stat{Size: int64(at(0)), MTime: int64(at(1)), CTime: int64(at(2)), Dev: at(3), Inode: at(4)}
	c.At, c.Hash = int64(at(5)), ID(b[48:])
	if len(b) == statTreeSize {
		c.Tree = ID(b[statSize:])
	}
	return c, nil
}

// Cached returns what is known of files, each in the slot of its path; the zero
// value where nothing is known.
func (db *DB) Cached(ctx context.Context, paths []string) ([]Cached, error) {
	known := make([]Cached, len(paths))
	order := make([]int, len(paths))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return strings.Compare(paths[a], paths[b]) })
	err := db.View(ctx, func(tx *Tx) error {
		b, err := tx.bucket(statsBucket)
		if err != nil {
			return err
		}
		for _, i := range order {
			if known[i], err = b.cached(paths[i]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look up stat cache: %w", err)
	}
	return known, nil
}

func (b *bucket) cached(path string) (Cached, error) {
	if !cachable(path) {
		return Cached{}, nil
	}
	v, found, err := b.get([]byte(path))
	if err != nil || !found {
		return Cached{}, err
	}
	return decodeCached(v)
}

func cachable(path string) bool { return path != "" && len(path) <= maxCachedPath }

// Cache records what is known of files, by path. The zero value forgets one.
func (db *DB) Cache(ctx context.Context, m map[string]Cached) error {
	if len(m) == 0 {
		return nil
	}
	err := db.Update(ctx, func(tx *Tx) error {
		b, err := tx.bucket(statsBucket)
		if err != nil {
			return err
		}
		for _, path := range slices.Sorted(maps.Keys(m)) {
			if err := b.cache(path, m[path]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write stat cache: %w", err)
	}
	return nil
}

func (b *bucket) cache(path string, c Cached) error {
	if !cachable(path) {
		return nil
	}
	if c == (Cached{}) {
		return b.delete([]byte(path))
	}
	b.put([]byte(path), c.encode())
	return nil
}
