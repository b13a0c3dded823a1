package objects

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/datafs/datafs/index"
)

// treeWriter puts the entries of one tree in line with the content that a
// Writer takes in.
type treeWriter struct {
	w    *Writer
	list *listing
	res  Result
}

func (w *Writer) newTree() *treeWriter {
	return &treeWriter{w: w, list: newListing(w.packer.putNode)}
}

// opened is a file that is to be read.
type opened struct {
	*os.File
	state     fs.FileInfo // when it was opened
	name, abs string      // as the user gave it, and for the stat cache
}

// readFile feeds a file and adds it to a tree, unless it changed. What it was in
// an earlier version, or nil, makes that faster.
func (w *Writer) readFile(t *treeWriter, e Entry, f opened, earlier *Entry) error {
	at := w.opts.Now()
	size, err := w.feed(io.LimitReader(f, f.state.Size()+1), earlier)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.name, err)
	}
	after, err := f.Stat()
	if err != nil {
		return w.abandon(w.cur.n, err)
	}
	stat := index.StatOf(f.state)
	if size != f.state.Size() || index.StatOf(after) != stat {
		return w.abandon(w.cur.n, fmt.Errorf("%s: %w", f.name, ErrChanged))
	}
	return t.file(e, newSeen(f.abs, stat, at))
}

func newSeen(abs string, stat index.Stat, at time.Time) *statSeen {
	return &statSeen{path: abs, cached: index.Cached{Stat: stat, At: at.UnixNano()}}
}

// file adds the file that has just been fed.
func (t *treeWriter) file(e Entry, seen *statSeen) error {
	w, f := t.w, &inFile{}
	w.cur.ends = append(w.cur.ends, fileEnd{after: len(w.cur.chunks), pos: w.cur.n, file: f})
	return w.do(func(p *packer) error {
		if err := p.endFile(&e, f.hash); err != nil {
			return err
		}
		if e.Path == "" {
			t.res.Hash = e.Hash
		}
		if seen != nil {
			seen.hash, seen.single = e.Hash, &t.res
			p.stats = append(p.stats, seen)
		}
		return t.list.add(&e)
	})
}

// endFile gives an entry the chunks that came in since the last file.
func (p *packer) endFile(e *Entry, hash ID) error {
	if p.file == nil {
		p.file, p.n = newContent(p.putNode), 0
	}
	if e.Hash = hash; p.n == 1 {
		e.Hash = p.last
	}
	err := p.file.finish(e)
	p.file = nil
	return err
}

// entry adds an entry that needs no content: a directory, a link, or a file
// whose content is in the store.
func (t *treeWriter) entry(e Entry) error {
	return t.w.do(func(*packer) error { return t.list.add(&e) })
}

// finish ends the tree. The result is filled in when the packer gets there.
func (t *treeWriter) finish() (*Result, error) {
	err := t.w.do(func(*packer) (err error) {
		r := &t.res
		r.Tree, err = t.list.finish()
		r.Files, r.Size = t.list.files, t.list.bytes
		if r.Dir {
			r.Hash = r.Tree
		}
		return err
	})
	return &t.res, err
}

const statBatch = 4096

// statSeen is what the stat cache will say of a file that has been read.
type statSeen struct {
	path   string
	cached index.Cached
	hash   ID
	single *Result // of the tree that is this file alone, or of the directory
}

// flushStats tells the stat cache of the files that were read.
func (p *packer) flushStats() error {
	if len(p.stats) == 0 {
		return nil
	}
	m := make(map[string]index.Cached, len(p.stats))
	for _, s := range p.stats {
		s.cached.Hash = s.hash
		if !s.single.Dir {
			s.cached.Tree = s.single.Tree
		}
		m[s.path] = s.cached
	}
	p.stats = p.stats[:0]
	return p.w.s.index.Cache(p.w.ctx, m)
}
