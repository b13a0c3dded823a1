package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Contents reads the contents of many files, one after another. It is for one
// goroutine and need not be closed.
type Contents struct {
	s   *Store
	f   fetcher
	buf []byte
}

// Contents returns a reader of files that belong to any trees of the store.
func (s *Store) Contents() *Contents { return &Contents{s: s, f: fetcher{s: s}} }

// Each calls write for each file, in order, with a function that writes its
// bytes. The chunks of small files are looked up together. An error of write
// ends it.
func (c *Contents) Each(ctx context.Context, files []Entry, write func(i int, content func(io.Writer) error) error) error {
	for first := 0; first < len(files); {
		n, refs := smallFiles(files[first:])
		locs, err := c.s.locateRefs(ctx, refs)
		if err != nil {
			return err
		}
		for i := first; i < first+n; i++ {
			e := &files[i]
			own := locs[:len(e.inline)]
			locs = locs[len(own):]
			content := func(w io.Writer) (err error) {
				if e.level > 0 || e.Size >= extractLarge {
					_, err = c.s.stream(ctx, e, 0, w)
					return err
				}
				c.buf = c.buf[:0]
				for i := range own {
					if c.buf, err = c.f.fetchMoved(ctx, c.buf, &own[i]); err != nil {
						return err
					}
				}
				_, err = w.Write(c.buf)
				return err
			}
			if err := write(i, content); err != nil {
				return err
			}
		}
		first += n
	}
	return nil
}

// Large says that a file is so large that reading it alone keeps all cores busy.
func (e *Entry) Large() bool { return e.level > 0 || e.Size >= extractLarge }

// Trees opens several trees, by slot, and looks them up together.
func (s *Store) Trees(ctx context.Context, ids []ID) ([]*Tree, error) {
	locs, err := s.locate(ctx, ids)
	if err != nil {
		return nil, err
	}
	trees := make([]*Tree, len(ids))
	f := fetcher{s: s}
	var buf []byte
	for i, id := range ids {
		if buf, err = f.fetchMoved(ctx, buf[:0], &locs[i]); err != nil {
			return nil, fmt.Errorf("tree %s: %w", id, err)
		}
		n, err := decodeNode(buf)
		if err == nil && n.kind != kindRoot {
			err = errors.New("it is not the root of a tree")
		}
		if err != nil {
			return nil, fmt.Errorf("tree %s: %w: %w", id, ErrCorrupt, err)
		}
		trees[i] = &Tree{s: s, id: id, root: n}
	}
	return trees, nil
}
